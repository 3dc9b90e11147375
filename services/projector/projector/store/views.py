"""Reads the rows that a batch needs, and writes those that it changed.

A few statements a batch, whatever the number of its records.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    exists,
    select,
    tuple_,
    update,
)

from campaigns.domain.campaign import Campaign, dump, load
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.codec import Codec, StructCodec
from campaigns.domain.contact import Contact
from campaigns.domain.facts import AnyKeyFact, ApiKeyCreated, ApiKeyRevoked
from campaigns.domain.values.instants import instant
from campaigns.domain.webhooks import Webhook, Webhooks
from projector.batch import Touched
from projector.projections.changes import Changes, EventPlace, Execution, Import, Place
from projector.store.tables import (
    API_KEYS,
    CAMPAIGNS,
    CONTACTS,
    EARLIER,
    EXECUTIONS,
    HISTORY,
    IMPORTS,
    LISTS,
    ORGANIZATION_RECORDS,
    OUTBOX,
    RECORDS,
    REVOKED_KEYS,
    ROWS,
    SNAPSHOTS,
    WEBHOOKS,
    plain,
)
from projector.store.tallies import contact_tallies
from projector.store.view_store import ViewStore

K = TypeVar("K")

CONTACT, EXECUTION, IMPORT = StructCodec(Contact), StructCodec(Execution), Codec(Import)
WEBHOOK = Codec(Webhook)
_CREATED, _REVOKED = Codec(ApiKeyCreated), Codec(ApiKeyRevoked)

_KEYS_A_QUERY = 500  # Below SQLite's limit of bound values.
_COUNTS = (
    update(LISTS)
    .where(LISTS.c.list_id == bindparam("counted"), LISTS.c.campaign_id.is_(None))
    .values(
        campaign_id=bindparam("of"),
        first_contact_id=bindparam("first"),
        rows=bindparam("many"),
        source=bindparam("from"),
        counted_at=bindparam("at"),
    )
)
_DROPS = delete(ROWS).where(
    ROWS.c.list_id == bindparam("dropped"),
    exists().where(LISTS.c.list_id == bindparam("dropped"), LISTS.c.campaign_id.is_(None)),
)


def look_up(store: ViewStore, tx: Connection, touched: Touched, changes: Changes) -> None:
    """Add the stored rows that a batch touches to its changes, unchanged."""
    for campaign_id, numbers in _by_campaign(touched.contacts).items():
        for met, state in store.chosen(tx, CONTACTS, campaign_id, numbers, "met, state"):
            contact = CONTACT.load(state, f"contact of campaign {campaign_id}")
            changes.contacts[campaign_id, contact.contact_id] = contact
            changes.met[campaign_id, contact.contact_id] = met
            changes.stood[campaign_id, contact.contact_id] = contact_tallies.standing(contact)
    for campaign_id, numbers in _by_campaign(touched.imports).items():
        for (state,) in store.chosen(tx, IMPORTS, campaign_id, numbers, "state"):
            found = IMPORT.load(state, f"import of campaign {campaign_id}")
            changes.imports[campaign_id, found.number] = found
    by_name = {(number, plain(import_id)): import_id for number, import_id in touched.lists}
    for partition in {number for number, _ in by_name}:
        for names in stretches([name for number, name in by_name if number == partition]):
            known = select(LISTS.c.import_id, LISTS.c.list_id).where(
                LISTS.c.partition == partition, LISTS.c.import_id.in_(names)
            )
            for name, list_id in tx.execute(known):
                changes.lists[partition, by_name[partition, name]] = list_id


def _by_campaign(places: Iterable[Place]) -> dict[int, list[int]]:
    """Group places by campaign: SQLite scans for pairs, but finds one column by its index."""
    by_campaign: dict[int, list[int]] = {}
    for campaign_id, number in places:
        by_campaign.setdefault(campaign_id, []).append(number)
    return by_campaign


def stretches(keys: Collection[K]) -> Iterator[list[K]]:
    """Yield keys in lists as long as one query may bind."""
    every = list(keys)
    for first in range(0, len(every), _KEYS_A_QUERY):
        yield every[first : first + _KEYS_A_QUERY]


def write(store: ViewStore, tx: Connection, changes: Changes) -> None:
    """Write the changes of a batch, with a statement for each fifty rows of a table."""
    store.put(tx, LISTS, [{**_NOT_COUNTING, **row} for row in changes.lists_met])
    if changes.lists_counted:
        tx.execute(_COUNTS, changes.lists_counted)
    if changes.lists_dropped:  # Before ROWS: rows after the failure stay.
        tx.execute(_DROPS, changes.lists_dropped)
    store.put_values(tx, ROWS, changes.rows)
    met = changes.met
    contacts = [contact_row(p, one, met[p]) for p, one in changes.contacts.items()]
    store.put_values(tx, CONTACTS, contacts)
    contact_tallies.add(tx, changes.stood, changes.contacts)
    earlier = [(*key, CONTACT.dump(one)) for key, one in changes.earlier.items()]
    store.put_values(tx, EARLIER, earlier)
    store.put_values(tx, EXECUTIONS, [_execution(p, one) for p, one in changes.executions.items()])
    store.put_values(tx, IMPORTS, [(*p, orjson.dumps(one)) for p, one in changes.imports.items()])
    store.put_values(tx, RECORDS, [(*p, *row) for p, row in changes.records.items()])
    blocks = [(*p, some) for p, some in changes.organization_records.items()]
    store.put_values(tx, ORGANIZATION_RECORDS, blocks)
    store.put_values(tx, SNAPSHOTS, [(*p, state) for p, state in changes.snapshots.items()])
    store.put_values(tx, HISTORY, [(*p, *counts) for p, counts in changes.history.items()])
    for table, kind in ((API_KEYS, ApiKeyCreated), (REVOKED_KEYS, ApiKeyRevoked)):
        keys = [
            {"key_hash": plain(key.key_hash), "fact": key.as_json()}
            for key in changes.keys
            if isinstance(key, kind)
        ]
        store.put(tx, table, keys)
    for webhook_id, webhook in changes.webhooks.items():
        if webhook is None:
            tx.execute(delete(WEBHOOKS).where(WEBHOOKS.c.webhook_id == plain(webhook_id)))
        else:
            store.put_values(tx, WEBHOOKS, [(plain(webhook_id), WEBHOOK.dump(webhook))])
    store.put_values(tx, OUTBOX, changes.events)


_NOT_COUNTING = dict.fromkeys(("campaign_id", "first_contact_id", "rows", "source", "counted_at"))


def contact_row(place: Place, contact: Contact, met: int) -> tuple[object, ...]:
    """Return a contact as a row of CONTACTS."""
    turn = turn_ms(contact.due_at) if contact.due_at is not None else 0
    turn = turn if contact.unplaced is None else -turn
    return *place, *contact_tallies.standing(contact), turn, met, CONTACT.dump(contact)


def turn_ms(at: datetime) -> int:
    """Return an instant as CONTACTS has it: in Unix milliseconds, never too early."""
    return math.ceil(at.timestamp() * 1000)


def _execution(place: Place, execution: Execution) -> tuple[object, ...]:
    return *place, execution.contact_id, execution.status, EXECUTION.dump(execution)


def write_campaigns(
    store: ViewStore, tx: Connection, dirty: Iterable[Campaign], partitions: int
) -> None:
    """Write the campaigns that a batch changed."""
    store.put(tx, CAMPAIGNS, [_row(campaign, partitions) for campaign in dirty])


def _row(campaign: Campaign, partitions: int) -> dict[str, Any]:
    created = campaign.created
    return {
        "campaign_id": created.campaign_id,
        "partition": created.campaign_id % partitions,
        "organization_id": created.organization_id,
        "deleted": int(campaign.deleted),
        "status": campaign.status.value,
        "campaign_type": created.campaign_type.value,
        "assistant_id": created.assistant_id,
        "created_at": instant(created.created_at),
        "searched": plain(f"{created.name}\n{created.description or ''}".casefold()),
        "state": dump(campaign),
    }


def delete_events(tx: Connection, partition: int, last: EventPlace) -> None:
    """Delete a partition's events up to `last` from the outbox: campaign.events has them."""
    published = tuple_(OUTBOX.c.position, OUTBOX.c.n) <= tuple_(*last)
    tx.execute(delete(OUTBOX).where(OUTBOX.c.partition == partition, published))


def restore(tx: Connection, campaigns: Campaigns, webhooks: Webhooks) -> list[AnyKeyFact]:
    """Load all campaigns and webhooks into empty folds; return the facts about API keys.

    Raises:
        StoreUnreadableError: one of them cannot be read; the fold is unchanged.

    """
    asked = select(CAMPAIGNS.c.campaign_id, CAMPAIGNS.c.partition, CAMPAIGNS.c.state)
    found = [(load(state, one), partition) for one, partition, state in tx.execute(asked)]
    made = tx.execute(select(API_KEYS.c.fact)).scalars()
    revoked = tx.execute(select(REVOKED_KEYS.c.fact)).scalars()
    keys: list[AnyKeyFact] = [*map(_CREATED.load, made)]
    keys += map(_REVOKED.load, revoked)
    made_webhooks = [WEBHOOK.load(one) for one in tx.execute(select(WEBHOOKS.c.state)).scalars()]
    for webhook in made_webhooks:
        webhooks.take(webhook)
    for campaign, partition in found:
        campaigns.take(campaign, partition)
    return keys
