"""Who loses the keys of contacts loses the people, not the history; a key brings them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.sqlite.sqlite_log import SqliteLog
from tests.support.several_apis import CONTACTS
from tests.support.verbs import ran
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api


@asynccontextmanager
async def served(folder: Path, data_dir: Path | None = None) -> AsyncIterator[Whole]:
    log = SqliteLog(folder / "log.db")
    await log.open()
    try:
        async with whole_api(log, data_dir=data_dir) as api:
            yield api
    finally:
        await log.close()


async def verb(folder: Path, *words: str) -> str:
    return (await ran(folder, *words)).output


async def said(folder: Path, *words: str) -> dict[str, Any]:
    """Return the object that a verb prints."""
    found: dict[str, Any] = orjson.loads(await verb(folder, *words))
    return found


async def test_without_keys_the_history_stays_and_the_people_come_back_with_them(
    tmp_path: Path,
) -> None:
    number = CONTACTS[0]["phone_number"]
    async with served(tmp_path) as api:
        campaign_id = await api.create(contacts=CONTACTS)
        assert number in str(await api.get(f"{campaign_id}/contacts"))
    assert number.encode() not in (tmp_path / "log.db").read_bytes()
    kept = (tmp_path / "keys.db").read_bytes()
    (tmp_path / "keys.db").unlink()
    seal = (str(tmp_path / "key"), str(tmp_path / "seals"))
    await verb(tmp_path, "verify")
    await verb(tmp_path, "seal", "--new-key", seal[0])
    await verb(tmp_path, "seal", "--key", seal[0], "--out", seal[1])
    await verb(tmp_path, "verify", "--public-key", f"{seal[0]}.pub", "--seal", seal[1])
    await verb(tmp_path, "timeline", str(campaign_id))
    async with served(tmp_path) as api:
        assert (await api.get(str(campaign_id)))["id"] == campaign_id
        answer = await api.client.get(f"{CAMPAIGNS}/{campaign_id}/contacts")
        assert answer.status_code == 503, "nobody counts as forgotten"
        assert "of a list of contacts is missing" in answer.text
        (tmp_path / "keys.db").write_bytes(kept)
        assert number in str(await api.get(f"{campaign_id}/contacts"))


@pytest.mark.parametrize("indexed", [True, False])
async def test_why_says_of_a_missing_key_what_views_and_the_dialer_say(
    tmp_path: Path, indexed: bool
) -> None:
    """`indexed`: the verb asks the projector's store; otherwise it reads the log."""
    views = tmp_path if indexed else None
    async with served(tmp_path, views) as api:
        campaign_id = await api.create(contacts=CONTACTS)
        answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/start")
        assert answer.status_code == 200, answer.text
        called = await said(tmp_path, "why", str(campaign_id), "1", "--json")
        assert called["now"]["gate"] is None
    kept = (tmp_path / "keys.db").read_bytes()
    (tmp_path / "keys.db").unlink()
    async with served(tmp_path, views) as api:
        missing = (await api.get(f"{campaign_id}/contacts/1/why"))["now"]
        assert missing["gate"] == "key-missing"
        assert "of a list of contacts is missing" in missing["text"]
        idle = (await api.get(f"{campaign_id}/progress"))["idle"]
        assert (idle["gate"], idle["text"]) == (missing["gate"], missing["text"])
        told = (await said(tmp_path, "why", str(campaign_id), "1", "--json"))["now"]
        untimed = {"retry_at": None}
        assert told | untimed == missing | untimed
        (tmp_path / "keys.db").write_bytes(kept)
        assert (await api.get(f"{campaign_id}/contacts/1/why"))["now"]["gate"] is None
        assert (await said(tmp_path, "why", str(campaign_id), "1", "--json"))["now"]["may_call"]
