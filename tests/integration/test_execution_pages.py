"""Filtered pages of executions are found by tallies, and are what a look at each one would find."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from campaigns.domain.campaign import Campaign, dump, load
from campaigns.domain.contact import ContactStatus
from campaigns.domain.facts import Disposition
from projector.advance import Views
from projector.projections.changes import Execution
from projector.queries.execution_pages import executions
from projector.queries.page import Page
from projector.store.tables import CONTACT_TALLIES, EXECUTIONS, TALLIES
from projector.store.tallies import execution_tallies as tallies
from projector.store.view_store import ViewStore
from projector.store.views import EXECUTION
from tests.support.journal import Journal, every_partition
from tests.support.many_executions import journal_of_one, multiply, tally
from tests.support.postgres import postgres_url

CALLS = 2 * tallies.BLOCK + 100
_ENDED = {
    ContactStatus.COMPLETED: Disposition.ANSWERED,
    ContactStatus.BUSY: Disposition.BUSY,
    ContactStatus.FAILED: Disposition.FAILED,
}
_HOW = (*[Disposition.ANSWERED] * 5, Disposition.BUSY, Disposition.FAILED, Disposition.UNKNOWN)


@pytest.fixture(scope="module")
def journal() -> Journal:
    """Calls that overlap, some for long: they end in blocks that have been full for a while."""
    chance, journal, open_calls = random.Random(7), Journal(), list[tuple[str, int]]()
    journal.create(1, contacts=CALLS)
    journal.start(1)
    for contact_id in range(1, CALLS + 1):
        call_id = journal.ask(contact_id)
        if chance.random() < 0.95:  # Otherwise it ends without having begun.
            journal.ring(call_id, contact_id)
        open_calls.append((call_id, contact_id))
        while len(open_calls) > 40 or (open_calls and chance.random() < 0.5):
            late = -1 if chance.random() < 0.9 else 0
            journal.end(*open_calls.pop(late), chance.choice(_HOW))
        if chance.random() < 0.01:
            journal.late(call_id, contact_id, 2)
    for call in open_calls[:-2]:  # Others hold the tallies back until they end.
        journal.end(*call)
    return journal


class Folded:
    """A store that has folded a part of the journal, in batches of any size."""

    def __init__(self, store: ViewStore, journal: Journal, seed: int) -> None:
        self.store, self.chance = store, random.Random(seed)
        self.store.belongs_to(journal.log.id, publishes=False)
        self.views = Views(self.store, journal.log, False, lambda key: None)
        (self.partition, *_) = every_partition(journal)
        self.views.restore([self.partition])
        self.records = list(journal.log._records[self.partition])

    def fold(self, through: int) -> None:
        done = self.views.reader.positions.get(self.partition, 0)
        while done < through:
            many = min(self.chance.choice((1, 5, 300, 2_000)), through - done)
            self.views.reader.step(self.partition, self.records[done : done + many])
            done += many

    def campaign(self) -> Campaign:
        return load(dump(self.views.campaigns.by_id[1]), 1)

    def all(self) -> list[Execution]:
        asked = select(EXECUTIONS.c.state).order_by(EXECUTIONS.c.execution_id)
        with self.store.reading() as tx:
            return [EXECUTION.load(one) for one in tx.execute(asked).scalars()]


def pages(
    tx: Connection, every: Sequence[Execution], past: Campaign | None, chance: random.Random
) -> None:
    """Compare pages of each status with what is found one by one."""
    for status in ContactStatus:
        alike = [one for one in reversed(every) if one.status == status]
        skips = {0, 1, 49, tallies.BLOCK, len(alike) - 1, len(alike), chance.randrange(CALLS)}
        for skip in sorted(one for one in skips if one >= 0):
            found, total = executions(tx, 1, status, Page(1, 50, skip, 50), past)
            assert (total, [one.execution for one in found]) == (
                len(alike),
                alike[skip : skip + 50],
            ), (status, skip)


@pytest.mark.parametrize("seed", [1, 2])
def test_pages_of_each_status_are_what_a_look_at_each_execution_finds(
    seed: int, journal: Journal, tmp_path: Path
) -> None:
    folded = Folded(ViewStore(None, tmp_path), journal, seed)
    moments = sorted(folded.chance.sample(range(len(folded.records) // 2, len(folded.records)), 3))
    then = list[tuple[Campaign, list[Execution]]]()
    for moment in moments:
        folded.fold(moment)
        then.append((folded.campaign(), folded.all()))
        with folded.store.reading() as tx:
            pages(tx, then[-1][1], None, folded.chance)
    folded.fold(len(folded.records))
    with folded.store.reading() as tx:
        assert folded.all()[-1].execution_id > 2 * tallies.BLOCK
        for campaign, every in then:
            pages(tx, every, campaign, folded.chance)
        as_folded = tx.execute(TALLIES.select()).all()
    with folded.store.writing() as tx:
        tx.execute(TALLIES.delete())
        tally(tx, folded.all()[-1].execution_id)
        assert tx.execute(TALLIES.select()).all() == as_folded, "however the log was batched"
    folded.store.close()


def test_the_tallies_of_postgres_are_those_of_sqlite(
    journal: Journal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        folded = Folded(ViewStore(url, None), journal, 3)
        other = Folded(ViewStore(None, tmp_path_factory.mktemp("views")), journal, 4)
        stored = list[dict[str, list[tuple[object, ...]]]]()
        for one in (folded, other):
            one.fold(len(one.records))
            dumped = one.store.dump([TALLIES, CONTACT_TALLIES])
            stored.append({name: sorted(rows) for name, rows in dumped.items()})
        assert stored[0] == stored[1]
        assert any(row[2] == 1 for row in stored[0][TALLIES.name]), "a second block is full"
        with folded.store.reading() as tx:
            pages(tx, folded.all(), None, folded.chance)
        folded.store.close()
        other.store.close()


def test_rows_that_are_made_by_sql_are_those_of_the_fold(tmp_path: Path) -> None:
    """What the cost of pages is measured on: each state, its column, and all tallies."""
    many, (made, folded) = 2 * tallies.BLOCK + 10, (tmp_path / "made", tmp_path / "folded")
    made.mkdir()
    folded.mkdir()
    sql, history = Folded(ViewStore(None, made), journal_of_one(), 1), Journal()
    sql.fold(len(sql.records))
    multiply(sql.store, many)
    history.create(1, contacts=many)
    history.start(1)
    history.call(1, Disposition.BUSY)
    every = sql.all()
    for one in every[1:]:
        call_id = history.ask(one.execution_id)
        history.ring(call_id, one.execution_id)
        if one.status != ContactStatus.IN_PROGRESS:
            history.end(call_id, one.execution_id, _ENDED[ContactStatus(one.status)])
    by_fold = Folded(ViewStore(None, folded), history, 2)
    by_fold.fold(len(by_fold.records))
    (ours,), (theirs,) = (one.store.dump([EXECUTIONS]).values() for one in (sql, by_fold))
    assert [row[1] for row in ours] == list(range(1, many + 1))
    assert [(row[1], row[3]) for row in ours] == [(row[1], row[3]) for row in theirs]
    for row, one in zip(ours, every, strict=True):
        assert EXECUTION.dump(one) == row[-1]
        assert (one.execution_id, one.contact_id, one.status) == row[1:4]
    assert sql.store.dump([TALLIES]) == by_fold.store.dump([TALLIES])
    sql.store.close()
    by_fold.store.close()


STEP = 10  # Instructions of SQLite between two counts.


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], ViewStore]]:
    """Return a store with so many executions of campaign 1; each is filled once."""
    made = dict[int, ViewStore]()

    def of(many: int) -> ViewStore:
        if many not in made:
            made[many] = store = ViewStore(None, tmp_path_factory.mktemp("views"))
            journal = journal_of_one()
            store.belongs_to(journal.log.id, publishes=False)
            views = Views(store, journal.log, False, lambda key: None)
            views.restore(every_partition(journal))
            (partition, *_) = every_partition(journal)
            views.reader.step(partition, journal.log._records[partition])
            multiply(store, many)
        return made[many]

    yield of
    for store in made.values():
        store.close()


def cost(store: ViewStore, status: str | None, skip: int) -> tuple[int, list[int]]:
    """Return how many instructions a page takes, in STEPs, and the numbers of its executions."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    with store.reading() as tx:
        driver = tx.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(count, STEP)
        found, _ = executions(tx, 1, status, Page(1, 50, skip, 50))
        numbers = [one.execution.execution_id for one in found]
        driver.set_progress_handler(None, 0)
    return steps[0], numbers


@pytest.mark.parametrize("status", [None, "completed", "busy", "failed", "in_progress", "pending"])
def test_a_page_costs_the_same_wherever_it_is_and_however_many_there_are(
    status: str | None, stored: Callable[[int], ViewStore]
) -> None:
    few, many = 10 * tallies.BLOCK, 100 * tallies.BLOCK
    small, large = stored(few), stored(many)
    total = {None: many, "completed": many * 2 // 3}.get(status, many // 6)
    first, numbers = cost(large, status, 0)
    deep, last = cost(large, status, total - 60) if status not in ("in_progress", "pending") else (
        first, numbers,
    )  # fmt: skip
    # A page may step over a block, and each place of a block comes in the small store too.
    most = max(cost(small, status, skip)[0] for skip in range(0, few // 7, 97))
    assert max(first, deep) <= 1.2 * most
    if status not in ("in_progress", "pending"):
        assert (len(numbers), len(last)) == (50, 50)
        assert numbers[0] > many - 10
        assert last[0] < 1_000
    assert cost(large, status, many)[1] == []


@pytest.mark.parametrize("skip", [0, 1, 7, 40, 999])
def test_any_part_is_found_by_number(skip: int, stored: Callable[[int], ViewStore]) -> None:
    many = 10 * tallies.BLOCK
    with stored(many).reading() as tx:
        found, total = executions(tx, 1, None, Page(1, 50, skip, 50))
        numbers = [one.execution.execution_id for one in found]
    assert total == many
    assert numbers == list(range(many, 0, -1))[skip : skip + 50]
