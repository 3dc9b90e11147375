"""What a store holds of contacts does not depend on how its facts fell into batches."""

import random
import sqlite3

from campaigns.domain.campaigns import Campaigns
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from tests.support.author import STEPS, Author
from tests.support.folded_journal import FoldedJournal

STORIES = 100
ALL = "select * from contacts order by campaign_id, contact_id"


def folded(told: FoldedJournal, chance: random.Random, flushed: float) -> sqlite3.Connection:
    """Fold a story with a batch's end behind some of its records, and at its end."""
    db = sqlite3.connect(":memory:")
    campaigns, contacts = Campaigns(), Contacts(db)
    for recorded in told.records:
        fold_contacts(campaigns, contacts, recorded)
        if chance.random() < flushed:
            contacts.flush()
    seen = [contacts.get(campaigns.by_id[1], n) for n in sorted(told.contacts)]
    assert seen == [told.contact(n) for n in sorted(told.contacts)], "flushed or not"
    contacts.flush()
    return db


def test_a_contact_s_row_is_the_same_however_its_facts_were_batched() -> None:
    rows = 0
    for seed in range(STORIES):
        author, chance = Author(seed), random.Random(seed)
        for _ in range(STEPS):
            author.tell()
        stores = [folded(author.told, chance, flushed) for flushed in (1.0, 0.3, 0.0)]
        each, some, none = (store.execute(ALL).fetchall() for store in stores)
        assert each == some == none, seed
        rows += len(each)
        for store in stores:
            store.close()
    assert rows > STORIES


def test_what_is_put_is_written_by_nobody_before_the_batch_ends() -> None:
    author = Author(7)
    for _ in range(STEPS):
        author.tell()
    db = sqlite3.connect(":memory:")
    campaigns, contacts = Campaigns(), Contacts(db)
    for recorded in author.told.records:
        fold_contacts(campaigns, contacts, recorded)
    assert db.execute(ALL).fetchall() == []
    contacts.due(campaigns.by_id[1], author.told.now, 1)  # Whoever looks them up sees them.
    assert db.execute(ALL).fetchall() != []
    db.close()
