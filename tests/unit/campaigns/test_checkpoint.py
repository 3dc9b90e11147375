"""The checkpoint: state, ledgers and positions are of one moment, or nothing is stored."""

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignFact, CampaignPaused
from campaigns.domain.moves import Status
from campaigns.log.reader import Reader
from campaigns.process.errors import ContractError, LogCutError, StoreUnreadableError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition, campaign_partition
from campaigns.stores.checkpoint import LEDGER_SLICE_MAX, SLICE_MAX, CheckpointStore
from tests.support.journal import Journal

HERE = campaign_partition(1, 1)


class Folding:
    """Folds campaigns as the command API does, and stores them as it does."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self.store = CheckpointStore(folder / "store.db", journal.log.id)
        self.campaigns = Campaigns()
        self.reader = Reader(journal.log, self)
        self.store.restore(self.reader, self.campaigns)

    def fold(self, recorded: Recorded) -> None:
        for fact in recorded.facts:
            assert isinstance(fact, CampaignFact)
            self.campaigns.fold(fact, recorded)

    def folded(self, partition: Partition, position: int) -> None:
        pass

    def stop(self) -> None:
        self.store.save(self.reader, self.campaigns, 1)
        self.store.close()


def newer(paused: Recorded) -> bytes:
    """Return an accepted record as a later version would write it."""
    assert paused.raw is not None
    written = orjson.loads(paused.raw)
    written["facts"][0]["type"] = "campaign-paused.v99"
    return orjson.dumps(written)


def test_a_stop_at_an_unknown_fact_stores_nothing_of_it(tmp_path: Path) -> None:
    """The ledger had counted the record that its reader then stopped at.

    It was stored so, ahead of its position: after the restart the same record was refused as
    decided too late, and passed over in silence.
    """
    journal = Journal()
    journal.create(contacts=0)
    journal.start()
    fact = CampaignPaused(campaign_id=1, reason=None, paused_at=journal.now)
    *known, last = [*journal.records, journal.write(fact)]
    records = [*known, Recorded(HERE, last.position, newer(last), 1)]
    for _ in range(2):
        one = Folding(journal, tmp_path)
        assert one.reader.positions == {}
        with pytest.raises(ContractError, match=r"found 'campaign-paused\.v99'"):
            one.reader.step(HERE, records)
        one.stop()


def test_what_was_folded_whole_is_stored(tmp_path: Path) -> None:
    journal = Journal()
    journal.create(contacts=0)
    journal.start()
    one = Folding(journal, tmp_path)
    one.reader.step(HERE, journal.records)
    one.stop()
    other = Folding(journal, tmp_path)
    assert other.reader.positions == {HERE: 2}
    assert other.campaigns.by_id[1].status is Status.RUNNING
    assert other.reader.ledger(HERE).version(journal.records[1].facts[0].stream) == 2
    other.stop()


@contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """Let no file grow beyond this one's size: its next write fails, in every process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_after_a_save_that_failed_nothing_is_stored_any_more(tmp_path: Path) -> None:
    """A disk was full for a moment, and the process ended, and saved again as it ended.

    The failed commit had taken back what was folded since the last one; the second save stored
    the positions alone, and the next life passed over all those records.
    """
    journal = Journal()
    journal.create(contacts=0)
    journal.start()
    one = Folding(journal, tmp_path)
    one.store.db.execute("create table contacts (id integer primary key)")
    one.stop()
    one = Folding(journal, tmp_path)
    one.store.db.execute("insert into contacts values (1)")  # As a fold does.
    one.reader.step(HERE, journal.records)
    one.store.db.execute("insert into contacts values (2)")
    with full_disk(tmp_path / "store.db-wal"), pytest.raises(sqlite3.OperationalError):
        one.store.save(one.reader, one.campaigns, 1)
    one.store.db.execute("insert into contacts values (3)")
    one.stop()
    other = Folding(journal, tmp_path)
    assert other.reader.positions == {}, "folded again from the start"
    assert other.store.db.execute("select * from contacts").fetchall() == []
    other.reader.step(HERE, journal.records)
    other.stop()
    last = Folding(journal, tmp_path)
    assert last.reader.positions == {HERE: 2}
    last.stop()


def test_a_store_of_another_log_is_rebuilt_and_one_of_a_log_recreated_stops(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    for log_id in ("embedded", "kafka/one/", "kafka/two/#a", "kafka/one/#b"):
        store = CheckpointStore(path, log_id)
        assert store.db.execute("select count(*) from campaigns").fetchone() == (0,)
        store.db.execute("insert into campaigns values (1, 0, x'00')")
        store.db.execute("commit")
        store.close()
    with pytest.raises(LogCutError, match="created again"):
        CheckpointStore(path, "kafka/one/#c")
    store = CheckpointStore(path, "kafka/one/#b")
    assert store.db.execute("select count(*) from campaigns").fetchone() == (1,), "it was kept"
    store.close()


def test_a_damaged_store_is_rebuilt(tmp_path: Path) -> None:
    """It is a cache: what a failing disk has left of it must not keep the service from starting."""
    path = tmp_path / "store.db"
    path.write_bytes(b"what a disk has left of it " * 200)
    store = CheckpointStore(path, "embedded")
    assert store.db.execute("select count(*) from campaigns").fetchone() == (0,)
    store.close()


async def test_a_save_in_slices_lets_others_run_and_commits_at_its_end_alone(
    tmp_path: Path,
) -> None:
    """A save of a thousand active campaigns held the event loop for 187 ms, each second."""
    journal = Journal()
    campaigns = 3 * SLICE_MAX
    for campaign_id in range(1, campaigns + 1):
        journal.create(campaign_id, contacts=0)
    one = Folding(journal, tmp_path)
    one.reader.step(HERE, journal.records)
    again: list[int] = []
    seen: list[tuple[int, int]] = []  # What a reader of the file sees while it is saved.

    async def look() -> None:
        with closing(sqlite3.connect(tmp_path / "store.db")) as beside:
            while not saving.done():
                counted = (
                    "select (select count(*) from campaigns), (select count(*) from positions)"
                )
                seen.append(beside.execute(counted).fetchone())
                if len(seen) == 2:  # Folded in between, of a campaign that was written already.
                    written = one.store.db.execute("select campaign_id from campaigns limit 1")
                    again.extend(*written)
                    journal.start(again[0])
                    one.reader.step(HERE, journal.records)
                await asyncio.sleep(0)

    saving = asyncio.create_task(one.store.save_in_slices(one.reader, one.campaigns, 1))
    await asyncio.gather(saving, look())
    assert len(seen) >= 2
    assert set(seen) == {(0, 0)}, "nothing before the end"
    one.store.close()  # Without another save.
    other = Folding(journal, tmp_path)
    assert other.reader.positions == {HERE: campaigns + 1}
    assert len(other.campaigns.by_id) == campaigns
    assert other.campaigns.by_id[again[0]].status is Status.RUNNING, "state and position agree"
    other.stop()


async def test_no_slice_of_a_save_writes_much(tmp_path: Path) -> None:
    """A slice of 64 states and the last one, with the whole ledger, took 7 ms and more."""
    journal = Journal()
    for campaign_id in range(1, 20 * SLICE_MAX + 1):
        journal.create(campaign_id, contacts=0)
    one = Folding(journal, tmp_path)
    one.reader.step(HERE, journal.records)
    assert one.reader.ledger(HERE).changed > 2 * LEDGER_SLICE_MAX
    saving = asyncio.create_task(one.store.save_in_slices(one.reader, one.campaigns, 1))
    written = [one.store.db.total_changes]
    while not saving.done():
        await asyncio.sleep(0)
        written.append(one.store.db.total_changes)
    slices = [after - before for before, after in pairwise(written)]
    assert max(slices) <= max(SLICE_MAX, LEDGER_SLICE_MAX) + 16, "rows and a few more at the end"
    assert sum(slices) >= 20 * SLICE_MAX + 2 * LEDGER_SLICE_MAX, "and yet all of it is written"
    assert one.campaigns.dirty == set()
    assert one.reader.ledger(HERE).changed == 0
    one.store.close()
    other = Folding(journal, tmp_path)
    assert other.reader.positions == one.reader.positions
    assert other.reader.ledger(HERE).versions == one.reader.ledger(HERE).versions
    other.stop()


async def test_a_save_in_slices_that_is_cut_off_stores_nothing(tmp_path: Path) -> None:
    journal = Journal()
    for campaign_id in range(1, 2 * SLICE_MAX + 1):
        journal.create(campaign_id, contacts=0)
    one = Folding(journal, tmp_path)
    one.reader.step(HERE, journal.records)
    saving = asyncio.create_task(one.store.save_in_slices(one.reader, one.campaigns, 1))
    await asyncio.sleep(0)
    assert len(one.campaigns.dirty) == SLICE_MAX, "one slice is written"
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)
    one.store.close()
    other = Folding(journal, tmp_path)
    assert other.reader.positions == {}
    assert other.campaigns.by_id == {}
    other.stop()


@pytest.mark.parametrize("state", [b"{}", b"[" * 5000, b"", b"no JSON", b'{"created": {}}'])
def test_a_store_with_one_unreadable_campaign_is_emptied_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: bytes
) -> None:
    """One campaign that could not be read ended every start, and the message named a setting."""
    journal = Journal()
    for campaign_id in (1, 2):
        journal.create(campaign_id, contacts=0)
    one = Folding(journal, tmp_path)
    one.store.db.execute("create table rows (id integer primary key)")
    one.reader.step(HERE, journal.records)
    one.store.db.execute("insert into rows values (1)")
    one.stop()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("update campaigns set state = ? where campaign_id = 2", (state,))
    other = Folding(journal, tmp_path)
    assert other.reader.positions == {}, "all of it is folded again"
    assert other.campaigns.by_id == {}
    assert other.store.db.execute("select * from rows").fetchall() == []
    assert "store.db: campaign 2 cannot be read from its store" in caplog.text
    other.reader.step(HERE, journal.records)
    other.stop()
    last = Folding(journal, tmp_path)
    assert sorted(last.campaigns.by_id) == [1, 2]
    last.stop()


def test_what_a_service_keeps_besides_is_emptied_with_the_store_if_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    journal = Journal()
    journal.create(contacts=0)
    one = Folding(journal, tmp_path)
    one.reader.step(HERE, journal.records)
    one.stop()

    def unreadable() -> None:
        raise StoreUnreadableError("API key 7", "no JSON")

    store, campaigns = CheckpointStore(tmp_path / "store.db", journal.log.id), Campaigns()
    reader = Reader(journal.log, one)
    store.restore(reader, campaigns, unreadable)
    assert (reader.positions, campaigns.by_id) == ({}, {})
    assert store.db.execute("select count(*) from campaigns").fetchone() == (0,)
    store.close()


def test_a_store_that_is_found_unreadable_in_use_is_thrown_away_at_its_end(tmp_path: Path) -> None:
    """What is read later than the start: contacts. Without this each life would end the same."""
    path = tmp_path / "store.db"
    store = CheckpointStore(path, "embedded")
    with pytest.raises(ExceptionGroup), store.in_use():
        raise ExceptionGroup("a part", [StoreUnreadableError("contact 1/7", "no JSON")])
    store.close()
    assert not path.exists()
    store = CheckpointStore(path, "embedded")
    with pytest.raises(ExceptionGroup), store.in_use():
        raise ExceptionGroup("a part", [ContractError("a fact of tomorrow")])
    store.close()
    assert path.exists(), "nothing else is a reason"
