"""The running digest: what it is of, and that a log that was cut and has grown is noticed."""

import asyncio
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from campaigns.domain.campaigns import Campaigns
from campaigns.log.digest import NOTHING, Chain
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.process.errors import LogCutError
from campaigns.records.installation import Installation, skip_record
from campaigns.records.log_entry import Recorded
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.testing.sample_records import FIRST, NOON
from tests.unit.campaigns.test_reader import Remembered, some

STRANGE = b"no record"
TURNS = 200  # Of the event loop: a log in memory is followed to its end in a few.


def log_of(*entries: bytes) -> MemoryLog:
    log = MemoryLog()
    for raw in entries:
        log.append_bytes(FIRST, raw)
    return log


def read(log: MemoryLog) -> Reader:
    reader = Reader(log, Remembered())
    reader.step(FIRST, log._records[FIRST])
    return reader


async def looked_at(reader: Reader, log: MemoryLog) -> None:
    """Go on with another log, as after a restart: first the look, then the following."""
    again = Reader(log, Remembered(), reader.ledgers, reader.positions, reader.chains)
    await again.check()


async def followed(reader: Reader, log: MemoryLog) -> Reader:
    """Go on with another log without the look before: what is read shows it as well."""
    again = Reader(log, Remembered(), reader.ledgers, dict(reader.positions), reader.chains)
    following = asyncio.create_task(again.follow([FIRST]))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    if following.done() and (group := following.exception()):
        assert isinstance(group, ExceptionGroup)
        raise group.exceptions[0]
    following.cancel()
    return again


async def test_the_digest_is_chained_over_the_bytes_of_what_was_accepted() -> None:
    first, refused, second = some(0).encode(), some(5).encode(), some(1).encode()
    reader = read(log_of(first, STRANGE, refused, second, b""))
    expected = NOTHING
    for raw in (first, second):
        expected = sha256(expected + raw).digest()
    assert reader.chains[FIRST] == Chain(expected, sha256(NOTHING + first).digest(), 4)
    assert str(reader.chain(FIRST)) == f"sha256:{expected.hex()}"


async def test_a_copy_without_what_does_not_count_has_the_same_digest() -> None:
    first, second = some(0).encode(), some(1).encode()
    whole, copy = read(log_of(first, first, STRANGE, second)), read(log_of(first, second))
    assert whole.chain(FIRST).digest == copy.chain(FIRST).digest
    assert whole.positions != copy.positions


@pytest.mark.parametrize("change", ["another", "one less", "one more", "in another order"])
async def test_any_other_history_has_another_digest(change: str) -> None:
    raws = [some(n).encode() for n in range(3)]
    others = {
        "another": [*raws[:2], some(2).encode()],
        "one less": raws[:2],
        "one more": [*raws, some(3).encode()],
        "in another order": [raws[1].replace(b":1}", b":0}"), raws[0].replace(b":0}", b":1}")],
    }
    assert read(log_of(*raws)).chain(FIRST).digest != (
        read(log_of(*others[change])).chain(FIRST).digest
    )


CUTS = [(to, grown) for to in (0, 1, 3, 4) for grown in (0, 1, 4 - to, 5 - to, 9) if grown >= 0]


@pytest.mark.parametrize(("to", "grown"), sorted(set(CUTS)))
async def test_a_log_that_was_cut_is_noticed_however_far_it_has_grown(to: int, grown: int) -> None:
    """Five records were read. Cut to nothing, in the middle, just below; grown to less or more."""
    raws = [some(n).encode() for n in range(5)]
    reader = read(log_of(*raws))
    cut = log_of(*raws[:to], *(some(to + n).encode() for n in range(grown)))
    with pytest.raises(LogCutError, match=str(FIRST)):
        await looked_at(reader, cut)
    if grown + to >= 5:
        with pytest.raises(LogCutError, match="@5: expected the record that was accepted there"):
            await followed(reader, cut)


@pytest.mark.parametrize(
    "tail", [[STRANGE], [b""], [some(9).encode()], [STRANGE, some(0).encode()]]
)
async def test_what_counts_in_the_place_of_what_did_not_is_noticed(tail: list[bytes]) -> None:
    """The last entries were no records, or refused: state rests on it that nothing counted."""
    raws = [some(n).encode() for n in range(3)]
    reader = read(log_of(*raws, *tail))
    cut = log_of(*raws, some(3).encode(), STRANGE)
    with pytest.raises(
        LogCutError, match="@4: expected the record that was refused there, found one"
    ):
        await looked_at(reader, cut)
    with pytest.raises(
        LogCutError, match="@4: expected the record that was refused there, found one"
    ):
        await followed(reader, cut)


async def test_before_anything_was_accepted_it_is_noticed_too() -> None:
    reader = read(log_of(STRANGE, some(9).encode()))
    with pytest.raises(LogCutError, match="@2: expected the record that was refused there"):
        await looked_at(reader, log_of(STRANGE, some(0).encode(), some(1).encode()))


@pytest.mark.parametrize("tail", [[], [STRANGE], [b"", some(9).encode(), STRANGE]])
async def test_a_log_that_has_only_grown_is_followed(tail: list[bytes]) -> None:
    raws = [some(n).encode() for n in range(3)]
    reader = read(log_of(*raws, *tail))
    grown = log_of(*raws, *tail, some(3).encode(), some(4).encode())
    await looked_at(reader, grown)
    again = await followed(reader, grown)
    assert again.positions[FIRST] == len(tail) + 5
    assert again.chain(FIRST) == read(grown).chain(FIRST)


async def test_a_record_that_was_skipped_by_decision_is_still_skipped() -> None:
    """Without the decision it would count: its presence is no sign of a cut."""
    raws = [some(n).encode() for n in range(3)]
    log = log_of(*raws)
    skipped = skipping(log._records[FIRST][2])
    reader = Reader(log, Remembered(), installation=skipped)
    reader.step(FIRST, log._records[FIRST])
    assert (reader.positions[FIRST], reader.chain(FIRST).last) == (3, 2)
    again = Reader(log, Remembered(), reader.ledgers, dict(reader.positions), reader.chains)
    again.installation = skipped
    await again.check()
    again.log = log_of(*raws[:2], some(2).encode())
    with pytest.raises(LogCutError, match="@3: expected the record that was skipped"):
        await again.check()


def skipping(recorded: Recorded) -> Installation:
    fact = skip_record(Installation(), recorded, "a test", NOON)
    assert fact is not None
    return Installation(skipped={FIRST: {recorded.position: fact}})


async def test_other_strangers_in_a_stranger_s_place_change_nothing() -> None:
    """Neither counts: nothing that a reader knows depends on which it is."""
    raws = [some(n).encode() for n in range(3)]
    reader = read(log_of(*raws, STRANGE))
    await looked_at(reader, log_of(*raws, b"another", some(3).encode()))


async def test_redelivered_records_are_compared_and_nothing_is_stored_on_others() -> None:
    log = log_of(*(some(n).encode() for n in range(3)))
    reader = read(log)
    reader.step(FIRST, log._records[FIRST])
    with pytest.raises(LogCutError):
        reader.step(FIRST, log_of(*(some(n).encode() for n in range(3)))._records[FIRST])
    assert reader.torn


async def test_the_digest_is_stored_with_the_position(tmp_path: Path) -> None:
    reader = read(log_of(some(0).encode(), STRANGE, some(1).encode()))
    store = CheckpointStore(tmp_path / "store.db", "memory")
    store.save(reader, Campaigns(), 1)
    store.close()
    store, again = (
        CheckpointStore(tmp_path / "store.db", "memory"),
        Reader(reader.log, Remembered()),
    )
    store.restore(again, Campaigns())
    store.close()
    assert (again.positions, again.chains) == (reader.positions, reader.chains)
    assert again.chain(FIRST).last == 3


async def test_a_store_of_before_the_digest_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    CheckpointStore(path, "memory").close()
    with sqlite3.connect(path) as db:
        db.execute("create table if not exists about (name text primary key, value text)")
        db.execute("insert or replace into about values ('schema', '6'), ('log', 'memory')")
        db.execute("drop table positions")
        db.execute("create table positions (topic text, number integer, position integer)")
        db.execute("insert into positions values ('campaign.records', 0, 3)")
    db.close()
    store, reader = CheckpointStore(path, "memory"), Reader(MemoryLog(), Remembered())
    store.restore(reader, Campaigns())
    store.close()
    assert reader.positions == {}
