"""Which contacts may be called next: the store agrees with a look at each contact."""

from datetime import timedelta

from campaigns.domain.campaign import gone
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import ContactStatus
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from tests.support.author import STEPS, STORIES, Author
from tests.support.folded_journal import FoldedJournal


def waiting(told: FoldedJournal) -> set[int]:
    """Look at each contact."""
    campaign = told.campaign
    return {
        n
        for n in range(1, campaign.contacts_end + 1)
        if told.contact(n).status is ContactStatus.PENDING
        and not gone(campaign, n, told.contact(n).ever, False)
    }


def found(told: FoldedJournal, limit: int) -> tuple[list[int], list[int]]:
    """Return the fresh and the due contacts, as a dialer reads its store, and the rest."""
    campaigns, contacts = Campaigns(), Contacts(CheckpointStore(None, "a test").db)
    for recorded in told.records:
        fold_contacts(campaigns, contacts, recorded)
    campaign, fresh, looked = campaigns.by_id[1], list[int](), 0
    while looked < campaign.contacts_end:
        ids, further = contacts.fresh(campaign, looked, limit)
        assert further > looked
        fresh, looked = fresh + ids, further
    due = [one.contact_id for one in contacts.due(campaign, told.now + timedelta(days=9), 1000)]
    pending = {
        n
        for n in fresh
        if contacts.get(campaign, n).status is ContactStatus.PENDING
        and not gone(campaign, n, contacts.get(campaign, n).ever, False)
    }
    assert len(fresh) - len(pending) <= campaign.counters.skipped, "hardly any in vain"
    return [n for n in fresh if n in pending], due


def test_everybody_who_waits_is_found_once() -> None:
    anew = several = 0
    for seed in range(STORIES):
        author = Author(seed)
        for _ in range(STEPS):
            author.tell()
        fresh, due = found(author.told, limit=1 + seed % 5)
        assert fresh == sorted(set(fresh))
        assert len(due) == len(set(due))
        assert not set(fresh) & set(due)
        assert set(fresh) | set(due) == waiting(author.told), seed
        anew += author.told.campaign.epoch > 0
        several += bool(fresh) and bool(due)
    assert anew > 30
    assert several > 30
