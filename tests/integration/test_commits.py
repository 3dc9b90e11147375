"""Views are committed beside the event loop: nothing is shown early, lost, or stored in parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from campaigns.domain.facts import ContactsAdded, Disposition, ImportCompleted, ImportSource
from campaigns.domain.values.rows import Row
from campaigns.process.clock import SystemClock
from campaigns.process.errors import ContractError, NotFreshError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector import commits
from projector.advance import Views
from projector.commits import Commits
from projector.service import Projector
from projector.settings import ProjectorSettings
from projector.store.tables import CAMPAIGNS, LISTS, METADATA
from projector.store.view_store import ViewStore
from tests.support.journal import Journal, every_partition
from tests.support.postgres import postgres_url

TABLES = [table for name, table in METADATA.tables.items() if not name.endswith("about")]
NEVER_S = 3600.0
HERE, OTHER = (Partition(CAMPAIGN_RECORDS, number) for number in range(2))


class Held(ViewStore):
    """A store whose commits wait for `go`, and fail if `failing` says so."""

    def __init__(self, folder: Path | None, url: str | None = None) -> None:
        super().__init__(url, folder)
        self.go, self.begun, self.failing = Event(), Event(), False
        self.go.set()

    def move(self, *moved: Any) -> None:  # Any: passed on.
        """Wait, in the middle of the transaction."""
        self.begun.set()
        assert self.go.wait(20), "nobody let it go on"
        if self.failing:
            raise OSError("the disk is full")
        super().move(*moved)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Held]:
    store = Held(tmp_path)
    yield store
    store.go.set()
    store.close()


def views_of(journal: Journal, store: ViewStore) -> Views:
    store.belongs_to(journal.log.id, publishes=True)
    views = Views(store, journal.log, True, lambda key: None)
    views.restore(every_partition(journal))
    return views


@contextlib.asynccontextmanager
async def following(views: Views, committing: Commits) -> AsyncIterator[asyncio.Task[None]]:
    """Follow and commit as a projector does; yield the task that commits."""
    committing.begin()
    partitions = [Partition(CAMPAIGN_RECORDS, n) for n in range(2)]
    reading = asyncio.create_task(views.reader.follow(partitions))
    running = asyncio.create_task(committing.run())
    try:
        yield running
    finally:
        for task in (running, reading):
            task.cancel()
        await asyncio.wait([running, reading])
        committing.close()


async def caught_up(views: Views, journal: Journal, within_s: float = 20.0) -> None:
    partitions = [one for one in every_partition(journal) if one.topic == CAMPAIGN_RECORDS]
    await views.reader.catch_up(partitions, within_s=within_s)


def history() -> Journal:
    """Two partitions, calls in several batches."""
    journal = Journal(partitions=2)
    for campaign_id in (1, 2, 3):
        journal.create(campaign_id, contacts=80)
        journal.start(campaign_id)
        for attempt in (1, 2):
            for contact_id in range(1, 60):
                journal.call(
                    contact_id, Disposition.BUSY, attempt,
                    campaign_id=campaign_id, retry_in=timedelta(hours=1),
                )  # fmt: skip
        journal.refused(campaign_id)
    journal.replace(5, 3)
    return journal


def rebuilt(journal: Journal, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows that a fold in the calling thread makes of the whole log."""
    folder.mkdir()
    store = ViewStore(None, folder)
    views = views_of(journal, store)
    for partition in every_partition(journal):
        if records := journal.log._records[partition]:
            views.reader.step(partition, records)
    found = store.dump(TABLES)
    store.close()
    return found


async def test_the_rows_are_those_that_a_fold_in_one_thread_makes(
    store: Held, tmp_path: Path
) -> None:
    journal = history()
    views = views_of(journal, store)
    async with following(views, Commits(views, 0.001)):
        await caught_up(views, journal)
    assert store.dump(TABLES) == rebuilt(journal, tmp_path / "again")


async def test_the_same_on_postgres(tmp_path_factory: pytest.TempPathFactory) -> None:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        journal, store = history(), ViewStore(url, None)
        views = views_of(journal, store)
        async with following(views, Commits(views, 0.001)):
            await caught_up(views, journal)
        again = rebuilt(journal, tmp_path_factory.mktemp("again") / "views")
        assert store.dump(TABLES) == again
        store.close()


async def test_a_batch_that_two_projectors_store_at_one_moment_counts_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As while one takes over from another: what is counted up is counted by one of them."""
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        journal, stores = history(), [Held(None, url), Held(None, url)]
        two = [views_of(journal, store) for store in stores]
        records = journal.log._records[HERE]
        first, second = stores
        first.go.clear()
        one = asyncio.create_task(asyncio.to_thread(two[0].reader.step, HERE, records))
        await asyncio.to_thread(first.begun.wait)
        other = asyncio.create_task(asyncio.to_thread(two[1].reader.step, HERE, records))
        while not await asyncio.to_thread(waiting, second):
            await asyncio.sleep(0.01)
        first.go.set()
        await asyncio.gather(one, other)
        two[1].reader.step(OTHER, journal.log._records[OTHER])
        assert second.dump(TABLES) == rebuilt(journal, tmp_path_factory.mktemp("again") / "views")
        for store in stores:
            store.close()


def waiting(store: ViewStore) -> bool:
    """Say whether a transaction waits for another one."""
    asked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    with store.reading() as tx:
        return bool(tx.exec_driver_sql(asked).scalar())


async def test_a_list_is_found_again_in_its_own_partition(store: Held, tmp_path: Path) -> None:
    """Its rows and its end are in different batches; each partition has one of this name."""
    journal = Journal(partitions=2)
    views = views_of(journal, store)
    async with following(views, Commits(views, 0.001)):
        for campaign_id in (1, 2):
            journal.create(campaign_id, contacts=0)
            rows = (Row(phone_number=f"+1555000000{campaign_id}"),)
            chunk = ContactsAdded(import_id="list", first_row=1, rows=rows)
            journal.write(chunk, campaign_id=campaign_id)
        await caught_up(views, journal)
        for campaign_id in (1, 2):
            done = ImportCompleted(
                campaign_id=campaign_id, import_id="list", number=1, source=ImportSource.CSV,
                file_name="list.csv", first_contact_id=1, rows=1, skipped=0, failed=0,
                errors=(), variable_mappings={}, available_variables=(), completed_at=journal.now,
            )  # fmt: skip
            journal.write(done, campaign_id=campaign_id)
        await caught_up(views, journal)
    assert sorted(row[3] for row in store.dump([LISTS])[LISTS.name]) == [1, 2], "both count"
    assert store.dump(TABLES) == rebuilt(journal, tmp_path / "again")


async def test_nothing_is_visible_before_its_commit_and_the_loop_goes_on_meanwhile(
    store: Held,
) -> None:
    journal = Journal(partitions=2)
    journal.create(2)
    views = views_of(journal, store)
    store.go.clear()
    async with following(views, Commits(views, 0.0)):
        asking = asyncio.create_task(caught_up(views, journal))
        while not store.begun.is_set():
            await asyncio.sleep(0.001)
        assert views.reader.positions[HERE] == 1, "it is ruled on"
        assert views.campaigns.get(2), "and folded"
        assert views.reader.visible.get(HERE, 0) == 0
        assert not asking.done()
        with pytest.raises(NotFreshError, match="records/0@0"):
            await views.reader.catch_up([HERE], within_s=0.01)
        assert store.dump([CAMPAIGNS])[CAMPAIGNS.name] == []
        store.go.set()
        await asking
        assert views.reader.visible[HERE] == 1
        assert len(store.dump([CAMPAIGNS])[CAMPAIGNS.name]) == 1


async def test_a_record_lingers_unless_somebody_waits_for_it(store: Held) -> None:
    journal = Journal(partitions=2)
    views = views_of(journal, store)
    async with following(views, Commits(views, NEVER_S)):
        journal.create(2)
        while views.reader.positions.get(HERE) != 1:
            await asyncio.sleep(0.001)
        journal.start(2)
        assert views.reader.visible.get(HERE, 0) == 0, "it lingers"
        await caught_up(views, journal)
        assert views.reader.visible[HERE] == 2, "both share a commit"
        journal.create(4)
        await asyncio.sleep(0.01)
        assert views.reader.visible[HERE] == 2, "and then it lingers again"


async def test_a_partition_goes_on_after_a_batch_that_others_had_taken(store: Held) -> None:
    journal = Journal(partitions=2)
    views, there = views_of(journal, store), Partition(CAMPAIGN_RECORDS, 1)
    committing = Commits(views, NEVER_S)
    async with following(views, committing), asyncio.timeout(20):
        for n in range(1, 20):
            journal.create(2 * n)
            await views.reader.reached(HERE, n)  # Hurries; the others step while it is taken.
            journal.create(2 * n + 1)
            while views.reader.positions.get(there) != n:
                await asyncio.sleep(0)
            await committing.drain()


async def test_a_record_that_lingers_is_committed_by_itself(store: Held) -> None:
    journal = Journal(partitions=2)
    views = views_of(journal, store)
    async with following(views, Commits(views, 0.005)), asyncio.timeout(20):
        for n in (1, 2):
            journal.create(2 * n)
            while views.reader.visible.get(HERE) != n:
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("after", ["the rows", "the checkpoint"])
async def test_a_crash_in_the_middle_of_a_commit_leaves_the_last_checkpoint(
    after: str, store: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(partitions=2)
    journal.create(2)
    views, committing = views_of(journal, store), None
    committing = Commits(views, 0.001)
    async with following(views, committing) as running:
        await caught_up(views, journal)
        before = store.dump(TABLES)
        for campaign_id in (1, 4, 3):
            journal.create(campaign_id, contacts=3)

        def crash(*moved: Any) -> None:
            if after == "the checkpoint":
                ViewStore.move(store, *moved)
            raise OSError("the disk is full")

        monkeypatch.setattr(store, "move", crash)
        with pytest.raises(NotFreshError):
            await caught_up(views, journal, within_s=0.2)
        with pytest.raises(OSError, match="disk is full"):
            await running
        monkeypatch.undo()
        journal.create(6)
        while views.reader.positions[HERE] != len(journal.log._records[HERE]):
            await asyncio.sleep(0.001)
        await committing.drain()  # Memory is ahead of the store: nothing more is stored.
    assert store.dump(TABLES) == before
    store.close()
    again = views_of(journal, store)
    async with following(again, Commits(again, 0.001)):
        await caught_up(again, journal)
    assert store.dump(TABLES) == rebuilt(journal, tmp_path / "again")


async def test_a_failing_commit_ends_the_projector(tmp_path: Path) -> None:
    journal = Journal(partitions=2)
    projector = Projector(journal.log, SystemClock(), ProjectorSettings(), tmp_path, None)
    store = projector.store = projector.views.store = Held(tmp_path)
    await projector.open()
    store.failing = True
    running = asyncio.create_task(projector.run())
    journal.create(2)
    async with asyncio.timeout(20):
        with pytest.raises(ExceptionGroup) as failed:
            await running
    assert failed.group_contains(OSError, match="disk is full")
    await projector.close()


async def test_a_shutdown_stores_what_was_folded(store: Held) -> None:
    journal = Journal(partitions=2)
    journal.create(2)
    views = views_of(journal, store)
    committing = Commits(views, NEVER_S)
    async with following(views, committing):
        while views.reader.positions.get(HERE) != 1:
            await asyncio.sleep(0.001)
        assert store.dump([CAMPAIGNS])[CAMPAIGNS.name] == []
        await committing.drain()
        assert len(store.dump([CAMPAIGNS])[CAMPAIGNS.name]) == 1


async def test_a_projector_that_is_told_to_stop_stores_what_was_folded(tmp_path: Path) -> None:
    journal = Journal(partitions=2)
    projector = Projector(
        journal.log, SystemClock(), ProjectorSettings(linger_ms=1000), tmp_path, None
    )
    await projector.open()
    running = asyncio.create_task(projector.run())
    journal.create(2)
    while projector.reader.positions.get(HERE) != 1:
        await asyncio.sleep(0.001)
    assert projector.reader.visible.get(HERE, 0) == 0
    await projector.drain()
    assert len(projector.store.dump([CAMPAIGNS])[CAMPAIGNS.name]) == 1
    running.cancel()
    await asyncio.wait([running])
    await projector.close()


async def test_a_shutdown_waits_for_the_commit_in_progress(store: Held) -> None:
    journal = Journal(partitions=2)
    journal.create(2)
    views = views_of(journal, store)
    store.go.clear()
    async with following(views, Commits(views, 0.0)):
        while not store.begun.is_set():
            await asyncio.sleep(0.001)
        Timer(0.05, store.go.set).start()
        # Left here: the task is cancelled, the commit is not.
    assert len(store.dump([CAMPAIGNS])[CAMPAIGNS.name]) == 1


async def test_nothing_is_stored_after_a_step_that_failed(store: Held) -> None:
    journal = Journal(partitions=2)
    journal.create(2)
    views = views_of(journal, store)
    committing = Commits(views, NEVER_S)
    committing.begin()
    views.reader.step(HERE, journal.log._records[HERE])
    newer = (journal.start(2).raw or b"").replace(b"campaign-started.v1", b"campaign-started.v9")
    with pytest.raises(ContractError):
        views.reader.step(HERE, [Recorded(HERE, 2, newer, 2)])
    await committing.drain()
    assert not any(store.dump(TABLES).values())
    committing.close()


async def test_the_reader_waits_for_commits_that_are_slow(
    store: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "BATCH_MAX", 8)
    monkeypatch.setattr(commits, "WAITING_MAX", 16)
    journal = history()
    views = views_of(journal, store)
    store.go.clear()
    most = 0

    def step(recorded: Recorded, fold: object = views.fold) -> None:
        nonlocal most
        views._records.append(recorded)
        most = max(most, len(views._records))

    monkeypatch.setattr(views, "fold", step)
    async with following(views, Commits(views, 0.0)):
        while not store.begun.is_set():
            await asyncio.sleep(0.001)
        for _ in range(200):
            await asyncio.sleep(0)
        assert 16 <= most <= 16 + 2 * 256, "a step of each partition beyond the limit"
        assert most < len(journal.records) / 2
        store.go.set()
        await caught_up(views, journal)
    assert store.dump(TABLES) == rebuilt(journal, tmp_path / "again")
