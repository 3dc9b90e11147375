"""Pages of contacts against a plain reckoning of the same history, whatever it is."""

import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from campaigns.domain.campaign import gone
from campaigns.domain.contact import Contact, ContactStatus, shown
from campaigns.domain.facts import Disposition
from projector.queries import campaign_pages, contact_pages
from projector.queries.page import Page
from projector.store.tables import CONTACT_TALLIES, CONTACTS
from projector.store.tallies import contact_tallies
from tests.integration.test_projector_views import fold
from tests.support.author import STEPS, Author
from tests.support.journal import Journal


def history(chance: random.Random) -> Journal:
    journal = Journal()
    end = chance.randint(0, 12)
    journal.create(contacts=end)
    journal.start()
    open_calls: dict[int, str] = {}
    attempts: dict[int, int] = {}
    replaced = through = 0
    for _ in range(chance.randint(0, 40)):
        turn = chance.random()
        contact_id = chance.randint(1, max(end, 1))
        if turn < 0.08:
            replaced += 1
            many = chance.randint(1, 6)
            journal.replace(end, many, replaced)
            through, end = end, end + many
        elif contact_id in open_calls:
            call_id = open_calls.pop(contact_id)
            if turn < 0.4:
                journal.abandon(call_id, contact_id)
                continue
            journal.ring(call_id, contact_id)
            how = chance.choice(list(Disposition))
            journal.end(call_id, contact_id, how)
            attempts[contact_id] = attempts.get(contact_id, 0) + 1
        elif through < contact_id <= end and not attempts.get(contact_id):
            open_calls[contact_id] = journal.ask(contact_id)
    if chance.random() < 0.4:
        journal.stop()
    return journal


def story(seed: int) -> Journal:
    """Tell a story with several runs."""
    author = Author(seed)
    for _ in range(STEPS):
        author.tell()
    return author.told


@pytest.mark.parametrize("seed", range(45))
def test_pages_are_slices_of_all_that_is_shown(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_tallies, "BITS", (4, 2, 1))  # Blocks of 16, 4 and 2.
    chance = random.Random(seed)
    views = fold(story(seed) if seed < 25 else history(chance), tmp_path, batches=chance)
    campaign = views.campaigns.by_id[1]
    with views.store.reading() as tx:
        met = {
            one.contact.contact_id: one.contact
            for one in contact_pages._listed(
                tx, campaign, campaign_pages.rows(tx, 1, range(1, campaign.contacts_end + 1), None)
            )
        }
        assert len(met) == campaign.contacts_end
        there = {
            number: shown(campaign, contact)
            for number, contact in met.items()
            if not gone(campaign, number, contact.ever, _calling(contact))
        }
        for status in (None, *ContactStatus):
            every = [n for n, now in there.items() if status in (None, now)]
            for skip in range(len(every) + 2):
                limit = chance.randint(1, 5)
                found, total = contact_pages.contacts(
                    tx, campaign, status, Page(1, limit, skip, limit), keys=None
                )
                assert total == len(every)
                assert [one.contact.contact_id for one in found] == every[skip : skip + limit]
        counted = set(tx.execute(select(CONTACT_TALLIES)).all())
        assert counted == grouped(tx), "however the log was batched"
    counters = campaign.counters
    skipped = sum(now is ContactStatus.SKIPPED for now in there.values())
    assert (len(there) - skipped, skipped) == (counters.total, counters.skipped)
    assert sum(now is ContactStatus.PENDING for now in there.values()) == counters.pending
    views.store.close()


def grouped(tx: Connection) -> set[tuple[object, ...]]:
    """Return what the tallies should be."""
    columns = CONTACTS.c
    every = Counter[tuple[object, ...]]()
    asked = select(
        columns.campaign_id, columns.contact_id, columns.epoch, columns.status, columns.tried
    )
    for campaign_id, contact_id, *standing in tx.execute(asked):
        for bits in contact_tallies.BITS:
            every[campaign_id, bits, (contact_id - 1) >> bits, *standing] += 1
    return {(*place, many) for place, many in every.items()}


def _calling(contact: Contact) -> bool:
    return contact.status is ContactStatus.IN_PROGRESS
