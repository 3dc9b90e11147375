"""The front page of 10,000 campaigns asks no more of the store than that of a hundred."""

from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event

from campaigns.process.clock import SystemClock
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.pages.campaign_list import ROWS
from projector.service import Projector
from projector.settings import ProjectorSettings
from tests.integration.test_rebuild import Place
from tests.support.many_executions import journal_of_one, multiply

HERE = Partition(CAMPAIGN_RECORDS, 0)


async def statements_of(folder: Path, campaigns: int) -> dict[str, int]:
    """Return how many statements the front page, its last page and a filtered one take."""
    folder.mkdir()
    journal, settings = journal_of_one(), ProjectorSettings(api_key=SecretStr("dg_one"))
    Place(None, folder).fold(journal)
    part = Projector(journal.log, SystemClock(), settings, folder, None)
    multiply(part.store, 2, campaigns)
    await part.open()
    app, asked = FastAPI(), list[str]()
    for router in part.routers():
        app.include_router(router)

    def note(*found: Any) -> None:  # Any: SQLAlchemy's.
        asked.append(found[2])

    event.listen(part.store.engine, "before_cursor_execute", note)
    counts = {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://here",
        headers={"Authorization": "Bearer dg_one"},
    ) as client:
        for path in ("/", f"/?page={campaigns // ROWS}", "/?status=running"):
            asked.clear()
            shown = await client.get(path)
            assert (shown.status_code, shown.text.count('id="campaign-')) == (200, ROWS), path
            ends = shown.text.count(">Newest<"), shown.text.count(">Oldest<")
            assert ends == (("page=" in path), ("page=" not in path)), path
            counts[path.partition("=")[0]] = len(asked)
    await part.close()
    return counts


async def test_the_front_page_takes_as_many_statements_whatever_the_campaigns(
    tmp_path: Path,
) -> None:
    few = await statements_of(tmp_path / "few", 100)
    assert await statements_of(tmp_path / "many", 10_000) == few
