"""A filtered page of contacts costs the same wherever it is and however many contacts there are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.domain.campaign import Campaign, dump, load
from campaigns.domain.contact import ContactStatus
from campaigns.domain.facts import Selection
from campaigns.domain.moves import Status
from projector.advance import Views
from projector.queries.contact_pages import contacts, fresh
from projector.queries.page import Page
from projector.store.tallies.contact_tallies import BITS
from projector.store.view_store import ViewStore
from tests.support.journal import every_partition
from tests.support.many_contacts import multiply_contacts
from tests.support.many_executions import journal_of_one

BLOCK = 1 << BITS[-1]
STEP = 100  # Instructions of SQLite between two counts.
FEW, MANY = 33 * BLOCK, 132 * BLOCK


class Filled:
    """A store with so many contacts, of which one in ten was never called."""

    def __init__(self, folder: Path, many: int) -> None:
        self.store, self.many, journal = ViewStore(None, folder), many, journal_of_one()
        self.store.belongs_to(journal.log.id, publishes=False)
        views = Views(self.store, journal.log, False, lambda key: None)
        views.restore(every_partition(journal))
        (partition, *_) = every_partition(journal)
        views.reader.step(partition, journal.log._records[partition])
        self.campaign = multiply_contacts(self.store, many - many // 10, many // 10)

    def cost(
        self, campaign: Campaign, status: ContactStatus | None, skip: int
    ) -> tuple[int, int, list[int]]:
        """Return a page's instructions of SQLite in STEPs, its total, and its contacts."""
        steps = [0]

        def count() -> int:
            steps[0] += 1
            return 0

        with self.store.reading() as tx:
            driver = tx.connection.driver_connection
            assert driver is not None
            driver.set_progress_handler(count, STEP)
            found, total = contacts(tx, campaign, status, Page(1, 50, skip, 50))
            numbers = [one.contact.contact_id for one in found]
            driver.set_progress_handler(None, 0)
        return steps[0], total, numbers


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Filled, Filled]]:
    both = (
        Filled(tmp_path_factory.mktemp("few"), FEW),
        Filled(tmp_path_factory.mktemp("many"), MANY),
    )
    yield both
    for one in both:
        one.store.close()


def stopped(campaign: Campaign) -> Campaign:
    campaign = load(dump(campaign), 1)
    counters = campaign.counters
    campaign.status = Status.CANCELLED
    campaign.counters = replace(counters, pending=0, cancelled=counters.pending)
    return campaign


def run_again(campaign: Campaign) -> Campaign:
    """Return it re-armed for those that failed: all others are skipped, untouched ones too."""
    campaign = load(dump(campaign), 1)
    counters = campaign.counters
    campaign.epoch, campaign.selection = 1, Selection.FAILED_ONLY
    campaign.rearmed_through, others = campaign.contacts_end, counters.total - counters.failed
    again = {"failed": 0, "completed": 0, "in_progress": 0, "pending": counters.failed}
    campaign.counters = replace(counters, **again, skipped=counters.skipped + others)
    return campaign


def same(campaign: Campaign) -> Campaign:
    return campaign


CASES = [
    *[(same, one) for one in ContactStatus if one is not ContactStatus.CANCELLED],
    (same, None),
    (stopped, ContactStatus.CANCELLED),
    (run_again, ContactStatus.PENDING),
    (run_again, ContactStatus.SKIPPED),
]


@pytest.mark.parametrize(("how", "status"), CASES)
def test_a_page_costs_the_same_wherever_it_is_and_however_many_contacts_there_are(
    how: Callable[[Campaign], Campaign],
    status: ContactStatus | None,
    stores: tuple[Filled, Filled],
) -> None:
    small, large = stores
    few, many = how(small.campaign), how(large.campaign)
    total = small.cost(few, status, 0)[1]
    # A page may open a block of each size, and each place in a block comes in the small store too.
    most = max(small.cost(few, status, skip)[0] for skip in range(0, total, total // 20 + 1))
    first, of_many, numbers = large.cost(many, status, 0)
    assert of_many >= 3 * total or status is ContactStatus.IN_PROGRESS
    assert len(numbers) == min(50, of_many)
    for part in (0.3, 0.6, 0.95):
        took, _, numbers = large.cost(many, status, int(part * of_many))
        assert len(numbers) == min(50, of_many - int(part * of_many))
        assert numbers == sorted(numbers)
        assert max(first, took) <= 1.2 * most
    assert large.cost(many, status, of_many)[2] == []


def test_who_is_next_costs_the_same_however_many_were_called(
    stores: tuple[Filled, Filled],
) -> None:
    for one in stores:
        with one.store.reading() as tx:
            first = one.many - one.many // 10 + 1  # The first one that was never called.
            assert fresh(tx, one.campaign, 3) == [first, first + 1, first + 2]
