"""The one read loop: redelivery, rulings, and waiting for a position."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from campaigns.log.lag import lag_shape
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader, Ruling
from campaigns.process.errors import ContractError, LogCutError, LogUnavailableError, NotFreshError
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import ORGANIZATIONS, Partition
from campaigns.testing.sample_records import FIRST, some_record


@dataclass
class Remembered:
    """A fold that remembers."""

    folded_positions: list[int] = field(default_factory=list)
    batch_ends: list[tuple[Partition, int]] = field(default_factory=list)

    def fold(self, recorded: Recorded) -> None:
        self.folded_positions.append(recorded.position)

    def folded(self, partition: Partition, position: int) -> None:
        self.batch_ends.append((partition, position))


class Unanswering(MemoryLog):
    """A log that does not say where it ends."""

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        await asyncio.Event().wait()
        raise AssertionError("never reached")


class Unreachable(MemoryLog):
    """A log that says it is not there."""

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        raise LogUnavailableError("no broker")


def some(version: int = 0) -> Record:
    """Return a record that is accepted when its campaign has this version."""
    record, _ = some_record(FIRST)
    (fact,) = record.facts
    return Record(
        record.id, record.time, "test", "test", "test", None, {fact.stream: version}, record.facts
    )


def filled(*records: Record | bytes) -> tuple[MemoryLog, list[Recorded]]:
    log = MemoryLog()
    raws = [one if isinstance(one, bytes) else one.encode() for one in records]
    return log, [log.append_bytes(FIRST, raw) for raw in raws]


def test_accepted_records_are_folded_and_others_are_counted() -> None:
    log, records = filled(some(0), some(0), b"foreign", some(1))
    fold = Remembered()
    reader = Reader(log, fold)
    reader.step(FIRST, records)
    assert fold.folded_positions == [1, 4]
    assert fold.batch_ends == [(FIRST, 4)]
    assert (reader.counts.accepted, reader.counts.refused, reader.counts.foreign) == (2, 1, 1)
    assert reader.positions == {FIRST: 4}


async def test_how_far_behind_is_asked_of_the_log() -> None:
    log, records = filled(some(0), some(1))
    reader = Reader(log, Remembered())
    reader.step(FIRST, records[:1])
    assert reader.behind.ends == {}, "it was not asked for"
    await reader.look()
    assert (reader.behind.ends, reader.positions) == ({FIRST: 2}, {FIRST: 1})


def test_redelivery_changes_nothing() -> None:
    log, records = filled(some(0), some(1), some(1), some(2))
    fold = Remembered()
    reader = Reader(log, fold)
    for batch in (records[:2], records[:3], records[1:], records):
        reader.step(FIRST, batch)
    assert fold.folded_positions == [1, 2, 4]
    assert (reader.counts.accepted, reader.counts.refused) == (3, 1)


def test_each_ruling_is_told_once_with_its_place() -> None:
    first, late = some(0), some(0)
    log, records = filled(first, b"foreign", late)
    told: list[Ruling] = []
    reader = Reader(log, Remembered())
    reader.on_ruling |= {first.id: told.append, late.id: told.append}
    reader.step(FIRST, records)
    reader.step(FIRST, records)
    assert told == [Ruling(True, FIRST, 1), Ruling(False, FIRST, 3)]
    assert [ruling.at for ruling in told] == ["0@1", "0@3"]
    assert reader.on_ruling == {}


def test_who_is_told_a_ruling_finds_it_folded() -> None:
    record = some(0)
    log, records = filled(record)
    fold = Remembered()
    reader = Reader(log, fold)
    found: list[tuple[list[int], int]] = []
    reader.on_ruling[record.id] = lambda ruling: found.append(
        (list(fold.folded_positions), reader.positions[FIRST])
    )
    reader.step(FIRST, records)
    assert found == [([1], 1)]


def test_partitions_have_ledgers_of_their_own() -> None:
    log, records = filled(some(0))
    reader = Reader(log, Remembered())
    reader.step(FIRST, records)
    assert reader.ledger(FIRST).versions
    assert not reader.ledger(ORGANIZATIONS).versions


async def test_reached_waits_for_the_position_and_no_longer() -> None:
    log, records = filled(some(0), some(1), some(2))
    reader = Reader(log, Remembered())
    await reader.reached(FIRST, 0)
    waiting = [asyncio.create_task(reader.reached(FIRST, at)) for at in (1, 2, 3)]
    await asyncio.sleep(0)
    reader.step(FIRST, records[:2])
    await asyncio.sleep(0)
    assert [one.done() for one in waiting] == [True, True, False]
    reader.step(FIRST, records)
    await waiting[2]


async def test_one_who_gives_up_waiting_disturbs_nobody() -> None:
    log, records = filled(some(0))
    reader = Reader(log, Remembered())
    waiting = [asyncio.create_task(reader.reached(FIRST, 1)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    reader.step(FIRST, records)
    await waiting[1]
    assert waiting[0].cancelled()


async def test_catching_up_takes_all_that_the_log_held() -> None:
    log, _ = filled(some(0), some(1))
    reader = Reader(log, Remembered())
    following = asyncio.create_task(reader.follow([FIRST, ORGANIZATIONS]))
    await reader.catch_up([FIRST, ORGANIZATIONS], within_s=5)
    assert reader.positions[FIRST] == 2
    log.append_bytes(FIRST, some(2).encode())
    await reader.catch_up([FIRST], within_s=5)
    assert reader.positions[FIRST] == 3
    assert await reader.ready([FIRST, ORGANIZATIONS], within_s=5)
    following.cancel()
    await asyncio.wait([following])


async def test_catching_up_in_vain_says_how_far_it_got() -> None:
    log, records = filled(some(0), some(1))
    reader = Reader(log, Remembered())
    reader.step(FIRST, records[:1])
    with pytest.raises(NotFreshError, match=r"campaign\.records/0@1"):
        await reader.catch_up([FIRST], within_s=0.01)
    assert not await reader.ready([FIRST], within_s=0.01)


async def test_a_log_that_does_not_answer_is_not_waited_for_beyond_the_bound() -> None:
    reader = Reader(Unanswering(), Remembered())
    with pytest.raises(NotFreshError):
        await reader.catch_up([FIRST], within_s=0.01)
    assert not await reader.ready([FIRST], within_s=0.01)


async def test_a_log_that_is_not_there_is_said_to_be_so() -> None:
    reader = Reader(Unreachable(), Remembered())
    with pytest.raises(LogUnavailableError):
        await reader.catch_up([FIRST], within_s=1)
    assert not await reader.ready([FIRST], within_s=1)


async def test_following_begins_at_the_checkpoint() -> None:
    log, _ = filled(some(0), some(1))
    fold = Remembered()
    reader = Reader(log, fold, positions={FIRST: 1})
    reader.ledger(FIRST).versions.update(dict.fromkeys(some().condition, 1))
    following = asyncio.create_task(reader.follow([FIRST]))
    await reader.reached(FIRST, 2)
    assert fold.folded_positions == [2]
    following.cancel()
    await asyncio.wait([following])


async def test_a_checkpoint_beyond_the_log_stops_the_process() -> None:
    log, _ = filled(some(0))
    reader = Reader(log, Remembered(), positions={FIRST: 2})
    with pytest.raises(ExceptionGroup) as stopped:
        await reader.follow([FIRST])
    assert stopped.group_contains(LogCutError)


async def test_a_fact_that_is_not_known_stops_the_process_before_it() -> None:
    unknown = some(1).encode().replace(b"campaign-paused.v1", b"campaign-cloned.v1")
    log, _ = filled(some(0), unknown)

    class Decoding(Remembered):
        def fold(self, recorded: Recorded) -> None:
            assert recorded.facts
            super().fold(recorded)

    fold = Decoding()
    reader = Reader(log, fold)
    with pytest.raises(ExceptionGroup) as stopped:
        await reader.follow([FIRST])
    assert stopped.group_contains(ContractError, match="campaign-cloned.v1")
    assert (fold.folded_positions, reader.positions[FIRST]) == ([1], 1)


async def test_a_lag_is_told_in_records_and_in_the_seconds_that_the_first_has_waited() -> None:
    log, _ = filled(b"foreign", some(), b"foreign", some(1))
    reader = Reader(log, Remembered())
    reader.positions[FIRST] = 0
    later = some().time + timedelta(seconds=90)
    assert not reader.behind.lag(reader.visible, later), "nobody has looked"
    await reader.look()
    assert reader.behind.lag(reader.visible, later) == {FIRST: (4, 90.0)}
    assert lag_shape(reader.behind.lag(reader.visible, later)) == {
        "records": 4, "seconds": 90.0,
        "partitions": {str(FIRST): {"records": 4, "seconds": 90.0}},
    }  # fmt: skip
    assert (
        reader.behind.lag(reader.visible, some().time - timedelta(hours=1))[FIRST].seconds == 0
    ), "clocks differ"
    reader.step(FIRST, await log.read(FIRST, 0, 10))
    assert reader.behind.lag(reader.visible, later) == {FIRST: (0, 0.0)}, "it has caught up since"
    await reader.look()
    assert (reader.behind.lag(reader.visible, later), reader.behind.since) == (
        {FIRST: (0, 0.0)},
        {},
    )


async def test_what_waits_without_a_time_has_no_seconds() -> None:
    log, _ = filled(b"foreign", b"foreign")
    reader = Reader(log, Remembered())
    reader.positions[FIRST] = 1
    await reader.look()
    assert reader.behind.lag(reader.visible, some().time) == {FIRST: (1, 0.0)}
