"""Who loses the keys of contacts loses the people, not the history; a key brings them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from campaigns.sqlite.sqlite_log import SqliteLog
from tests.support.several_apis import CONTACTS
from tests.support.verbs import ran
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Whole]:
    log = SqliteLog(folder / "log.db")
    await log.open()
    try:
        async with whole_api(log) as api:
            yield api
    finally:
        await log.close()


async def verb(folder: Path, *words: str) -> None:
    await ran(folder, *words)


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
