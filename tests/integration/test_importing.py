"""Lists of contacts on their way in: all or nothing, replaced, deduplicated, given up."""

import asyncio
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import (
    CampaignStopped,
    ContactsAdded,
    ContactsReplaced,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
)
from campaigns.domain.moves import Status
from campaigns.log.port import MemoryLog, OnRefusal
from campaigns.process.errors import LogUnavailableError
from campaigns.records.record import RECORD_BYTES_MAX, Record
from campaigns.records.topics import Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from command_api.imports.abandonment import fail_import, fail_stale_imports
from command_api.imports.add_contacts import add_contacts
from command_api.imports.chunks import Imported, PermissionsOpenError
from command_api.imports.csv_columns import TooManyRowsError, UnusableFileError
from tests.steps import parse_contacts
from tests.support.import_world import CAMPAIGN_ID, ORIGIN, PARTITION, people, world


def imported(found: Imported | Rejected) -> Imported:
    assert isinstance(found, Imported), found
    return found


async def test_a_small_file_is_one_record() -> None:
    async with world() as w:
        done = imported(await w.csv_imports.import_csv(w.csv(people(range(3))), ORIGIN))
        assert (done.number, done.completed, done.rows) == (1, True, 3)
        assert [type(fact) for fact in (await w.records())[-1]] == [ContactsAdded, ImportCompleted]
        assert w.phones() == ["+15550000000", "+15550000001", "+15550000002"]
        assert w.campaign.counters.total == 3
        assert w.campaign.last_import_file_name == "people.csv"
        assert w.campaign.available_variables == ("name",)


async def test_bad_rows_are_counted_and_reported_and_duplicates_skipped() -> None:
    text = "\ufeffphone,name\n5550000001,Ann\nnonsense,Bo\n(555) 000-0001,Cy\n\n555,Di\n"
    async with world() as w:
        done = imported(await w.csv_imports.import_csv(w.csv(text), ORIGIN))
        assert (done.rows, done.skipped.duplicates, done.skipped.unusable) == (1, 1, 2)
        assert [error.line for error in done.skipped.errors] == [3, 6]
        completed = (await w.records())[-1][-1]
        assert isinstance(completed, ImportCompleted)
        assert (completed.rows, completed.skipped, completed.failed) == (1, 1, 2)


async def test_at_most_a_hundred_bad_rows_are_reported() -> None:
    text = "phone\n5550000001\n" + "bad\n" * 300
    async with world() as w:
        done = imported(await w.csv_imports.import_csv(w.csv(text), ORIGIN))
        assert (done.skipped.unusable, len(done.skipped.errors)) == (300, 100)


async def test_a_longer_file_goes_on_in_the_background_and_counts_at_once() -> None:
    async with world() as w:
        done = imported(await w.csv_imports.import_csv(w.csv(people(range(12_000))), ORIGIN))
        assert (done.number, done.completed) == (1, False)
        assert w.campaign.importing is not None
        again = await w.csv_imports.import_csv(w.csv(people(range(3))), ORIGIN)
        assert isinstance(again, Rejected)
        assert again.reason is Reason.IMPORT_IN_PROGRESS
        added = await add_contacts(w, CAMPAIGN_ID, 7, parse_contacts(CONTACTS), 0, ORIGIN)
        assert isinstance(added, Rejected)
        while w.campaign.importing:
            assert w.campaign.counters.total == 0, "nothing counts before all of it does"
            await asyncio.sleep(0.01)
        assert w.campaign.counters.total == 12_000
        facts = [fact for record in await w.records() for fact in record]
        rows = [row for fact in facts if isinstance(fact, ContactsAdded) for row in fact.rows]
        assert len(rows) == 12_000
        assert [row.phone_number for row in rows[:2]] == ["+15550000000", "+15550000001"]
        assert all(
            len(r.raw or b"") <= RECORD_BYTES_MAX for r in await w.log.read(PARTITION, 0, 999)
        )


CONTACTS = [{"phone_number": "5559999999", "name": "Zoe"}]


async def test_a_file_that_fits_into_no_record_but_is_short_is_done_within_the_call() -> None:
    async with world() as w:
        done = imported(await w.csv_imports.import_csv(w.csv(people(range(6000))), ORIGIN))
        assert (done.completed, done.rows, done.number) == (True, 6000, 1)
        assert w.campaign.counters.total == 6000
        assert any(isinstance(r[0], ImportStarted) for r in await w.records())


async def test_a_second_import_replaces_who_was_never_attempted() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1, 2, 3])), ORIGIN)
        await w.start()
        await w.call(2)
        await w.pause()
        done = imported(await w.csv_imports.import_csv(w.csv(people([2, 3, 4])), ORIGIN))
        assert (done.rows, done.skipped.duplicates, done.number) == (2, 1, 2)
        assert [type(fact) for fact in (await w.records())[-1]] == [
            ContactsReplaced,
            ContactsAdded,
            ImportCompleted,
        ]
        assert w.phones() == ["+15550000002", "+15550000003", "+15550000004"]
        assert (w.campaign.counters.total, w.campaign.counters.completed) == (3, 1)


async def test_a_long_import_replaces_too() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1, 2, 3])), ORIGIN)
        await w.start()
        await w.call(2)
        await w.pause()
        done = imported(await w.csv_imports.import_csv(w.csv(people(range(5000))), ORIGIN))
        assert (done.rows, done.skipped.duplicates) == (4999, 1)
        assert w.campaign.counters.total == 5000
        assert w.phones()[0] == "+15550000002"


async def test_an_import_of_none_but_known_numbers_replaces_the_rest() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1, 2])), ORIGIN)
        await w.start()
        await w.call(1)
        await w.pause()
        done = imported(await w.csv_imports.import_csv(w.csv(people([1])), ORIGIN))
        assert (done.rows, done.skipped.duplicates) == (0, 1)
        await add_contacts(w, CAMPAIGN_ID, 7, parse_contacts(CONTACTS), 0, ORIGIN)
        assert w.phones() == ["+15550000001", "+15559999999"]


async def test_an_open_permission_is_waited_for_and_then_refuses_the_import() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1, 2])), ORIGIN)
        await w.start()
        await w.call(1, answered=False)
        await w.pause()
        before = await w.log.ends([PARTITION])
        with pytest.raises(PermissionsOpenError) as open_still:
            await w.csv_imports.import_csv(w.csv(people([3])), ORIGIN)
        assert w.waits == 1
        assert not open_still.value.may_still_take_effect
        assert await w.log.ends([PARTITION]) == before


async def test_an_import_is_refused_while_calls_may_be_requested() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1])), ORIGIN)
        await w.start()
        no = await w.csv_imports.import_csv(w.csv(people([2])), ORIGIN)
        assert isinstance(no, Rejected)
        assert no.reason is Reason.WRONG_STATUS
        added = imported(await add_contacts(w, CAMPAIGN_ID, 7, parse_contacts(CONTACTS), 0, ORIGIN))
        assert (added.number, added.rows) == (None, 1)
        assert w.campaign.status is Status.RUNNING


async def test_contacts_are_appended_and_known_numbers_skipped() -> None:
    async with world() as w:
        many = parse_contacts([{"phone_number": f"555{n:07d}", "name": "Ann"} for n in range(9000)])
        done = imported(await add_contacts(w, CAMPAIGN_ID, 7, many, 0, ORIGIN))
        assert (done.rows, w.campaign.counters.total) == (9000, 9000)
        again = imported(await add_contacts(w, CAMPAIGN_ID, 7, many[:10], 5, ORIGIN))
        assert (again.rows, again.skipped.duplicates) == (0, 15)
        before = await w.log.ends([PARTITION])
        nobody = imported(await add_contacts(w, CAMPAIGN_ID, 7, [], 0, ORIGIN))
        assert nobody.rows == 0
        assert await w.log.ends([PARTITION]) == before


async def test_two_appends_at_once_add_a_number_once() -> None:
    async with world() as w:
        rows = parse_contacts(CONTACTS)
        done = await asyncio.gather(
            *(add_contacts(w, CAMPAIGN_ID, 7, rows, 0, ORIGIN) for _ in range(5))
        )
        assert sorted(imported(one).rows for one in done) == [0, 0, 0, 0, 1]
        assert w.phones() == ["+15559999999"]


async def test_two_imports_at_once_both_count_the_later_replacing_the_earlier() -> None:
    async with world() as w:
        done = await asyncio.gather(
            *(w.csv_imports.import_csv(w.csv(people([n])), ORIGIN) for n in range(3))
        )
        assert sorted(imported(one).number or 0 for one in done) == [1, 2, 3]
        assert len(w.phones()) == 1
        assert w.campaign.counters.total == 1


async def test_too_many_rows_are_found_before_anything_is_recorded() -> None:
    async with world() as w:
        before = await w.log.ends([PARTITION])
        with pytest.raises(TooManyRowsError, match="more than 20 rows"):
            await w.csv_imports.import_csv(w.csv(people(range(21)), rows_max=20), ORIGIN)
        imported(await w.csv_imports.import_csv(w.csv(people(range(20)), rows_max=20), ORIGIN))
        with pytest.raises(UnusableFileError, match="no usable row"):
            await w.csv_imports.import_csv(w.csv("phone\nnonsense\n"), ORIGIN)
        assert (await w.log.ends([PARTITION]))[PARTITION] == before[PARTITION] + 1


async def test_a_stopped_campaign_fails_the_import_under_way() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people([1])), ORIGIN)
        await w.start()
        await w.pause()
        await w.csv_imports.import_csv(w.csv(people(range(11_000))), ORIGIN)
        stopped = CampaignStopped(campaign_id=CAMPAIGN_ID, reason=None, stopped_at=w.clock.now())
        await w.offer(stopped)
        while w.campaign.importing:
            await asyncio.sleep(0.01)
        assert isinstance((await w.records())[-1][0], ImportFailed)
        assert w.campaign.counters.total == 1


class Flaky(MemoryLog):
    """A log that loses some acknowledgements, or takes nothing for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = 0
        self.down = False

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        self.appends += 1
        if self.down:
            raise LogUnavailableError("down")
        await super().append(partition, record, key, refused)


async def test_a_chunk_that_the_log_did_not_take_is_sent_again() -> None:
    log = Flaky()
    async with world(log) as w:
        await w.csv_imports.import_csv(w.csv(people(range(11_000))), ORIGIN)
        while log.appends < 5:
            await asyncio.sleep(0)
        log.down = True
        await asyncio.sleep(0.5)
        assert w.campaign.importing
        log.down = False
        while w.campaign.importing:
            await asyncio.sleep(0.01)
        assert w.campaign.counters.total == 11_000


async def test_an_import_whose_server_died_counts_for_nothing_and_is_given_up() -> None:
    log = MemoryLog()
    async with world(log) as first:
        await first.csv_imports.import_csv(first.csv(people(range(20_000))), ORIGIN)
        while len(await log.read(PARTITION, 0, 99)) < 6:
            await asyncio.sleep(0)
    async with world(log, with_campaign=False) as second:
        await second.reader.catch_up([PARTITION], within_s=20)
        assert second.campaign.importing is not None
        stale = asyncio.create_task(fail_stale_imports(second, stale_s=0.2, check_s=0.02))
        while second.campaign.importing:
            await asyncio.sleep(0.01)
        stale.cancel()
        assert (second.campaign.counters.total, second.campaign.contacts_end) == (0, 0)
        (failed,) = (await second.records())[-1]
        assert isinstance(failed, ImportFailed)
        assert "0.2 s" in failed.reason
        done = imported(await second.csv_imports.import_csv(second.csv(people([1])), ORIGIN))
        assert (done.number, done.rows) == (2, 1)


class Slow(MemoryLog):
    """A log on which each record takes a while."""

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        await asyncio.sleep(0.03)
        await super().append(partition, record, key, refused)


async def test_an_import_that_still_moves_is_not_given_up() -> None:
    stale_s = 2.0  # Much longer than one chunk takes, and shorter than all of them.
    async with world(Slow()) as w, asyncio.TaskGroup() as tasks:
        stale = tasks.create_task(fail_stale_imports(w, stale_s=stale_s, check_s=0.02))
        began = w.clock.monotonic()
        await w.csv_imports.import_csv(w.csv(people(range(60_000))), ORIGIN)
        while w.campaign.importing:
            await asyncio.sleep(0.01)
        took_s = w.clock.monotonic() - began
        stale.cancel()
        assert w.campaign.counters.total == 60_000
    assert took_s > stale_s, "vacuous: it was over before it could be stale"


async def test_who_was_given_up_by_another_stops_and_counts_for_nothing() -> None:
    async with world() as w:
        await w.csv_imports.import_csv(w.csv(people(range(30_000))), ORIGIN)
        while len(await w.log.read(PARTITION, 0, 99)) < 4:
            await asyncio.sleep(0)
        assert w.campaign.importing is not None
        under_way = w.campaign.importing.import_id
        assert await fail_import(w, CAMPAIGN_ID, under_way, "a test", ORIGIN)
        end = (await w.log.ends([PARTITION]))[PARTITION]
        await asyncio.sleep(0.3)
        assert (await w.log.ends([PARTITION]))[PARTITION] <= end + 1
        assert w.campaign.counters.total == 0


async def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """100,000 rows as objects would take some 100 MB.

    What may grow is the set of the numbers seen, an integer each: a table of 2^18 slots of 16
    bytes, while it doubles a half of that again, and 32 bytes an integer: 9 MB. A slice, a chunk
    (64 KiB) and its record in the log, the fold and the file's buffers: some 5 MB.
    """
    path = tmp_path / "people.csv"
    with path.open("w") as text:
        text.write("phone,name,city\n")
        text.writelines(f"555{n:07d},Ann {n},Bern\n" for n in range(100_000))
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    async with world(log) as w:
        with path.open("rb") as file:
            given = replace(w.csv(""), file=file)
            tracemalloc.start()
            done = imported(await w.csv_imports.import_csv(given, ORIGIN))
            assert not done.completed
        while w.campaign.importing:
            await asyncio.sleep(0.05)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert w.campaign.counters.total == 100_000
        assert peak < 20 * 1024 * 1024
    await log.close()
