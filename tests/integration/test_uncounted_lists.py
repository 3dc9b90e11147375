"""A list that will never count is forgotten as a whole: no erasure could name the people in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ListClosed,
)
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.http.size_limits import Limits
from campaigns.log.installation_log import Author, decided
from campaigns.log.port import MemoryLog
from campaigns.personal.list_keys import ListKey, ListKeys
from campaigns.personal.row_cipher import contacts_encrypted, encrypted
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.records.installation import raise_level
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON
from command_api import eraser
from dialgate.part_names import PARTS
from tests.integration.test_open_lists import GatedLog, is_a
from tests.integration.test_retention import warnings
from tests.integration.test_revealed_log import (  # noqa: F401
    ADA,
    EVE,
    Lists,
    forget,
    lists,
)
from tests.support.waiting import until
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

NOTES = "x" * 5000
PEOPLE: list[dict[str, Any]] = [  # Any: JSON. Some six chunks, and more than one record.
    {"phone_number": f"+1415555{n:04}", "name": f"N{n}", "variables": {"notes": NOTES}}
    for n in range(80)
]
ROOMY = Limits(body_max_bytes=2_000_000, upload_max_bytes=2_000_000)


@asynccontextmanager
async def behind_a_door() -> AsyncIterator[tuple[Whole, GatedLog, ListKeys]]:
    log = MemoryLog(1)
    door = GatedLog(log)
    async with whole_api(door, limits=ROOMY) as api:  # type: ignore[arg-type]  # It is a log.
        assert log.list_keys is not None
        yield api, door, log.list_keys


def keys_of(door: GatedLog) -> dict[str, str]:
    """Return the keys of the lists in the log, in their order."""
    return {fact.import_id: fact.key_id for fact in told(door, ContactsEncrypted)}


def told(door: GatedLog, kind: type[AnyFact]) -> list[Any]:
    log = door._log
    assert isinstance(log, MemoryLog)
    every = (one for records in log._records.values() for one in records)
    return [fact for one in every for fact in one.facts if isinstance(fact, kind)]


async def send(api: Whole, way: str, campaign_id: int | None) -> httpx.Response:
    """Give the people to a campaign, which a create makes."""
    if way == "create":
        return await api.client.post(CAMPAIGNS, json=BODY | {"contacts": PEOPLE})
    at = f"{CAMPAIGNS}/{campaign_id}"
    if way == "add":
        return await api.client.post(f"{at}/contacts", json={"contacts": PEOPLE})
    lines = [f"{person['phone_number']},{person['name']},{NOTES}" for person in PEOPLE]
    file = "\n".join(["phone,name,notes", *lines])
    return await api.client.post(
        f"{at}/import-data", files={"file": ("people.csv", file, "text/csv")}
    )


@pytest.mark.parametrize("way", ["create", "add", "csv"])
async def test_the_key_of_a_list_that_never_counts_is_deleted_and_no_other(
    way: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eraser.logger, "filters", [])
    async with behind_a_door() as (api, door, keys):
        campaign = None if way == "create" else await api.create()
        door.shut = is_a(CampaignCreated, ImportCompleted)
        assert (await send(api, way, campaign)).status_code == 503
        door.shut = is_a()
        ((failed, key_id),) = keys_of(door).items()
        await api.commands.lists.close_dead(stale_s=1e9)
        await until(lambda: keys.store.find(key_id) is None)
        (end,) = told(door, ImportFailed if way == "csv" else ListClosed)
        assert end.import_id == failed, "a fact says so, and no time has passed"

        again = await send(api, way, campaign)
        assert again.is_success, again.text
        campaign = campaign or again.json()["id"]
        items = (await api.get(f"{campaign}/contacts"))["items"]
        assert {one["name"] for one in items} <= {one["name"] for one in PEOPLE}
        assert (await api.get(f"{campaign}/contacts"))["total"] == len(PEOPLE)
        (counted,) = set(keys_of(door).values()) - {key_id}
        assert keys.store.find(counted) is not None

        await keys.named([key_id])  # It is there again, as from a backup.
        assert keys.store.find(key_id) is not None
        starts = eraser.Eraser(api.commands)
        starts.open(api.commands.store.db)
        assert await starts.forget_all() == 1
        assert (keys.store.find(key_id), keys.store.find(counted) is None) == (None, False)
        assert not [one for one in warnings(caplog) if "key" in one], "it is as it should be"


async def test_a_create_that_was_taken_for_dead_is_written_again_with_another_key() -> None:
    async with behind_a_door() as (api, door, keys):
        door.waits = is_a(CampaignCreated)
        creating = asyncio.create_task(send(api, "create", None))
        await door.waiting.wait()
        for _ in range(2):
            await api.commands.lists.close_dead(stale_s=0.0)
        (dead,) = keys_of(door).values()
        await until(lambda: keys.store.find(dead) is None)
        door.open.set()
        answer = await creating
        assert answer.status_code == 200, answer.text
        _, counted = keys_of(door).values()
        assert keys.store.find(counted) is not None
        (first, *_) = (await api.get(f"{answer.json()['id']}/contacts"))["items"]
        assert first["phone_number"] == PEOPLE[0]["phone_number"]


@pytest.fixture
async def gone(lists: Lists) -> ListKey:  # noqa: F811
    """Write a list more: Eve is in it, it never counts, its key is still there. Return the key."""
    log = SqliteLog(lists.folder / "log.db")
    await log.open()
    assert log.list_keys is not None
    key = await log.list_keys.take()
    await log.close()
    rows = encrypted(key.tree, key.key_id, 1, (EVE,))
    await lists.write(
        contacts_encrypted("c", 1, key.key_id, rows),
        ListClosed(import_id="c", counts=False, closed_at=NOON),
    )
    return key


def wrapped(lists: Lists, key: ListKey) -> str | None:  # noqa: F811
    keys = SqliteLog(lists.folder / "log.db").list_keys
    assert keys is not None
    return keys.store.find(key.key_id)


async def test_no_verb_shows_who_is_in_a_list_that_never_counts(
    lists: Lists,  # noqa: F811
    gone: ListKey,
) -> None:
    """Whether its key is still there or not, it is erased: no key is missing."""
    for there in (True, False):
        assert (wrapped(lists, gone) is not None) is there
        first, second, third = await lists.opened()
        assert first[0]["phone_number"] == ADA.phone_number, "others are shown"
        assert second[0]["phone_number"] == EVE.phone_number
        assert third == [{"erased": True}]
        text = await lists.said("log --reveal --type contacts-encrypted")
        assert "list c, encrypted: erased." in text
        tables = lists.folder / f"tables{there}"
        assert "left out" not in await lists.said(f"export --parquet {tables}")
        if there:
            await lists.said(f"seal --new-key {lists.folder}/key")
        sealed = lists.folder / f"seals{there}"
        await lists.said(f"seal --key {lists.folder}/key --out {sealed}")
        await lists.said(
            f"proof --seal {sealed} --number {ADA.phone_number} --out {lists.folder}/p{there}"
        )
        await forget(lists, gone)


async def test_an_erasure_deletes_the_keys_of_lists_that_never_count(
    lists: Lists,  # noqa: F811
    gone: ListKey,
) -> None:
    """Where no command API has run since: whoever erases a number has it nowhere any more."""
    log = SqliteLog(lists.folder / "log.db")
    await log.open()
    by = Author("test", "test")
    await decided(log, lambda now: raise_level(now, LEVEL_NEWEST, NOON), by, SystemClock())
    await log.close()
    said = await lists.said(f"erase --number {EVE.phone_number} --yes --json")
    assert orjson.loads(said.splitlines()[-1])["contacts"] == ["1/3", "2/1"]
    assert wrapped(lists, gone) is None
    assert wrapped(lists, lists.one) is not None


async def test_a_backup_of_keys_and_a_moved_log_know_of_lists_that_never_count(
    lists: Lists,  # noqa: F811
    gone: ListKey,
) -> None:
    backup, exported = lists.folder / "keys.jsonl", lists.folder / "exported"
    await lists.said(f"secrets export {backup}")
    await lists.said(f"export {exported}")
    (lists.folder / "keys.db").unlink()
    said = await lists.said(f"secrets import {backup}")
    assert "of 1 lists that the log says are forgotten" in said
    assert wrapped(lists, gone) is None
    assert wrapped(lists, lists.one) is not None
    there = Lists(lists.folder / "there", lists.one, lists.other, [])
    there.folder.mkdir()
    for name in ("keys.db", "master.key"):
        (there.folder / name).write_bytes((lists.folder / name).read_bytes())
    moved = await there.said(f"import --json {exported}")
    shape = next(orjson.loads(one) for one in moved.splitlines() if one.startswith("{"))
    assert shape["lists_without_key"] == 0
    for part in PARTS:
        unlock(there.folder, part)
    assert (await there.opened())[-1] == [{"erased": True}]
