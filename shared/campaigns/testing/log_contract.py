"""What every adapter of a port must do, written once. No business fixtures, and no pytest.

A subclass an adapter (tests/contract): it says how a log is opened, and pytest runs the rest.
"""

# ruff: noqa: D102  (a test's name is its sentence)

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from uuid import uuid4

from campaigns.domain.facts import AnyFact, ApiKeyCreated, CampaignPaused
from campaigns.domain.levels import needed
from campaigns.domain.values.stream_names import Stream
from campaigns.log.port import BATCH_MAX, EventLog
from campaigns.process.errors import LogCutError, LogUnavailableError, UnreadableRecordError
from campaigns.records.record import RECORD_BYTES_MAX, Envelope, Foreign, Record, Recorded
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATION_RECORDS,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = campaign_partition(1, 1)  # The only one, where a test asks for one.


def offered(fact: AnyFact, *, condition_version: int = 0) -> Record:
    """Make a record of one fact, decided on its own stream alone."""
    return Record(
        id=uuid4().hex,
        time=NOON,
        source="test/1",
        actor="test",
        correlation_id="test",
        causation_id=None,
        condition={fact.stream: condition_version},
        facts=(fact,),
        level=needed(fact),
    )


def some_record(partition: Partition, partitions: int = 1) -> tuple[Record, int]:
    """Return a record that belongs in this partition, and its key."""
    if partition.topic == ORGANIZATION_RECORDS:
        key = ApiKeyCreated(organization_id=1, key_hash="0" * 64, key_prefix="dg", created_at=NOON)
        return offered(key), key.organization_id
    campaign_id = partition.number or partitions
    pause = CampaignPaused(campaign_id=campaign_id, reason="a test", paused_at=NOON)
    return offered(pause), campaign_id


async def close(batches: AsyncIterator[Sequence[Recorded]]) -> None:
    """Stop following at once, not when the garbage collector comes."""
    if isinstance(batches, AsyncGenerator):
        await batches.aclose()


async def followed(
    log: EventLog,
    partition: Partition,
    after: int,
    count: int,
    *,
    batch_max: int = BATCH_MAX,
    within_s: float = 20.0,
) -> list[Recorded]:
    """Follow until `count` records behind `after` were given; redelivered ones are passed over.

    Raises:
        TimeoutError: fewer came within `within_s`.

    """
    found: list[Recorded] = []
    position = after
    batches = log.batches(partition, after, batch_max=batch_max)
    try:
        async with asyncio.timeout(within_s):
            async for batch in batches:
                assert 0 < len(batch) <= batch_max, "batches are bounded, and never empty"
                for recorded in batch:
                    if recorded.position > position:
                        assert recorded.position == position + 1, "positions are consecutive"
                        found.append(recorded)
                        position += 1
                if len(found) >= count:
                    return found
    finally:
        await close(batches)
    raise AssertionError("a log is followed for ever")


def ids(records: Sequence[Recorded]) -> list[str]:
    """Return the records' own ids; `foreign` for what is none."""
    return [one.envelope.id if isinstance(one.envelope, Envelope) else "foreign" for one in records]


class LogContract:
    """What every EventLog does, whichever it is. Override the hooks; collect the subclass."""

    shares = True  # Followers at the head are given the same `Recorded`, decoded once.

    def open_log(self, partitions: int) -> AbstractAsyncContextManager[EventLog]:
        """Yield a fresh, empty, open log; close it afterwards."""
        raise NotImplementedError

    def reopen(self, log: EventLog) -> AbstractAsyncContextManager[EventLog]:
        """Yield the same log, opened anew as after a restart. `log` may still be open."""
        raise NotImplementedError

    async def append_bytes(self, log: EventLog, partition: Partition, raw: bytes) -> None:
        """Write any bytes at all, as a stranger may; return once they are in the log."""
        raise NotImplementedError

    async def fill(
        self, log: EventLog, partition: Partition, count: int, partitions: int = 1
    ) -> list[Record]:
        """Append so many records, one after the other; return them in that order."""
        records = []
        for _ in range(count):
            record, key = some_record(partition, partitions)
            await log.append(partition, record, key)
            records.append(record)
        return records

    async def test_positions_count_from_one_without_gaps_in_the_order_of_appends(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 20)
            found = await followed(log, FIRST, 0, 20)
            assert [one.position for one in found] == list(range(1, 21))
            assert ids(found) == [record.id for record in records]
            assert {one.partition for one in found} == {FIRST}

    async def test_a_record_is_read_back_as_the_same_bytes(self) -> None:
        async with self.open_log(1) as log:
            (record,) = await self.fill(log, FIRST, 1)
            (found,) = await followed(log, FIRST, 0, 1)
            assert found.raw == record.encode()
            assert found.facts == record.facts

    async def test_both_topics_keep_records(self) -> None:
        async with self.open_log(1) as log:
            (pause,) = await self.fill(log, FIRST, 1)
            (key,) = await self.fill(log, ORGANIZATIONS, 1)
            assert ids(await followed(log, FIRST, 0, 1)) == [pause.id]
            assert ids(await followed(log, ORGANIZATIONS, 0, 1)) == [key.id]
            assert log.partitions(CAMPAIGN_RECORDS) == log.partitions(ORGANIZATION_RECORDS) == 1

    async def test_partitions_are_independent(self) -> None:
        async with self.open_log(3) as log:
            assert log.partitions(CAMPAIGN_RECORDS) == 3
            every = [Partition(CAMPAIGN_RECORDS, number) for number in range(3)]
            appended = {}
            for count, partition in enumerate(every, start=1):
                appended[partition] = await self.fill(log, partition, count, partitions=3)
            for count, partition in enumerate(every, start=1):
                found = await followed(log, partition, 0, count)
                assert [one.position for one in found] == list(range(1, count + 1))
                assert ids(found) == [record.id for record in appended[partition]]
            assert await log.ends(every) == {every[0]: 1, every[1]: 2, every[2]: 3}

    async def test_a_follower_waits_for_what_is_appended_later(self) -> None:
        async with self.open_log(1) as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 12))
            records = []
            for _ in range(3):
                await asyncio.sleep(0.01)
                records += await self.fill(log, FIRST, 4)
            assert ids(await following) == [record.id for record in records]

    async def test_a_follower_begins_in_the_middle(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 10)
            found = await followed(log, FIRST, 6, 4)
            assert [one.position for one in found] == [7, 8, 9, 10]
            assert ids(found) == [record.id for record in records[6:]]

    async def test_a_follower_begins_at_the_end(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 3)
            await followed(log, FIRST, 0, 3)
            following = asyncio.create_task(followed(log, FIRST, 3, 1))
            await asyncio.sleep(0.02)
            (record,) = await self.fill(log, FIRST, 1)
            (found,) = await following
            assert (ids([found]), found.position) == ([record.id], 4)

    async def test_followers_are_given_the_same(self) -> None:
        async with self.open_log(1) as log:
            met = asyncio.Barrier(3)

            async def follow() -> list[Recorded]:
                found: list[Recorded] = []
                batches = log.batches(FIRST, 0)
                async for batch in batches:
                    waited = not found
                    found += batch
                    if waited:
                        await met.wait()
                    if len(found) >= 11:
                        break
                await close(batches)
                return found

            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                one, other = tasks.create_task(follow()), tasks.create_task(follow())
                await self.fill(log, FIRST, 1)
                await met.wait()
                await self.fill(log, FIRST, 10)
            assert [(r.position, r.raw) for r in one.result()] == [
                (r.position, r.raw) for r in other.result()
            ]
            if self.shares:
                pairs = zip(one.result()[1:], other.result()[1:], strict=True)
                assert all(mine is yours for mine, yours in pairs)

    async def test_a_late_follower_is_given_all_that_an_early_one_has_read(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 30)
            early = await followed(log, FIRST, 0, 30)
            late = await followed(log, FIRST, 0, 30, batch_max=7)
            assert [one.raw for one in late] == [one.raw for one in early]

    async def test_a_slow_follower_misses_nothing_and_holds_up_nobody(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 5)
            slow = log.batches(FIRST, 0, batch_max=1)
            found = list(await anext(slow))
            records = await asyncio.gather(*(self.fill(log, FIRST, 1) for _ in range(100)))
            assert len(await followed(log, FIRST, 0, 105)) == 105
            async with asyncio.timeout(20):
                while len(found) < 105:
                    found += await anext(slow)
            await close(slow)
            assert [one.position for one in found] == list(range(1, 106))
            assert set(ids(found[5:])) == {record.id for (record,) in records}

    async def test_a_follower_may_leave_and_come_back(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 4)
            first = await followed(log, FIRST, 0, 2, batch_max=2)
            await self.fill(log, FIRST, 4)
            rest = await followed(log, FIRST, first[-1].position, 6)
            assert [one.position for one in [*first, *rest]] == list(range(1, 9))

    async def test_the_ends_are_never_below_what_was_read_back(self) -> None:
        async with self.open_log(1) as log:
            assert await log.ends([FIRST, ORGANIZATIONS]) == {FIRST: 0, ORGANIZATIONS: 0}
            for count in range(1, 6):
                await self.fill(log, FIRST, 1)
                await followed(log, FIRST, count - 1, 1)
                assert await log.ends([FIRST, ORGANIZATIONS]) == {FIRST: count, ORGANIZATIONS: 0}

    async def test_many_may_ask_for_the_ends_at_once(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 3)
            await followed(log, FIRST, 0, 3)
            answers = await asyncio.gather(*(log.ends([FIRST]) for _ in range(50)))
            assert all(answer == {FIRST: 3} for answer in answers)

    async def test_read_returns_a_bounded_stretch(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 10)
            await followed(log, FIRST, 0, 10)
            assert ids(await log.read(FIRST, 3, 4)) == [record.id for record in records[3:7]]
            assert [one.position for one in await log.read(FIRST, 8, 100)] == [9, 10]
            assert list(await log.read(FIRST, 10, 100)) == []

    async def test_a_follower_beyond_the_end_is_stopped(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 2)
            await followed(log, FIRST, 0, 2)
            try:
                found = await followed(log, FIRST, 3, 1)
            except LogCutError as exc:
                message = str(exc)
            else:
                raise AssertionError(f"expected LogCutError, found {found}")
            assert str(FIRST) in message

    async def test_concurrent_appends_all_appear_exactly_once(self) -> None:
        async with self.open_log(1) as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 500))
            appended = await asyncio.gather(*(self.fill(log, FIRST, 5) for _ in range(100)))
            place = {name: at for at, name in enumerate(ids(await following))}
            assert set(place) == {record.id for mine in appended for record in mine}
            assert await log.ends([FIRST]) == {FIRST: 500}
            for mine in appended:  # And those of one caller in his order.
                assert all(place[one.id] < place[next_.id] for one, next_ in pairwise(mine))

    async def test_strangers_bytes_are_delivered_as_foreign_and_disturb_nobody(self) -> None:
        strange = [b"", b"\x00\xff", b"{}", b'{"dialgate": true}', b"[" * 5_000]
        async with self.open_log(1) as log:
            (before,) = await self.fill(log, FIRST, 1)
            await followed(log, FIRST, 0, 1)
            for raw in strange:
                await self.append_bytes(log, FIRST, raw)
            (after,) = await self.fill(log, FIRST, 1)
            found = await followed(log, FIRST, 0, 2 + len(strange))
            assert ids(found) == [before.id, *["foreign"] * len(strange), after.id]
            assert [one.raw or b"" for one in found[1:-1]] == strange
            assert all(isinstance(one.envelope, Foreign) for one in found[1:-1])

    async def test_a_record_whose_stream_belongs_elsewhere_is_refused_and_leaves_no_trace(
        self,
    ) -> None:
        async with self.open_log(3) as log:
            ours, another = campaign_partition(1, 3), campaign_partition(2, 3)
            record, key = some_record(ours, 3)
            key_made, organization_id = some_record(ORGANIZATIONS)
            guarded = replace(record, condition={**record.condition, Stream("campaign/2"): 0})
            for misplaced, its_key, partition in (
                (record, key, another),
                (record, key, ORGANIZATIONS),
                (record, key, INSTALLATION),
                (key_made, organization_id, ours),
                (guarded, key, ours),  # A guard is a stream too.
            ):
                try:
                    await log.append(partition, misplaced, its_key)
                except UnreadableRecordError as exc:
                    assert not exc.may_still_take_effect  # noqa: PT017  (no pytest in here)
                else:
                    raise AssertionError(f"{partition} took it")
            nothing = dict.fromkeys((ours, another, ORGANIZATIONS, INSTALLATION), 0)
            assert await log.ends(list(nothing)) == nothing
            await log.append(ours, record, key)
            await log.append(ORGANIZATIONS, key_made, organization_id)
            assert ids(await followed(log, ours, 0, 1)) == [record.id]
            assert ids(await followed(log, ORGANIZATIONS, 0, 1)) == [key_made.id]

    async def test_what_no_reader_could_read_is_refused_and_leaves_no_trace(self) -> None:
        async with self.open_log(1) as log:
            (before,) = await self.fill(log, FIRST, 1)
            record, key = some_record(FIRST)
            for spoilt in (
                replace(record, actor="\ud800"),
                replace(record, condition={}),
                replace(record, correlation_id="x" * RECORD_BYTES_MAX),
            ):
                try:
                    await log.append(FIRST, spoilt, key)
                except UnreadableRecordError as exc:
                    assert not exc.may_still_take_effect  # noqa: PT017  (no pytest in here)
                else:
                    raise AssertionError("it was taken")
            (after,) = await self.fill(log, FIRST, 1)
            assert ids(await followed(log, FIRST, 0, 2)) == [before.id, after.id]
            assert await log.ends([FIRST]) == {FIRST: 2}

    async def test_a_log_that_is_opened_again_has_kept_everything(self) -> None:
        async with self.open_log(2) as log:
            places = [campaign_partition(1, 2), campaign_partition(2, 2), ORGANIZATIONS]
            records = {place: await self.fill(log, place, 5, partitions=2) for place in places}
            for place in places:
                await followed(log, place, 0, 5)
            async with self.reopen(log) as again:
                assert again.id == log.id
                assert await again.ends(places) == dict.fromkeys(places, 5)
                for place in places:
                    found = await followed(again, place, 0, 5)
                    assert ids(found) == [record.id for record in records[place]]
                (more,) = await self.fill(again, places[0], 1, partitions=2)
                (found_more,) = await followed(again, places[0], 5, 1)
                assert (ids([found_more]), found_more.position) == ([more.id], 6)


class CutLogContract(LogContract):
    """What a log does besides whose records can be taken away while it is open."""

    async def cut(self, log: EventLog, partition: Partition, to: int) -> None:
        """Take away what stands behind `to`, as a disk or a restored copy may."""
        raise NotImplementedError

    async def test_who_follows_a_log_that_is_cut_is_stopped_before_what_comes_then(self) -> None:
        """Grown again to less, to as much and to more than was read: nothing of it is given."""
        for grown in (1, 4, 9):
            async with self.open_log(1) as log:
                (end,) = (await log.ends([FIRST])).values()
                await self.fill(log, FIRST, 6)
                batches = log.batches(FIRST, end)
                position = end
                async with asyncio.timeout(20):
                    while position < end + 6:
                        position = (await anext(batches))[-1].position
                    await self.cut(log, FIRST, end + 2)
                    await self._grow(log, grown)
                    try:
                        given = await anext(batches)
                    except LogCutError as exc:
                        message = str(exc)
                    else:
                        raise AssertionError(f"grown by {grown}: expected LogCutError, got {given}")
                assert str(FIRST) in message
                await close(batches)

    async def _grow(self, log: EventLog, count: int) -> None:
        """Have others append: a log that has seen that it was cut takes nothing."""
        for _ in range(count):
            record, _ = some_record(FIRST)
            await self.append_bytes(log, FIRST, record.encode())
        with contextlib.suppress(LogUnavailableError):
            await log.ends([FIRST])
