"""Reads pages of contacts, filtered by the status that is shown. Knows no HTTP.

Most contacts of a long list have no row in CONTACTS: they were never called ("untouched"), and
their status follows from their campaign.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, func, literal, or_, select

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import FAILED, Contact, ContactStatus, current
from campaigns.domain.facts import Selection
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import ListKeys
from projector.queries.campaign_pages import rows, windows
from projector.queries.page import Page
from projector.store.tables import CONTACTS
from projector.store.views import CONTACT, stretches

_WINDOW = 4096  # Contacts examined by one query.


class ListedContact(NamedTuple):
    """One contact of a page: its state, and its row as imported."""

    contact: Contact
    row: Row | None  # None: it is forgotten.
    source: str | None
    created_at: str | None


def contacts(
    tx: Connection,
    campaign: Campaign,
    status: ContactStatus | None,
    page: Page,
    lists: Connection | None = None,
    keys: ListKeys | None = None,
) -> tuple[Iterable[ListedContact], int]:
    """Return a page of a campaign's contacts in the order of their lists, and how many there are.

    They are read lazily, within the transaction. `status` is the one that is shown: pending
    contacts of a stopped campaign are cancelled. `lists`: a transaction of another store, which
    has the rows of their lists.
    """
    stopped = campaign.status is Status.CANCELLED
    waiting = ContactStatus.CANCELLED if stopped else ContactStatus.PENDING
    if stopped and status is ContactStatus.PENDING:
        return [], 0
    condition = _not_gone(campaign)
    if status is not None:
        stored = ContactStatus.PENDING if status is waiting else status
        condition &= _shown_status(campaign) == stored.value
    total = _total(campaign, status)
    if total is None:  # The campaign counts together what ended without success.
        total = _count_touched(tx, campaign, condition)
    first, last = _untouched_range(campaign, None if status is None else status is waiting)
    if page.skip >= total:
        return [], total
    if status in (None, waiting, ContactStatus.SKIPPED):
        numbers = _ids_with_untouched(
            tx, campaign, condition, page, first, last, everybody=status is None
        )
    else:
        numbers = _touched_ids(tx, campaign, condition, page.skip, page.limit)
    rows_of = tx if lists is None else lists
    listed = (_listed(tx, rows_of, keys, campaign, some) for some in windows(numbers))
    return (one for some in listed for one in some), total


def _total(campaign: Campaign, status: ContactStatus | None) -> int | None:
    """Return how many contacts a list has, by the campaign's counters; None: they do not say."""
    counters = campaign.counters
    return {
        None: counters.total + counters.skipped,
        ContactStatus.PENDING: counters.pending,
        ContactStatus.IN_PROGRESS: counters.in_progress,
        ContactStatus.COMPLETED: counters.completed,
        ContactStatus.CANCELLED: counters.cancelled,
        ContactStatus.SKIPPED: counters.skipped,
    }.get(status)


def _shown_status(campaign: Campaign) -> ColumnElement[str]:
    """Return the status of a touched contact: `campaigns.domain.contact.current` in SQL."""
    if not campaign.epoch:
        return CONTACTS.c.status
    pending, skipped = literal(ContactStatus.PENDING.value), literal(ContactStatus.SKIPPED.value)
    otherwise: ColumnElement[str]
    match campaign.selection:
        case Selection.ALL:
            otherwise = pending
        case Selection.FAILED_ONLY:
            failed = CONTACTS.c.status.in_(sorted(FAILED))
            before = CONTACTS.c.epoch == campaign.epoch - 1
            otherwise = case((before & failed, pending), else_=skipped)
        case Selection.CONTACTS:
            otherwise = skipped
    return case((CONTACTS.c.epoch == campaign.epoch, CONTACTS.c.status), else_=otherwise)


def _untouched_range(campaign: Campaign, waiting: bool | None) -> tuple[int, int]:
    """Return the range of untouched ids: waiting (True), skipped (False), or both (None).

    Untouched contacts after the last re-arming wait; so do those before it if it selected all.
    """
    begin, end = campaign.replaced_through + 1, campaign.contacts_end
    all_wait = campaign.selection is Selection.ALL
    through = 0 if all_wait else campaign.rearmed_through
    if waiting is None:
        return begin, end
    return (max(begin, through + 1), end) if waiting else (begin, through)


def _not_gone(campaign: Campaign) -> ColumnElement[bool]:
    """Return the condition that no import replaced a touched contact: not `gone`, in SQL."""
    return or_(
        CONTACTS.c.contact_id > campaign.replaced_through,
        CONTACTS.c.tried == 1,
        CONTACTS.c.status == ContactStatus.IN_PROGRESS.value,
    )


def _count_touched(tx: Connection, campaign: Campaign, condition: ColumnElement[bool]) -> int:
    of = CONTACTS.c.campaign_id == campaign.campaign_id
    return int(
        tx.execute(select(func.count()).select_from(CONTACTS).where(of, condition)).scalar_one()
    )


def _touched_ids(
    tx: Connection, campaign: Campaign, condition: ColumnElement[bool], skip: int, limit: int
) -> list[int]:
    """Return the ids of touched contacts that meet the condition, in order."""
    found = select(CONTACTS.c.contact_id).where(
        CONTACTS.c.campaign_id == campaign.campaign_id, condition
    )
    found = found.order_by(CONTACTS.c.contact_id).offset(skip).limit(limit)
    return list(tx.execute(found).scalars())


def _ids_with_untouched(
    tx: Connection,
    campaign: Campaign,
    condition: ColumnElement[bool],
    page: Page,
    begin: int,
    end: int,
    *,
    everybody: bool,
) -> list[int]:
    """Return the ids of a page of untouched contacts, and of touched ones that meet the condition.

    Ids from `begin` to `end` are dense: touched contacts that do not meet the condition are left
    out, a window at a time. Before `begin` only touched contacts count, and none after `end`.
    `everybody`: no filter.
    """
    skip, numbers = page.skip, list[int]()
    if begin > 1:
        old = condition & (CONTACTS.c.contact_id < begin)
        numbers = _touched_ids(tx, campaign, old, skip, page.limit)
        skip = 0 if numbers else skip - _count_touched(tx, campaign, old)
    if everybody:
        first = begin + skip
        return [*numbers, *range(first, min(first + page.limit - len(numbers), end + 1))]
    for first in range(begin, end + 1, _WINDOW):
        if len(numbers) == page.limit:
            break
        last = min(first + _WINDOW - 1, end)
        other = CONTACTS.c.contact_id.between(first, last) & ~condition
        many = last - first + 1 - _count_touched(tx, campaign, other)
        if many <= skip:
            skip -= many
            continue
        others = set(_touched_ids(tx, campaign, other, 0, _WINDOW))
        some = [number for number in range(first, last + 1) if number not in others]
        numbers += some[skip : skip + page.limit - len(numbers)]
        skip = 0
    return numbers


def _listed(
    tx: Connection,
    lists: Connection,
    keys: ListKeys | None,
    campaign: Campaign,
    numbers: Collection[int],
) -> list[ListedContact]:
    campaign_id = campaign.campaign_id
    given, met = rows(lists, campaign_id, numbers, keys), dict[int, Contact]()
    for some in stretches(numbers):
        asked = select(CONTACTS.c.state).where(
            CONTACTS.c.campaign_id == campaign_id, CONTACTS.c.contact_id.in_(some)
        )
        for state in tx.execute(asked).scalars():
            contact = CONTACT.load(state, f"contact of campaign {campaign_id}")
            met[contact.contact_id] = contact
    return [
        ListedContact(current(campaign, met.get(number) or Contact(number)), *given[number])
        for number in numbers
        if number in given
    ]


def fresh(tx: Connection, campaign: Campaign, limit: int) -> list[int]:
    """Return the next contacts without a permission since the campaign was armed, in list order.

    The rule is `campaigns.stores.contacts.Contacts.fresh`, in SQL.
    """
    waiting = _shown_status(campaign) == ContactStatus.PENDING.value
    before = _not_gone(campaign) & waiting & (CONTACTS.c.epoch < campaign.epoch)
    first, last = _untouched_range(campaign, True)
    page = Page(1, limit, 0, limit)
    return _ids_with_untouched(tx, campaign, before, page, first, last, everybody=False)
