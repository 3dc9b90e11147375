"""A campaign's contacts at the begin of a stretch of positions: those of the present, taken back.

Costs as much as the campaign has contacts that were ever called, however long its history is.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from projector.store.comparison import Row, in_order_of
from projector.store.tables import CONTACTS, EARLIER
from projector.store.tallies import contact_tallies
from projector.store.view_store import ViewStore
from projector.store.views import CONTACT, contact_row

_ROWS_A_WRITE = 5_000
_MET = list(CONTACTS.c).index(CONTACTS.c.met)


def called(tx: Connection, campaign_id: int) -> int:
    """Return how many contacts of a campaign were ever called."""
    asked = select(func.count()).where(CONTACTS.c.campaign_id == campaign_id)
    return int(tx.execute(asked).scalar_one())


def copied(tx: Connection, campaign_id: int, stretch: int, store: ViewStore) -> None:
    """Copy a campaign's contacts into another store, as they were at the begin of a stretch."""
    rows = list[Row]()
    with store.writing() as to:
        for row in at_begin(tx, campaign_id, stretch):
            rows.append(row)
            if len(rows) == _ROWS_A_WRITE:
                store.put_values(to, CONTACTS, rows)
                rows = []
        store.put_values(to, CONTACTS, rows)
        contact_tallies.fill(to)


def at_begin(tx: Connection, campaign_id: int, stretch: int) -> Iterator[Row]:
    """Yield the rows of CONTACTS as they were at the begin of a stretch, by their numbers."""
    changed = _changed(tx, campaign_id, stretch)
    next_id, state = next(changed, (None, b""))
    asked = select(CONTACTS).where(CONTACTS.c.campaign_id == campaign_id)
    for row in in_order_of(tx, asked.order_by(CONTACTS.c.contact_id)):
        contact_id, met = row[1], row[_MET]
        changed_since = contact_id == next_id
        if met < stretch and changed_since:
            contact = CONTACT.load(state, f"contact of campaign {campaign_id}")
            yield contact_row((campaign_id, contact_id), contact, met)
        elif met < stretch:
            yield row
        if changed_since:
            next_id, state = next(changed, (None, b""))
    assert next_id is None, "a contact that has changed is there"


def _changed(tx: Connection, campaign_id: int, stretch: int) -> Iterator[tuple[int, bytes]]:
    """Yield each contact that has changed since, by number, with its state at the begin."""
    first = (
        select(EARLIER.c.contact_id, func.min(EARLIER.c.stretch).label("stretch"))
        .where(EARLIER.c.campaign_id == campaign_id, EARLIER.c.stretch >= stretch)
        .group_by(EARLIER.c.contact_id)
        .subquery()
    )
    asked = (
        select(EARLIER.c.contact_id, EARLIER.c.state)
        .join(
            first,
            (EARLIER.c.contact_id == first.c.contact_id) & (EARLIER.c.stretch == first.c.stretch),
        )
        .where(EARLIER.c.campaign_id == campaign_id)
        .order_by(EARLIER.c.contact_id)
    )
    for contact_id, state in in_order_of(tx, asked):
        yield contact_id, bytes(state)
