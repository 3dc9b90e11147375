"""Pages of contacts against a plain reckoning of the same history, whatever it is."""

import random
from pathlib import Path

import pytest

from campaigns.campaign import Contact, ContactStatus, gone, shown
from campaigns.facts import Disposition
from projector.queries import reading
from projector.queries.paging import Page
from tests.integration.test_projector_views import fold
from tests.journal import Journal


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


@pytest.mark.parametrize("seed", range(25))
def test_pages_are_slices_of_all_that_is_shown(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WINDOW", 3)
    chance = random.Random(seed)
    views = fold(history(chance), tmp_path, batches=chance)
    campaign = views.campaigns.by_id[1]
    with views.store.reading() as tx:
        met = {
            one.contact.contact_id: one.contact
            for one in reading._listed(tx, 1, range(1, campaign.contacts_end + 1))
        }
        assert len(met) == campaign.contacts_end
        there = {
            number: shown(campaign, contact)
            for number, contact in met.items()
            if not gone(campaign, number, contact.attempts, _calling(contact))
        }
        for status in (None, *ContactStatus):
            every = [n for n, now in there.items() if status in (None, now)]
            for skip in range(len(every) + 2):
                limit = chance.randint(1, 5)
                found, total = reading.contacts(tx, campaign, status, Page(1, limit, skip, limit))
                assert total == len(every)
                assert [one.contact.contact_id for one in found] == every[skip : skip + limit]
    counters = campaign.counters
    assert len(there) == counters.total
    assert sum(now is ContactStatus.PENDING for now in there.values()) == counters.pending
    views.store.close()


def _calling(contact: Contact) -> bool:
    return contact.status is ContactStatus.IN_PROGRESS
