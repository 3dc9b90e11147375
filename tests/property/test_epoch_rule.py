"""The epoch rule stands three times, and all three say the same of every contact of any history.

In Python (`campaigns.domain.contact`), in the SQL of the services' store (`Contacts.due` and
`fresh`), and in the SQL of the projector (`projector.queries.contact_pages`).
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, ContactStatus, shown
from campaigns.domain.facts import Selection
from campaigns.domain.moves import FINAL, Move
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from projector.advance import Views
from projector.queries.contact_pages import contacts
from projector.queries.page import Page
from projector.store.view_store import ViewStore
from tests.support.author import Author
from tests.support.journal import every_partition

STEPS = (
    "ask", "ring", "end", "call", "call", "call", "abandon", "late", "replace", "append", "update",
    "exhaust", "stop", "start", "again", "again",
)  # fmt: skip
EXAMPLES = 120
ALL = Page(1, 1000, 0, 1000)


class Writer(Author):
    """Writes a history of given steps, with more re-armings and imports than an `Author`."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.left_out = set()

    def take(self, step: str) -> None:
        if getattr(self, f"_{step}")():
            self.happened[step] += 1

    def _call(self) -> bool:
        return self._ask() and self._ring() and self._end()

    def _again(self) -> bool:
        """End the run in whatever way is left, re-arm it, and begin the next one."""
        while self.told.campaign.calls:
            self._end()
        if self.told.campaign.status not in FINAL:
            self._complete() or self._stop()
        if self.told.campaign.allows(Move.REARM) and self.chance.random() < 0.3:
            self._replace()
        rearmed = self._rearm()
        for step in ("replace", "append", "update"):
            if self.chance.random() < 0.3:
                self.take(step)
        return rearmed and self._start()


def by_looking(author: Author) -> dict[int, Contact]:
    """Look at each contact with the rule in Python; those that are gone are left out."""
    found = {}
    campaign = author.told.campaign
    for number in range(1, campaign.contacts_end + 1):
        contact = author.told.contact(number)
        calling = contact.status is ContactStatus.IN_PROGRESS
        if not gone(campaign, number, contact.ever, calling):
            found[number] = contact
    return found


@contextmanager
def stored(author: Author) -> Iterator[tuple[Campaign, Contacts]]:
    """Fold the history as the dialer does."""
    campaigns, store = Campaigns(), CheckpointStore(None, "a test")
    found = Contacts(store.db)
    for recorded in author.told.records:
        fold_contacts(campaigns, found, recorded)
    yield campaigns.by_id[1], found
    store.close()


def waiting(author: Author, limit: int) -> tuple[list[int], list[int]]:
    """Return who is fresh and who is due, by the SQL of the services' store."""
    with stored(author) as (campaign, store):
        fresh, looked = list[int](), 0
        while looked < campaign.contacts_end:
            ids, looked = store.fresh(campaign, looked, limit)
            fresh += ids
        # Those who were named and are not pending are passed over by the dialer, one by one.
        fresh = [n for n in fresh if store.get(campaign, n).status is ContactStatus.PENDING]
        far = author.told.now + timedelta(days=9)
        return fresh, [one.contact_id for one in store.due(campaign, far, 1000)]


@contextmanager
def viewed(author: Author) -> Iterator[tuple[Campaign, ViewStore]]:
    """Fold the history as the projector does."""
    store = ViewStore(None, None)
    store.belongs_to(author.told.log.id, publishes=False)
    views = Views(store, author.told.log, False, lambda key: None)
    for partition in every_partition(author.told):
        views.reader.step(partition, author.told.log._records[partition])
    yield views.campaigns.by_id[1], store
    store.close()


def test_the_three_places_of_the_epoch_rule_agree() -> None:
    happened: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        st.lists(st.sampled_from(STEPS), min_size=10, max_size=50),
        st.integers(0, 2**32),
    )
    def agree(steps: list[str], seed: int) -> None:
        author = Writer(seed)
        for step in steps:
            author.take(step)
        there, campaign = by_looking(author), author.told.campaign
        fresh, due = waiting(author, limit=1 + len(steps) % 3)
        assert len(fresh + due) == len({*fresh, *due}), "nobody is found twice"
        pending = {n for n, one in there.items() if one.status is ContactStatus.PENDING}
        assert {*fresh, *due} == pending
        with viewed(author) as (folded, store), store.reading() as tx:
            for status in (None, *ContactStatus):
                found, total = contacts(tx, folded, status, ALL, keys=None)
                page = {one.contact.contact_id: one.contact for one in found}
                assert len(page) == total
                wanted = {n for n, one in there.items() if status in (None, shown(campaign, one))}
                assert set(page) == wanted, status
                assert all(page[n] == there[n] for n in page)
        happened["attempts changed"] += author.happened["update"] > 0
        happened["called"] += author.happened["call"] > 0
        if campaign.epoch:
            happened[f"selected {campaign.selection}"] += 1
        happened["re-armed twice"] += campaign.epoch > 1
        happened["some added since"] += 0 < campaign.rearmed_through < campaign.contacts_end
        happened["some removed"] += len(there) < campaign.contacts_end
        happened["some skipped"] += bool(campaign.counters.skipped)
        happened["fresh and due"] += bool(fresh and due)
        happened["stopped"] += campaign.status in FINAL

    agree()
    assert min(happened.values()) > EXAMPLES // 20, happened
    assert {f"selected {one}" for one in Selection} <= set(happened)
