"""Reads pages of contacts, filtered by the status that is shown. Knows no HTTP.

Most contacts of a long list have no row in CONTACTS: they were never called ("untouched"), and
their status follows from their campaign. A page costs the same wherever it is and however many
contacts there are: those that stand alike are counted by blocks (`store.tallies.contact_tallies`).
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, literal, or_, select, true

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import FAILED, Contact, ContactStatus, current
from campaigns.domain.facts import Selection
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import ListKeys
from projector.queries.campaign_pages import ImportedRow, erased_through_of, rows, windows
from projector.queries.page import Page
from projector.queries.row_details import Unread
from projector.store.tables import CONTACTS
from projector.store.tallies.contact_tallies import ALL, Filter, Search, counted
from projector.store.views import CONTACT, stretches


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
    unread: Unread | None = None,
) -> tuple[Iterable[ListedContact], int]:
    """Return a page of a campaign's contacts in the order of their lists, and how many there are.

    They are read lazily, within the transaction. `status` is the one that is shown: pending
    contacts of a stopped campaign are cancelled. `lists`: a transaction of another store, which
    has the rows of their lists. `unread`: as `rows`.
    """
    stopped = campaign.status is Status.CANCELLED
    waiting = ContactStatus.CANCELLED if stopped else ContactStatus.PENDING
    if stopped and status is ContactStatus.PENDING:
        return [], 0
    stored = ContactStatus.PENDING if status is waiting else status
    wanted = _any if stored is None else _shown_as(campaign, stored)
    total = _total(campaign, status)
    if total is None:  # The campaign counts together what ended without success.
        parts = _touched(campaign, wanted, 1, ALL)
        total = sum(counted(tx, campaign.campaign_id, *part) for part in parts)
    if page.skip >= total:
        return [], total
    search = _search(tx, campaign, page.skip, page.limit)
    if status is None:
        first, last = _untouched_range(campaign, None)
        _go_through(search, campaign, wanted, 1, first - 1)
        begin = first + search.skip
        numbers = search.numbers + list(
            range(begin, min(begin + page.limit - len(search.numbers), last + 1))
        )
    else:
        numbers = _found(
            search, campaign, wanted, status in (waiting, ContactStatus.SKIPPED), status is waiting
        )
    rows_of = tx if lists is None else lists
    campaign_id = campaign.campaign_id
    erased = erased_through_of(rows_of, campaign_id)  # Once a page: it may have long texts.
    given = partial(rows, rows_of, campaign_id, keys=keys, unread=unread, erased_through=erased)
    listed = (_listed(tx, campaign, given(some)) for some in windows(numbers))
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


def _any(_: Any) -> ColumnElement[bool]:
    return true()


def _shown_as(campaign: Campaign, status: ContactStatus) -> Filter:
    """Return the filter of touched contacts with a status in the campaign's current epoch."""
    return lambda of: _shown_status(campaign, of) == status.value


def _shown_status(campaign: Campaign, of: Any) -> ColumnElement[str]:
    """Return the status of a touched contact: `campaigns.domain.contact.current` in SQL."""
    if not campaign.epoch:
        return of.status  # type: ignore[no-any-return]  # A column.
    pending, skipped = literal(ContactStatus.PENDING.value), literal(ContactStatus.SKIPPED.value)
    otherwise: ColumnElement[str]
    match campaign.selection:
        case Selection.ALL:
            otherwise = pending
        case Selection.FAILED_ONLY:
            failed = of.status.in_(sorted(FAILED))
            before = of.epoch == campaign.epoch - 1
            otherwise = case((before & failed, pending), else_=skipped)
        case Selection.CONTACTS:
            otherwise = skipped
    return case((of.epoch == campaign.epoch, of.status), else_=otherwise)


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


def _touched(
    campaign: Campaign, wanted: Filter, first: int, last: int
) -> Iterator[tuple[Filter, int, int]]:
    """Yield filters of touched contacts, each with the range of ids that it is for, in order.

    Without those that an import replaced: `gone`, in SQL.
    """

    def stayed(of: Any) -> ColumnElement[bool]:
        return and_(wanted(of), or_(of.tried == 1, of.status == ContactStatus.IN_PROGRESS.value))

    old = min(campaign.replaced_through, last)
    yield stayed, first, old
    yield wanted, max(first, old + 1), last


def _search(tx: Connection, campaign: Campaign, skip: int, limit: int) -> Search:
    return Search(tx, campaign.campaign_id, campaign.contacts_end, skip, limit)


def _go_through(search: Search, campaign: Campaign, wanted: Filter, first: int, last: int) -> None:
    for part in _touched(campaign, wanted, first, last):
        search.among(*part)


def _found(
    search: Search, campaign: Campaign, wanted: Filter, untouched: bool, waiting: bool
) -> list[int]:
    """Return the ids of touched contacts that meet a filter and, in their range, of untouched ones.

    `untouched`: whether there are such ones, of which `waiting` says which.
    """
    first, last = _untouched_range(campaign, waiting) if untouched else (1, 0)
    last = max(last, first - 1)
    _go_through(search, campaign, wanted, 1, first - 1)
    search.without(lambda of: ~wanted(of), first, last)
    _go_through(search, campaign, wanted, last + 1, campaign.contacts_end)
    return search.numbers


def _listed(
    tx: Connection, campaign: Campaign, given: Mapping[int, ImportedRow]
) -> list[ListedContact]:
    campaign_id, met = campaign.campaign_id, dict[int, Contact]()
    for some in stretches(given):
        asked = select(CONTACTS.c.state).where(
            CONTACTS.c.campaign_id == campaign_id, CONTACTS.c.contact_id.in_(some)
        )
        for state in tx.execute(asked).scalars():
            contact = CONTACT.load(state, f"contact of campaign {campaign_id}")
            met[contact.contact_id] = contact
    return [
        ListedContact(current(campaign, met.get(number) or Contact(number)), *given[number])
        for number in sorted(given)
    ]


def fresh(tx: Connection, campaign: Campaign, limit: int) -> list[int]:
    """Return the next contacts without a permission since the campaign was armed, in list order.

    The rule is `campaigns.stores.contacts.Contacts.fresh`, in SQL.
    """

    def before(of: Any) -> ColumnElement[bool]:
        shown = _shown_status(campaign, of) == ContactStatus.PENDING.value
        return shown & (of.epoch < campaign.epoch)  # type: ignore[no-any-return]

    return _found(_search(tx, campaign, 0, limit), campaign, before, True, True)
