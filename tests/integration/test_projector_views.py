"""What the views hold after a history, and that a rebuild holds the same."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.domain.facts import Disposition
from campaigns.process.errors import ContractError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.advance import Views
from projector.projections.changes import Execution
from projector.queries.campaign_pages import CampaignFilter, campaigns
from projector.queries.page import Page
from projector.store import record_index
from projector.store.database import ROWS_A_STATEMENT
from projector.store.tables import (
    ABOUT,
    API_KEYS,
    CAMPAIGNS,
    CONTACTS,
    EXECUTIONS,
    IMPORTS,
    LEDGERS,
    LISTS,
    OUTBOX,
    RECORDS,
    ROWS,
    TRACKING,
)
from projector.store.view_store import ViewStore
from projector.store.views import EXECUTION
from tests.support.journal import Journal, every_partition
from tests.support.postgres import postgres_url

REBUILT = (
    API_KEYS, CAMPAIGNS, CONTACTS, EXECUTIONS, IMPORTS, LEDGERS, LISTS, OUTBOX, RECORDS, ROWS,
    TRACKING,
)  # fmt: skip


_opened: list[ViewStore] = []


@pytest.fixture(autouse=True)
def closed_at_the_end() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def opened(folder: Path) -> ViewStore:
    """Return a store that is closed at the test's end."""
    _opened.append(ViewStore(None, folder))
    return _opened[-1]


def fold(
    journal: Journal,
    folder: Path,
    *,
    batches: random.Random | None = None,
    publishes: bool = True,
    store: ViewStore | None = None,
) -> Views:
    """Fold all that the journal holds behind the store's checkpoint, in batches of any size."""
    store = store or opened(folder)
    store.belongs_to(journal.log.id, publishes=publishes)
    views = Views(store, journal.log, publishes, lambda key: None)
    every = every_partition(journal)
    views.restore(every)
    left = {partition: list(journal.log._records[partition]) for partition in every}
    while any(left.values()):
        some = [partition for partition in every if left[partition]]
        partition = batches.choice(some) if batches else some[0]
        many = batches.randint(1, 7) if batches else 256
        batch, left[partition] = left[partition][:many], left[partition][many:]
        views.reader.step(partition, batch)
    return views


def executions(views: Views) -> list[Execution]:
    (rows,) = views.store.dump([EXECUTIONS]).values()
    return [EXECUTION.load(row[-1]) for row in rows]


@pytest.fixture
def history() -> Journal:
    """Two partitions, and something of everything."""
    journal = Journal(partitions=2)
    for campaign_id in (1, 2, 3, 4):
        journal.create(campaign_id, contacts=5)
        journal.start(campaign_id)
        journal.call(1, campaign_id=campaign_id)
        journal.refused(campaign_id)
        journal.call(2, Disposition.BUSY, campaign_id=campaign_id, retry_in=timedelta(minutes=30))
        journal.abandon(journal.ask(3, campaign_id=campaign_id), 3, campaign_id=campaign_id)
        journal.log.append_bytes(Partition(CAMPAIGN_RECORDS, campaign_id % 2), b"strange")
    journal.late(journal.call(4), 4, 2)
    journal.replace(5, 4)
    journal.ask(6)
    journal.stop(2)
    journal.create(5, contacts=ROWS_A_STATEMENT + 20)
    journal.start(5)
    for attempt in (1, 2):  # A batch writes more rows than a statement takes, and reads them again.
        for contact_id in range(1, ROWS_A_STATEMENT + 20):
            journal.call(
                contact_id, Disposition.BUSY, attempt, campaign_id=5, retry_in=timedelta(hours=1)
            )
    return journal


def test_a_rebuilt_store_is_the_same_row_by_row(history: Journal, tmp_path: Path) -> None:
    views = []
    for n in range(4):
        (tmp_path / str(n)).mkdir()
        batches = random.Random(n) if n else None
        views.append(fold(history, tmp_path / str(n), batches=batches))
    dumps = [each.store.dump(REBUILT) for each in views]
    assert all(dumps[0][table.name] for table in REBUILT if table is not API_KEYS)
    for other in dumps[1:]:
        assert other == dumps[0]


def test_a_restart_goes_on_at_the_checkpoint(history: Journal, tmp_path: Path) -> None:
    views = fold(history, tmp_path, batches=random.Random(7))
    before = views.store.dump(REBUILT)
    views.store.close()
    again = fold(history, tmp_path)  # Everything is delivered again.
    assert again.store.dump(REBUILT) == before
    assert again.campaigns.by_id == views.campaigns.by_id
    assert again.reader.positions == views.reader.positions


def test_a_crash_in_a_batch_leaves_the_last_checkpoint(
    history: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = Partition(CAMPAIGN_RECORDS, 1)
    records = history.log._records[partition]
    views = fold(Journal(partitions=2), tmp_path)
    views.reader.step(partition, records[:5])
    before = views.store.dump(REBUILT)

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(views.store, "move", fail)
    with pytest.raises(RuntimeError):
        views.reader.step(partition, records[5:])
    assert views.store.dump(REBUILT) == before


def test_an_unknown_fact_stops_the_fold_before_anything_of_it_is_stored(tmp_path: Path) -> None:
    journal = Journal()
    journal.create()
    views = fold(journal, tmp_path)
    before = views.store.dump(REBUILT)
    raw = journal.start().raw
    assert raw is not None
    newer = raw.replace(b"campaign-started.v1", b"campaign-started.v9")
    partition = Partition(CAMPAIGN_RECORDS, 0)
    with pytest.raises(ContractError, match=r"campaign-started\.v9"):
        views.reader.step(partition, [Recorded(partition, 2, newer, 1)])
    assert views.store.dump(REBUILT) == before


def test_a_store_of_another_log_is_rebuilt(history: Journal, tmp_path: Path) -> None:
    fold(history, tmp_path).store.close()
    store = opened(tmp_path)
    store.belongs_to("another", publishes=True)
    assert not any(store.dump([CAMPAIGNS, TRACKING, OUTBOX]).values())


def test_a_store_without_an_outbox_is_rebuilt_to_publish(history: Journal, tmp_path: Path) -> None:
    fold(history, tmp_path, publishes=False).store.close()
    store = opened(tmp_path)
    store.belongs_to(history.log.id, publishes=True)
    assert not any(store.dump([CAMPAIGNS, TRACKING]).values())


def test_attempts_are_numbered_as_they_begin(tmp_path: Path) -> None:
    journal = Journal()
    journal.create()
    journal.start()
    first, second = journal.ask(1), journal.ask(2)
    journal.ring(second, 2)
    journal.ring(first, 1)
    journal.end(first, 1)
    journal.end(journal.ask(3), 3, Disposition.FAILED)  # It never rang.
    journal.end(second, 2, Disposition.UNKNOWN)
    journal.late(first, 1, 2)
    found = executions(fold(journal, tmp_path))
    assert [(e.execution_id, e.contact_id, e.status, e.error) for e in found] == [
        (1, 2, "failed", "outcome unknown"),
        (2, 1, "completed", None),
        (3, 3, "failed", None),
        (4, 1, "failed", "rang late"),
    ]


def test_an_abandoned_permission_leaves_no_execution(tmp_path: Path) -> None:
    journal = Journal()
    journal.create()
    journal.start()
    journal.abandon(journal.ask(1), 1)
    assert executions(fold(journal, tmp_path)) == []


def test_calls_that_nobody_asked_for_change_nothing(tmp_path: Path) -> None:
    journal = Journal()
    journal.create()
    journal.ring("nobody", 1)
    journal.end("nobody", 1)
    assert executions(fold(journal, tmp_path)) == []


def test_a_damaged_file_is_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "projector.db").write_bytes(b"no database at all" * 500)
    journal = Journal()
    journal.create()
    assert fold(journal, tmp_path).campaigns.get(1)


def test_no_text_stops_the_fold(tmp_path_factory: pytest.TempPathFactory) -> None:
    """PostgreSQL takes no NUL in text, and JSON can carry one."""
    journal = Journal()
    journal.create(name="\0 \U0001f600 %\\ '")
    folder = tmp_path_factory.mktemp("postgres")
    with postgres_url(folder) as url:
        store = ViewStore(url, None)
        store.belongs_to(journal.log.id, publishes=True)
        views = Views(store, journal.log, True, lambda key: None)
        views.restore(every_partition(journal))
        views.reader.step(journal.records[0].partition, journal.records)
        with store.reading() as tx:
            wanted = CampaignFilter(1, None, None, None, "\0 \U0001f600 %\\")
            page, total = campaigns(tx, wanted, Page(1, 50, 0, 50))
            found = list(page)
        store.close()
    assert (found, total) == ([views.campaigns.get(1)], 1)


def test_a_rebuild_on_postgres_is_the_same_as_on_sqlite(
    history: Journal, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours = fold(history, tmp_path).store.dump(REBUILT)
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        for _ in range(2):  # The second of another log: rebuilt.
            store = ViewStore(url, None)
            views = fold(history, tmp_path, store=store, batches=random.Random(3))
            theirs = views.store.dump(REBUILT)
            assert theirs == ours
            with store.reading() as tx:
                every = record_index.positions(tx, 5, 0, 10**9)
                assert every[1:-1] == record_index.positions(tx, 5, every[0], every[-2])
                assert record_index.snapshot(tx, 5, every[-1]) == (0, None)
            with store.writing() as tx:
                store.put(tx, ABOUT, [{"name": "log", "value": "another"}])
            store.close()
