"""What a look-up of contacts costs: what it finds, whatever earlier runs have left behind."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import Selection
from campaigns.stores.contacts import Contacts
from campaigns.testing.sample_records import NOON
from tests.contract.test_samples import sample

OLD = 5_000  # Contacts that an earlier run has left waiting, or failed for good.
EPOCH = 3


def campaign(selection: Selection = Selection.ALL) -> Campaign:
    created = evolve(None, sample("campaign-created.v1"), 1)  # type: ignore[arg-type]  # It is.
    assert created is not None
    created.epoch, created.selection = EPOCH, selection
    created.contacts_end = created.rearmed_through = 2 * OLD
    return created


def stored(old: Contact, left: int, new: Contact) -> tuple[sqlite3.Connection, Contacts]:
    """Return a store in which `left` contacts are like `old`, and ten like `new`."""
    db = sqlite3.connect(":memory:")
    contacts = Contacts(db)
    campaign_id = campaign().campaign_id
    for n in range(1, left + 1):
        contacts.put(campaign_id, replace(old, contact_id=n))
    for n in range(OLD + 1, OLD + 11):
        contacts.put(campaign_id, replace(new, contact_id=n))
    contacts.flush()
    return db, contacts


WAITING = Contact(1, attempts=1, due_at=NOON - timedelta(hours=1))
FAILED = Contact(1, ContactStatus.FAILED, attempts=1)
Look = Callable[[Contacts, Campaign], object]
LOOKS: dict[str, tuple[Contact, int, Look]] = {
    "due": (WAITING, EPOCH, lambda store, one: store.due(one, NOON, 5)),
    "next due": (WAITING, EPOCH, lambda store, one: store.next_due(one)),
    "failed, to be called again": (FAILED, EPOCH - 1, lambda store, one: store.fresh(one, 0, 5)),
}


def steps(name: str, left: int) -> int:
    """Return how many steps SQLite's machine takes for a look-up: no clock is asked."""
    like, epoch, look = LOOKS[name]
    old, new = replace(like, epoch=epoch - 1), replace(like, epoch=epoch)
    db, contacts = stored(old, left, new)
    taken = [0]

    def count() -> int:
        taken[0] += 1
        return 0

    selection = Selection.FAILED_ONLY if name.startswith("failed") else Selection.ALL
    db.set_progress_handler(count, 1)
    found = look(contacts, campaign(selection))
    db.set_progress_handler(None, 1)
    db.close()
    assert found, "those of the run that is on"
    return taken[0]


@pytest.mark.parametrize("name", LOOKS)
def test_what_an_earlier_run_has_left_costs_a_new_run_nothing(name: str) -> None:
    """300,000 retries that a stopped run had left made each call look at all of them."""
    assert steps(name, OLD) <= steps(name, 0) + 50


@pytest.mark.parametrize("name", LOOKS)
def test_what_waits_in_the_run_that_is_on_is_found_whatever_was_left(name: str) -> None:
    like, epoch, look = LOOKS[name]
    selection = Selection.FAILED_ONLY if name.startswith("failed") else Selection.ALL
    found = []
    for left in (0, OLD):
        db, contacts = stored(replace(like, epoch=epoch - 1), left, replace(like, epoch=epoch))
        found.append(look(contacts, campaign(selection)))
        db.close()
    assert found[0] == found[1]


def test_a_first_call_needs_no_look_up_and_a_later_one_finds_its_contact() -> None:
    asked, number = list[str](), campaign().campaign_id
    db, contacts = stored(replace(WAITING, epoch=EPOCH), 3, replace(WAITING, epoch=EPOCH))
    for store in (contacts, Contacts(db)):  # The second knows only what is written.
        store.get(campaign(), OLD + 100)
        db.set_trace_callback(asked.append)
        assert store.get(campaign(), OLD + 101).attempts == 0
        assert not asked, "behind the last contact there is nothing to look up"
        assert store.get(campaign(), OLD + 10).attempts == 1, "the last one"
        assert store.get(campaign(), 2).attempts == 1
        assert store.get(campaign(), 4).attempts == 0, "between others"
        assert len(asked) == 3
        db.set_trace_callback(None)
        asked.clear()
    contacts.put(number, Contact(OLD + 101, attempts=2, epoch=EPOCH))
    contacts.flush()
    assert contacts.get(campaign(), OLD + 101).attempts == 2, "it is the last one now"
    db.close()
