"""Why a contact is not called now: the gates, asked of the views. Knows no HTTP.

Whose turn it is follows from the contacts' rows as in `dialer.reactor.queue`; what only a dialer
knows of itself is left out (ADR-0031).
"""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, func, select

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus, current
from campaigns.domain.decider import Rejected
from campaigns.domain.moves import Status
from campaigns.gates.gates import first_shut
from campaigns.gates.room import Reading, Turn, room
from campaigns.personal.list_keys import ListKeys
from projector.queries import contact_pages
from projector.queries.campaign_pages import unread_of
from projector.store.tables import CONTACTS
from projector.store.views import CONTACT, turn_ms


def shut(
    tx: Connection,
    campaign: Campaign,
    contact: Contact | None,
    now: datetime,
    keys: ListKeys | None,
) -> Rejected | None:
    """Return the first gate that is shut for a contact; for the campaign as a whole if None.

    None: no gate is shut that the log can tell of.
    """
    running = campaign.status is Status.RUNNING
    unread = unread_of(tx, campaign, keys) if running else None
    reading = Reading(campaign, contact, unread=unread)
    if no := first_shut(reading, now):
        return no
    return first_shut(reading._replace(turn=whose_turn(tx, campaign, room(reading, now), now)), now)


def contact_of(tx: Connection, campaign: Campaign, contact_id: int) -> Contact | None:
    """Return a contact as it is now, or None if the campaign has none with that id."""
    if contact_id > campaign.contacts_end:
        return None
    of = CONTACTS.c.campaign_id == campaign.campaign_id
    asked = select(CONTACTS.c.state).where(of, CONTACTS.c.contact_id == contact_id)
    state = tx.execute(asked).scalar()
    where = f"contact of campaign {campaign.campaign_id}"
    return current(campaign, CONTACT.load(state, where) if state else Contact(contact_id))


def whose_turn(tx: Connection, campaign: Campaign, wanted: int, now: datetime) -> Turn:
    """Return the contacts for whom there is room, in order; or when the next one is due."""
    now_ms = turn_ms(now)
    turn = CONTACTS.c.turn
    ids = _touched(tx, campaign, turn.between(0, now_ms), turn, wanted)
    if len(ids) < wanted:
        ids += contact_pages.fresh(tx, campaign, wanted - len(ids))
    if len(ids) < wanted:
        in_vain = turn.between(-now_ms, -1)
        ids += _touched(tx, campaign, in_vain, turn.desc(), wanted - len(ids))
    return Turn(ids, None if ids else _next_at(tx, campaign))


def _waiting(campaign: Campaign) -> ColumnElement[bool]:
    """Return the condition that a touched contact is pending in the present epoch, and not gone."""
    return (
        (CONTACTS.c.campaign_id == campaign.campaign_id)
        & (CONTACTS.c.status == ContactStatus.PENDING.value)
        & (CONTACTS.c.epoch == campaign.epoch)
        & ((CONTACTS.c.contact_id > campaign.replaced_through) | (CONTACTS.c.tried == 1))
    )


def _touched(
    tx: Connection,
    campaign: Campaign,
    due: ColumnElement[bool],
    order: ColumnElement[int],
    limit: int,
) -> list[int]:
    found = select(CONTACTS.c.contact_id).where(_waiting(campaign), due)
    return list(tx.execute(found.order_by(order, CONTACTS.c.contact_id).limit(limit)).scalars())


def _next_at(tx: Connection, campaign: Campaign) -> datetime | None:
    """Return when the next resting contact is due. None: nobody rests."""
    asked = select(func.min(func.abs(CONTACTS.c.turn))).where(_waiting(campaign))
    first_ms = tx.execute(asked).scalar()
    return None if first_ms is None else datetime.fromtimestamp(first_ms / 1000, UTC)
