"""The auditor's check of the services' states (invariants 1 and 7): a rebuild gives the same."""

import sqlite3
from typing import Any

from campaigns.domain.campaign import dump
from campaigns.domain.campaigns import Campaigns
from campaigns.log.digest import Chain
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition, campaign_partitions
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from projector.advance import Views
from projector.service import Projector
from projector.store.tables import (
    CAMPAIGNS,
    CONTACTS,
    EXECUTIONS,
    IMPORTS,
    LEDGERS,
    LISTS,
    ROWS,
    TRACKING,
)
from projector.store.view_store import ViewStore
from tests.simulation.auditor import Audit

REBUILT = (CAMPAIGNS, CONTACTS, EXECUTIONS, IMPORTS, LEDGERS, LISTS, ROWS, TRACKING)
TABLES = (
    "select campaign_id, contact_id, pending, due_at, state from contacts order by 1, 2",
    "select import_id, campaign_id, first_contact_id, rows from lists order by 1",
    "select l.import_id, l.key_id, r.row, r.details from rows r"
    " join lists l on l.list_id = r.list_id order by 1, 3",
)


def judge_stores(found: Audit) -> None:
    """Compare every service's state with one that is folded from the log alone."""
    campaigns, db = Campaigns(), sqlite3.connect(":memory:")
    contacts = Contacts(db)
    ledgers, chains = dict[Partition, Ledger](), dict[Partition, Chain]()
    for partition in campaign_partitions(found.plan.shape.partitions):
        ledger, chain = ledgers.setdefault(partition, Ledger()), Chain()
        chains[partition] = chain
        skipped = found.world.operators.skipped.get(partition, {})
        for recorded in found.world.log.core._records[partition]:
            if recorded.position in skipped:
                continue
            if isinstance(recorded.envelope, Envelope) and ledger.admit(recorded.envelope):
                chain.accept(recorded.position, recorded.raw or b"")
                fold_contacts(campaigns, contacts, recorded)
    contacts.flush()
    expected = {number: dump(campaign) for number, campaign in campaigns.by_id.items()}
    rows = [db.execute(table).fetchall() for table in TABLES]
    for name, part in found.world.parts_at_the_end.items():
        if isinstance(part, Projector):
            _judge_views(found, name, part)
            continue
        if {n: dump(c) for n, c in part.campaigns.by_id.items()} != expected:
            found.find(7, f"{name} has other campaigns than the log")
        if [part.store.db.execute(table).fetchall() for table in TABLES] != rows:
            found.find(7, f"{name} has other contacts than the log")
        for partition, ledger in ledgers.items():
            if _digest(part.reader.ledgers.get(partition, Ledger())) != _digest(ledger):
                found.find(1, f"{name} has ruled otherwise on {partition}")
            if part.reader.chain(partition) != chains[partition]:
                found.find(1, f"{name} has another digest of {partition}")
    db.close()


def _judge_views(found: Audit, name: str, part: Projector) -> None:
    """Compare the projector's views with views that are rebuilt from the log."""
    store = ViewStore(None, None)
    store.belongs_to(part.log.id, publishes=False)
    views = Views(store, part.log, False, lambda key: None)
    views.restore(part.partitions)
    views.reader.installation.skipped = found.world.operators.skipped
    for partition in part.partitions:
        if records := found.world.log.core._records[partition]:
            views.reader.step(partition, records)
    found.dangers["views were compared with views made anew"] += 1
    if part.store.dump(REBUILT) != store.dump(REBUILT):
        found.find(7, f"{name} shows other than the log says")
    store.close()
    part.store.close()


def _digest(ledger: Ledger) -> tuple[Any, ...]:
    """Return a ledger's versions, however it holds them."""
    return (
        {stream: n for stream, n in ledger.versions.items() if n},
        {
            name: [(number, n) for number, n in enumerate(block) if n]
            for name, block in ledger.contacts.items()
        },
    )
