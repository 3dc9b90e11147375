"""While views are made from the log, a page says how far that is, and asks again by itself."""

from pathlib import Path

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from campaigns.process.clock import SystemClock
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.pages.visitor import AGAIN_S
from projector.service import Projector
from projector.settings import ProjectorSettings
from tests.support.many_executions import journal_of_one

HERE = Partition(CAMPAIGN_RECORDS, 0)


async def test_a_page_says_how_far_the_views_are_and_asks_again(tmp_path: Path) -> None:
    journal = journal_of_one()
    settings = ProjectorSettings(api_key=SecretStr("dg_one"), fresh_s=0.05)
    part = Projector(journal.log, SystemClock(), settings, tmp_path, None)
    await part.open()
    app = FastAPI()
    for router in part.routers():
        app.include_router(router)
    every, key = journal.log._records[HERE], {"Authorization": "Bearer dg_one"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://here", headers=key
    ) as client:
        for done in (0, 3):
            if done:
                part.reader.step(HERE, every[:done])
            refused = await client.get("/")
            assert refused.status_code == 503
            assert refused.headers["Refresh"] == refused.headers["Retry-After"] == str(AGAIN_S)
            share = f"{100 * done / len(every):.0f} %"
            told = f"made from the log: {done} of {len(every)} records, {share}"
            assert told in refused.text
        part.reader.step(HERE, every[done:])
        shown = await client.get("/")
        assert (shown.status_code, "Refresh" in shown.headers) == (200, False), shown.text
    await part.close()
