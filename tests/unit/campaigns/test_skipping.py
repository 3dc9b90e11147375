"""A record that is skipped counts for no reader: not later, not elsewhere, and not in a store."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest

from campaigns.domain.facts import RecordSkipped
from campaigns.log.digest import Chain
from campaigns.log.installation_log import Author, decided, whole
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.process.errors import ContractError, LogCutError, SkippedMeanwhileError
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.installation import Installation, skip_record
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import INSTALLATION, INSTALLATION_KEY, ORGANIZATIONS, Partition
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.testing.sample_records import FIRST, NOON, offered, some_record
from projector.store.view_store import ViewStore
from tests.support.postgres import postgres_url

PAUSED, KEY = some_record(FIRST)
BY = Author("test", "operator")
UNREADABLE = {
    "a fact that nobody knows": PAUSED.encode().replace(b"campaign-paused.v1", b"hold-placed.v1"),
    "data that is not as agreed": PAUSED.encode().replace(b'"a test"', b"7"),
    "a fact on another's stream": PAUSED.encode().replace(b'"campaign_id":1', b'"campaign_id":2'),
    "a level beyond all": b'{"dialgate": 99}',
}


class Ids:
    """A fold that keeps the ids, and looks at the facts as every fold does."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def fold(self, recorded: Recorded) -> None:
        assert recorded.facts
        self.ids.append(recorded.envelope.id)  # type: ignore[union-attr]  # Accepted.

    def folded(self, partition: Partition, position: int) -> None:
        """Nothing to store."""


async def skipped(log: MemoryLog, position: int, partition: Partition = FIRST) -> None:
    (recorded,) = await log.read(partition, position - 1, 1)
    clock = VirtualClock(asyncio.get_running_loop())
    await decided(log, lambda now: skip_record(now, recorded, "a test", clock.now()), BY, clock)


async def read(log: MemoryLog, upto: int, partition: Partition = FIRST) -> tuple[Reader, Ids]:
    """Follow up to a position with a reader that was not there."""
    fold = Ids()
    reader = Reader(log, fold)
    following = asyncio.create_task(reader.follow([partition]))
    reaching = asyncio.create_task(reader.reached(partition, upto))
    await asyncio.wait([following, reaching], return_when=asyncio.FIRST_COMPLETED)
    if following.done():
        reaching.cancel()
        raise following.exception().exceptions[0]  # type: ignore[union-attr]  # A group.
    following.cancel()
    return reader, fold


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_stops_every_reader_stops_none_once_it_is_skipped(what: str) -> None:
    async def main() -> None:
        log = MemoryLog()
        log.append_bytes(FIRST, UNREADABLE[what])
        await log.append(FIRST, PAUSED, KEY)
        with pytest.raises(ContractError, match=r"dialgate skip 0@1 --topic campaign\.records"):
            await read(log, 2)
        await skipped(log, 1)
        for _ in range(2):
            reader, fold = await read(log, 2)
            assert fold.ids == [PAUSED.id], "it rests on a log in which the other never was"
            assert (reader.counts.accepted, reader.counts.refused) == (1, 1)
        await skipped(log, 1)
        assert len((await whole(log)).records) == 1, "once is for good"

    run_virtually(main())


def test_what_says_something_of_an_organization_can_be_skipped_as_well() -> None:
    async def main() -> None:
        log = MemoryLog()
        record, key = some_record(ORGANIZATIONS)
        spoilt = record.encode().replace(b"api-key-created.v1", b"api-key-lent.v1")
        log.append_bytes(ORGANIZATIONS, spoilt)
        await log.append(ORGANIZATIONS, record, key)
        with pytest.raises(ContractError, match="--topic organization"):
            await read(log, 2, ORGANIZATIONS)
        await skipped(log, 1, ORGANIZATIONS)
        _, fold = await read(log, 2, ORGANIZATIONS)
        assert fold.ids == [record.id]

    run_virtually(main())


def test_a_running_reader_starts_over_so_that_it_cannot_differ() -> None:
    """A newer build may have counted it: what it has folded holds no more."""

    async def main() -> None:
        log, fold = MemoryLog(), Ids()
        await log.append(FIRST, PAUSED, KEY)
        reader = Reader(log, fold)
        following = asyncio.create_task(reader.follow([FIRST]))
        await reader.reached(FIRST, 1)
        assert not reader.torn
        await skipped(log, 1)
        with pytest.raises(ExceptionGroup) as stopped:
            await following
        assert stopped.group_contains(SkippedMeanwhileError, match=r"campaign\.records/0@1")
        assert reader.torn, "nothing of it is stored, or decided on"
        _, again = await read(log, 1)
        assert again.ids == []

    run_virtually(main())


def test_another_record_in_the_place_of_one_that_was_skipped_stops_the_reader() -> None:
    async def main() -> None:
        log = MemoryLog()
        log.append_bytes(FIRST, UNREADABLE["a level beyond all"])
        await log.append(INSTALLATION, _skip(1, "0" * 64), INSTALLATION_KEY)
        with pytest.raises(LogCutError, match="0@1: expected the record that was skipped"):
            await read(log, 1)

    run_virtually(main())


def _skip(position: int, digest: str) -> Record:
    return offered(
        RecordSkipped(
            topic=FIRST.topic, partition=0, position=position, digest=digest,
            reason="a test", skipped_at=NOON,
        )
    )  # fmt: skip


def holding(*positions: int) -> Installation:
    installation = Installation()
    for n, position in enumerate(positions):
        fact = _skip(position, "0" * 64).facts[0]
        record = offered(fact, condition_version=n)
        installation.take(Recorded(INSTALLATION, n + 1, record.encode(), 1))
    return installation


@contextmanager
def stored(folder: Path, installation: Installation) -> Iterator[CheckpointStore]:
    store = CheckpointStore(folder / "store.db", "a log", installation)
    yield store
    store.db.execute("commit")
    store.close()


def at(store: CheckpointStore) -> list[int]:
    return [position for (position,) in store.db.execute("select position from positions")]


def test_a_store_that_has_passed_what_was_skipped_since_is_rebuilt(tmp_path: Path) -> None:
    with stored(tmp_path, holding()) as store:
        store.db.execute("insert into positions values (?, 0, 13, x'', x'', 0)", (FIRST.topic,))
    with stored(tmp_path, holding(14)) as store:
        assert at(store) == [13], "it comes to it, and passes over it"
        store.db.execute("update positions set position = 20")
    with stored(tmp_path, holding(14)) as store:
        assert at(store) == [20], "it has passed over it"
    with stored(tmp_path, holding(14, 20)) as store:
        assert at(store) == []
        store.db.execute("insert into positions values (?, 0, 30, x'', x'', 0)", (FIRST.topic,))
    with stored(tmp_path, holding(14, 20)) as store:
        assert at(store) == [30]
    with pytest.raises(LogCutError, match="found no such decision"):
        CheckpointStore(tmp_path / "store.db", "a log", holding(20))


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_views_that_have_passed_what_was_skipped_since_are_rebuilt(
    tmp_path: Path, kind: str
) -> None:
    if kind == "file":
        _views_are_rebuilt(None, tmp_path)
        return
    with postgres_url(tmp_path) as url:
        _views_are_rebuilt(url, tmp_path)


def _views_are_rebuilt(url: str | None, folder: Path) -> None:
    def positions(installation: Installation, then: int | None = None) -> dict[Partition, int]:
        with closing(ViewStore(url, folder)) as views:
            views.belongs_to("a log", publishes=False, installation=installation)
            reader = Reader(MemoryLog(), Ids())
            views.restore(reader, [FIRST])
            if then is not None:
                with views.writing() as tx:
                    views.move(tx, FIRST, 5, then, Chain(), ())
            return reader.positions

    assert positions(holding(), 13) == {}
    assert positions(holding(14), 20) == {FIRST: 13}
    assert positions(holding(14)) == {FIRST: 20}
    assert positions(holding(14, 20), 30) == {}
    with pytest.raises(LogCutError, match="found no such decision"):
        positions(holding(14))


def test_a_store_of_before_skipping_has_skipped_nothing(tmp_path: Path) -> None:
    with stored(tmp_path, holding()) as store:
        store.db.execute("delete from about where name = 'skipped'")
        store.db.execute("insert into positions values (?, 0, 13, x'', x'', 0)", (FIRST.topic,))
    with stored(tmp_path, holding(13)) as store:
        assert at(store) == []
    assert orjson.loads(holding(13).marks) == [[FIRST.topic, 0, 13, "0" * 64]]
