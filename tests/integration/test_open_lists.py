"""Lists whose create fails half-way are closed and dropped; a list is counted or dropped, once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignType,
    ContactsAdded,
    ImportFailed,
    ImportStarted,
    ListClosed,
)
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.log.port import EventLog, MemoryLog, OnRefusal
from campaigns.personal.row_reader import row_of
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.record import Record
from campaigns.records.topics import Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from command_api.commands.create import CreateCampaign
from command_api.creator import Creator
from command_api.imports.add_contacts import add_contacts
from command_api.imports.rows import contacts_added
from command_api.open_lists import OpenLists
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from tests.support.import_world import CAMPAIGN_ID, ORIGIN, PARTITION, ImportWorld, world
from tests.support.on_kafka import opened

ROWS = [
    Row(phone_number=f"+1555{n:07}", variables={"notes": "x" * 5000, "name": f"N{n}"})
    for n in range(120)
]  # Some ten chunks, and more than one record.


class GatedLog:
    """A log that refuses records with some facts, or holds them back."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.shut: Callable[[AnyFact], bool] = lambda _: False
        self.waits: Callable[[AnyFact], bool] = lambda _: False
        self.waiting, self.open = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:  # Any: whatever the log has.
        return getattr(self._log, name)

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        if any(map(self.shut, record.facts)):
            raise LogUnavailableError("a test has shut the log")
        if any(map(self.waits, record.facts)):
            self.waiting.set()
            await self.open.wait()
        await self._log.append(partition, record, key, refused)


def is_a(*kinds: type[AnyFact]) -> Callable[[AnyFact], bool]:
    return lambda fact: isinstance(fact, kinds)


@asynccontextmanager
async def instance(log: EventLog, *, level: int = 3) -> AsyncIterator[tuple[ImportWorld, GatedLog]]:
    """Run an instance on a gated log of its own, once it has read what is there."""
    door = GatedLog(log)
    async with world(door, with_campaign=False) as made:  # type: ignore[arg-type]
        await settled(made)
        made.reader.installation.level = level  # Once its reader has taken the log's own.
        yield made, door


async def settled(*worlds: ImportWorld) -> None:
    for one in worlds:
        await one.reader.catch_up([PARTITION], within_s=20)


async def create(w: ImportWorld, name: str = "A") -> Any:
    creating = Creator(w.writer, 1, sqlite3.connect(":memory:"), w.lists)
    command = CreateCampaign(
        organization_id=7, assistant_id=1, name=name, description=None,
        campaign_type=CampaignType.CALL, welcome_message_template=None, agenda_template=None,
        end_call_message_template=None, sms_message_template=None, fallback_values={},
        variable_mappings={}, available_variables=(), settings=CampaignSettings(),
        phone_number_id=None, pending_import=None, now=w.clock.now(),
    )  # fmt: skip
    try:
        return await creating.create(command, ROWS, ORIGIN)
    finally:
        creating.db.close()


async def facts(w: ImportWorld, kind: type[AnyFact]) -> list[Any]:
    return [fact for some in await w.records() for fact in some if isinstance(fact, kind)]


def rows_of(w: ImportWorld) -> int:
    return int(w.contacts._db.execute("select count(*) from rows").fetchone()[0])


async def half_a_create(w: ImportWorld, door: GatedLog) -> None:
    door.shut = is_a(CampaignCreated)
    with pytest.raises(LogUnavailableError):
        await create(w)
    door.shut = is_a()


async def test_a_create_that_fails_half_way_leaves_no_row_anywhere() -> None:
    log = MemoryLog()
    async with instance(log) as (w, door), instance(log) as (other, _):
        await half_a_create(w, door)
        await settled(w, other)
        assert rows_of(w) == rows_of(other) == len(ROWS), "what is to be dropped is there"
        await w.lists.close_dead(stale_s=1e9)  # Its own list: no need to wait.
        await settled(w, other)
        assert rows_of(w) == rows_of(other) == 0
        (closed,) = await facts(w, ListClosed)
        assert not closed.counts
        async with instance(log) as (anew, _):
            assert rows_of(anew) == 0
            assert not anew.contacts.open_lists()


class Unlisted(dict[int, Campaign]):
    """Campaigns that may be looked up, and are too many to look at."""

    def values(self) -> Any:  # Any: it never returns.
        raise AssertionError("a check looked at all campaigns")


@pytest.mark.parametrize("announced", [False, True])
async def test_a_check_looks_only_at_campaigns_with_an_import_in_progress(announced: bool) -> None:
    log = MemoryLog()
    async with world(log):
        pass  # There is a campaign.
    async with instance(log) as (w, door):
        await half_a_create(w, door)
        w.campaigns.by_id = Unlisted(w.campaigns.by_id)
        names: Any = {"campaign_id": CAMPAIGN_ID, "import_id": "announced", "number": 1}
        if announced:
            now, chunk = w.clock.now(), contacts_added("announced", 1, ROWS[:3])
            await w.offer(ImportStarted(**names, file_name=None, rows=6, started_at=now), chunk)
        assert [c.campaign_id for c in w.campaigns.importing()] == [CAMPAIGN_ID] * announced
        await w.lists.close_dead(stale_s=1e9)
        assert rows_of(w) == 3 * announced, "the dead list is closed, the announced one is not"
        if announced:
            await w.offer(ImportFailed(**names, reason="a test", failed_at=w.clock.now()))
        assert not list(w.campaigns.importing())


@pytest.mark.parametrize("stale_s", [0.05, 1e6])
async def test_a_list_whose_upload_died_is_closed_once_it_is_stale(stale_s: float) -> None:
    log = MemoryLog()
    async with instance(log) as (w, door):
        await half_a_create(w, door)
    async with instance(log) as (other, _):
        other.lists = OpenLists(other, stale_s)
        checking = asyncio.create_task(other.lists.run(check_s=0.01))
        if stale_s < 1:
            async with asyncio.timeout(30):
                while rows_of(other):
                    await asyncio.sleep(0.01)
            (closed,) = await facts(other, ListClosed)
            assert not closed.counts
        else:
            checks: list[int] = []
            place = other.lists._place
            other.lists._place = lambda import_id: checks.append(1) or place(import_id)  # type: ignore[method-assign,func-returns-value]  # Counts the checks.
            while len(checks) < 20 and rows_of(other):
                await asyncio.sleep(0.01)
            assert rows_of(other) == len(ROWS)
        checking.cancel()


async def test_the_command_api_takes_how_long_a_list_may_stand_still_from_its_setting() -> None:
    settings = CommandApiSettings(list_stale_s=40.0)
    assert CommandApi(MemoryLog(), SystemClock(), settings, None).lists.stale_s == 40.0
    with pytest.raises(ValidationError, match="list_stale_s: expected more than tries_s"):
        CommandApiSettings(list_stale_s=15.0)


async def test_the_list_of_an_instance_that_died_is_closed_once_by_whoever_comes() -> None:
    log = MemoryLog()
    async with instance(log) as (w, door):
        await half_a_create(w, door)
    async with instance(log) as (one, _), instance(log) as (two, _):
        await asyncio.gather(*(each.lists.close_dead(stale_s=1e9) for each in (one, two)))
        assert not await facts(one, ListClosed), "it might be on its way yet"
        await asyncio.gather(*(each.lists.close_dead(stale_s=0.0) for each in (one, two)))
        await settled(one, two)
        assert rows_of(one) == rows_of(two) == 0
        await asyncio.gather(*(each.lists.close_dead(stale_s=0.0) for each in (one, two)))
        assert [fact.counts for fact in await facts(one, ListClosed)] == [False]


async def test_a_list_that_counts_is_closed_by_that_and_by_nothing_else() -> None:
    log = MemoryLog()
    async with instance(log) as (w, _):
        campaign, _ruling = await create(w)
        await w.lists.close_dead(stale_s=0.0)
        await w.lists.close_dead(stale_s=0.0)
        assert [fact.counts for fact in await facts(w, ListClosed)] == [True]
        assert campaign.contacts_end == rows_of(w) == len(ROWS)


async def test_below_its_level_nothing_is_written_and_nothing_dropped() -> None:
    log = MemoryLog()
    async with instance(log, level=2) as (w, door):
        await half_a_create(w, door)
        await create(w, "B")
        assert not w.lists.closes
        assert not await facts(w, ListClosed)
        assert rows_of(w) == 2 * len(ROWS)


@asynccontextmanager
async def some_log(which: str, tmp_path: Path, servers: str | None) -> AsyncIterator[EventLog]:
    async with AsyncExitStack() as stack:
        if which == "kafka":
            assert servers is not None, "asked for"
            name = f"lists{tmp_path.name[-6:].replace('_', '')}."
            yield await stack.enter_async_context(opened(servers, name, partitions=1))
            return
        log = MemoryLog() if which == "memory" else SqliteLog(tmp_path / "log.db", 1)
        await log.open()
        stack.push_async_callback(log.close)
        yield log


LOGS = ["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> str | None:
    which = request.node.callspec.params["which"]
    return str(request.getfixturevalue("kafka_servers")) if which == "kafka" else None


@pytest.mark.parametrize("which", LOGS)
async def test_a_create_that_comes_after_its_list_was_abandoned_is_refused(
    which: str, tmp_path: Path, servers: str | None
) -> None:
    async with (
        some_log(which, tmp_path, servers) as log,
        instance(log) as (slow, door),
        instance(log) as (other, _),
    ):
        door.waits = is_a(CampaignCreated)
        creating = asyncio.create_task(create(slow))
        await door.waiting.wait()
        await settled(other)
        (dead,) = other.contacts.open_lists()
        for _ in range(2):
            await other.lists.close_dead(stale_s=0.0)
        door.open.set()  # The create that was decided before is appended now.
        campaign, _ruling = await creating
        await settled(slow, other)
        (created,) = await facts(slow, CampaignCreated)
        assert created.import_id != dead, "the list was appended again"
        closed = {fact.import_id: fact.counts for fact in await facts(slow, ListClosed)}
        assert closed == {dead: False, created.import_id: True}
        for one in (slow, other):
            assert rows_of(one) == campaign.contacts_end == len(ROWS)
            stored = one.contacts.row(campaign.campaign_id, len(ROWS))
            assert stored is not None
            assert row_of(one.log.list_keys, stored) == ROWS[-1]


@pytest.mark.parametrize("which", LOGS)
async def test_an_abandonment_that_comes_after_the_create_is_refused(
    which: str, tmp_path: Path, servers: str | None
) -> None:
    async with (
        some_log(which, tmp_path, servers) as log,
        instance(log) as (slow, door),
        instance(log) as (other, hasty),
    ):
        door.waits = is_a(CampaignCreated)
        hasty.waits = is_a(ListClosed)
        creating = asyncio.create_task(create(slow))
        await door.waiting.wait()
        await settled(other)
        await other.lists.close_dead(stale_s=1e9)
        closing = asyncio.create_task(other.lists.close_dead(stale_s=0.0))
        await hasty.waiting.wait()
        door.open.set()
        campaign, _ruling = await creating
        hasty.open.set()
        await closing
        await settled(slow, other)
        assert [fact.counts for fact in await facts(slow, ListClosed)] == [True]
        for one in (slow, other):
            assert rows_of(one) == campaign.contacts_end == len(ROWS)


async def test_contacts_that_are_added_and_fail_half_way_are_dropped_too() -> None:
    log = MemoryLog()
    async with world(log):
        pass  # There is a campaign.
    async with instance(log) as (w, door):
        door.shut = lambda fact: isinstance(fact, ListClosed) and fact.counts
        with pytest.raises(LogUnavailableError):
            await add_contacts(w, CAMPAIGN_ID, 7, ROWS, 0, ORIGIN)
        door.shut = is_a()
        assert rows_of(w) == len(ROWS)
        await w.lists.close_dead(stale_s=1e9)
        assert rows_of(w) == 0
        added = await add_contacts(w, CAMPAIGN_ID, 7, ROWS, 0, ORIGIN)
        assert getattr(added, "rows", None) == rows_of(w) == len(ROWS)


async def test_added_contacts_that_were_taken_for_dead_between_two_chunks_do_not_count() -> None:
    log = MemoryLog()
    async with world(log):
        pass
    async with instance(log) as (frozen, door), instance(log) as (other, _):
        door.waits = lambda fact: isinstance(fact, ContactsAdded) and fact.first_row > 60
        adding = asyncio.create_task(add_contacts(frozen, CAMPAIGN_ID, 7, ROWS, 0, ORIGIN))
        await door.waiting.wait()
        await settled(other)
        for _ in range(2):
            await other.lists.close_dead(stale_s=0.0)
        door.open.set()
        told = await adding
        assert getattr(told, "detail", None) == "The list was given up meanwhile"
        await settled(frozen, other)
        assert rows_of(frozen) == rows_of(other) == 0
        assert frozen.campaign.contacts_end == 0


async def test_an_announced_import_is_left_alone_and_what_comes_behind_its_failure_dropped() -> (
    None
):
    log = MemoryLog()
    async with world(log):
        pass
    async with instance(log) as (w, _):
        now, chunk = w.clock.now(), contacts_added("announced", 1, ROWS[:3])
        names: Any = {"campaign_id": CAMPAIGN_ID, "import_id": "announced", "number": 1}
        await w.offer(ImportStarted(**names, file_name=None, rows=6, started_at=now), chunk)
        for _ in range(3):
            await w.lists.close_dead(stale_s=0.0)
        assert rows_of(w) == 3
        await w.offer(ImportFailed(**names, reason="a test", failed_at=now))
        assert rows_of(w) == 0
        await w.offer(contacts_added("announced", 4, ROWS[3:6]))  # It was on its way.
        assert rows_of(w) == 3
        for _ in range(2):
            await w.lists.close_dead(stale_s=0.0)
        assert rows_of(w) == 0
