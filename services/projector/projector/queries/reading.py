"""What the queries read of the store: pages of campaigns, contacts and executions. No HTTP.

Each function sees one state of the views (the caller's read transaction). A contact's row is found
by its list's range; what became of it only where it was ever asked for.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select

from campaigns.campaign import Campaign, Contact, ContactStatus, Status, load
from campaigns.facts import Row
from projector.changes import Execution, Import
from projector.queries.paging import Page
from projector.tables import CAMPAIGNS, CONTACTS, EXECUTIONS, IMPORTS, LISTS, ROWS, plain
from projector.views import CONTACT, EXECUTION, IMPORT, stretches

_WINDOW = 4096  # Contacts looked at together.


class Given(NamedTuple):
    """A contact as it was given."""

    row: Row
    source: str | None
    created_at: str | None  # When its list counted.


class Listed(NamedTuple):
    """One contact of a page: what became of it, and as it was given."""

    contact: Contact
    row: Row
    source: str | None
    created_at: str | None


class Attempt(NamedTuple):
    """One execution of a page, and whom it called."""

    execution: Execution
    row: Row | None


class Wanted(NamedTuple):
    """Which campaigns a list asks for. None: all."""

    organization_id: int
    status: str | None
    campaign_type: str | None
    assistant_id: int | None
    search: str | None


def campaign_of(tx: Connection, campaign_id: int) -> Campaign | None:
    """Return a campaign, or None when there is none."""
    state = tx.execute(
        select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.campaign_id == campaign_id)
    ).scalar()
    return None if state is None else load(state)


def campaigns(tx: Connection, wanted: Wanted, page: Page) -> tuple[list[Campaign], int]:
    """Return a page of an organization's campaigns, newest first, and how many there are."""
    where = [CAMPAIGNS.c.organization_id == wanted.organization_id, CAMPAIGNS.c.deleted == 0]
    where += [
        CAMPAIGNS.c[column] == value
        for column in ("status", "campaign_type", "assistant_id")
        if (value := getattr(wanted, column)) is not None
    ]
    if wanted.search:
        needle = plain(wanted.search.casefold())
        where.append(CAMPAIGNS.c.searched.contains(needle, autoescape=True))
    total = int(tx.execute(select(func.count()).select_from(CAMPAIGNS).where(*where)).scalar_one())
    if page.skip >= total:
        return [], total
    newest = CAMPAIGNS.c.created_at.desc(), CAMPAIGNS.c.campaign_id.desc()
    found = select(CAMPAIGNS.c.state).where(*where).order_by(*newest)
    states = tx.execute(found.offset(page.skip).limit(page.limit)).scalars()
    return [load(state) for state in states], total


def contacts(
    tx: Connection, campaign: Campaign, status: ContactStatus | None, page: Page
) -> tuple[list[Listed], int]:
    """Return a page of a campaign's contacts in the order of their lists, and how many there are.

    A status is what people see: pending contacts of a stopped campaign are cancelled.
    """
    stopped = campaign.status is Status.CANCELLED
    waiting = ContactStatus.CANCELLED if stopped else ContactStatus.PENDING
    if stopped and status is ContactStatus.PENDING:
        return [], 0
    so = _not_gone(campaign)
    if status is not None:
        stored = ContactStatus.PENDING if status is waiting else status
        so &= CONTACTS.c.status == stored.value
    total = _touched(tx, campaign, so)
    if status in (None, waiting):
        total += _untouched(tx, campaign)
    if page.skip >= total:
        return [], total
    if status in (None, waiting):
        numbers = _with_untouched(tx, campaign, so, page, everybody=status is None)
    else:
        numbers = _some(tx, campaign, so, page.skip, page.limit)
    return _listed(tx, campaign.campaign_id, numbers), total


def _not_gone(campaign: Campaign) -> ColumnElement[bool]:
    """Say that no replacing import took a touched contact: `campaigns.campaign.gone` in SQL."""
    return or_(
        CONTACTS.c.contact_id > campaign.replaced_through,
        CONTACTS.c.attempts > 0,
        CONTACTS.c.status == ContactStatus.IN_PROGRESS.value,
    )


def _touched(tx: Connection, campaign: Campaign, so: ColumnElement[bool]) -> int:
    of = CONTACTS.c.campaign_id == campaign.campaign_id
    return int(tx.execute(select(func.count()).select_from(CONTACTS).where(of, so)).scalar_one())


def _untouched(tx: Connection, campaign: Campaign) -> int:
    """Count who was never asked for and is not gone: ids are dense, so nobody is looked at."""
    later = CONTACTS.c.contact_id > campaign.replaced_through
    return campaign.contacts_end - campaign.replaced_through - _touched(tx, campaign, later)


def _some(
    tx: Connection, campaign: Campaign, so: ColumnElement[bool], skip: int, limit: int
) -> list[int]:
    """Return the ids of touched contacts that are so, in order."""
    found = select(CONTACTS.c.contact_id).where(CONTACTS.c.campaign_id == campaign.campaign_id, so)
    found = found.order_by(CONTACTS.c.contact_id).offset(skip).limit(limit)
    return list(tx.execute(found).scalars())


def _with_untouched(
    tx: Connection, campaign: Campaign, so: ColumnElement[bool], page: Page, *, everybody: bool
) -> list[int]:
    """Return the ids of a page of touched contacts that are so, and of all untouched ones.

    Behind the last replacing import ids are dense: a window of them at a time, who is not so is
    left out; before it there are touched contacts only. `everybody`: none is left out.
    """
    through, skip, numbers = campaign.replaced_through, page.skip, list[int]()
    if through:
        old = so & (CONTACTS.c.contact_id <= through)
        numbers = _some(tx, campaign, old, skip, page.limit)
        skip = 0 if numbers else skip - _touched(tx, campaign, old)
    if everybody:
        begin = through + 1 + skip
        end = min(begin + page.limit - len(numbers), campaign.contacts_end + 1)
        return [*numbers, *range(begin, end)]
    for first in range(through + 1, campaign.contacts_end + 1, _WINDOW):
        if len(numbers) == page.limit:
            break
        last = min(first + _WINDOW - 1, campaign.contacts_end)
        other = CONTACTS.c.contact_id.between(first, last) & ~so
        many = last - first + 1 - _touched(tx, campaign, other)
        if many <= skip:
            skip -= many
            continue
        others = set(_some(tx, campaign, other, 0, _WINDOW))
        some = [number for number in range(first, last + 1) if number not in others]
        numbers += some[skip : skip + page.limit - len(numbers)]
        skip = 0
    return numbers


def _listed(tx: Connection, campaign_id: int, numbers: Collection[int]) -> list[Listed]:
    given, met = rows(tx, campaign_id, numbers), dict[int, Contact]()
    for some in stretches(numbers):
        asked = select(CONTACTS.c.state).where(
            CONTACTS.c.campaign_id == campaign_id, CONTACTS.c.contact_id.in_(some)
        )
        for state in tx.execute(asked).scalars():
            contact = CONTACT.validate_json(state)
            met[contact.contact_id] = contact
    return [
        Listed(met.get(number) or Contact(number), *given[number])
        for number in numbers
        if number in given
    ]


def rows(tx: Connection, campaign_id: int, numbers: Collection[int]) -> dict[int, Given]:
    """Return contacts as they were given, by their numbers; those that no list has are missing."""
    if not numbers:
        return {}
    end = LISTS.c.first_contact_id + LISTS.c.rows
    lists = select(LISTS).where(
        LISTS.c.campaign_id == campaign_id,
        LISTS.c.first_contact_id <= max(numbers),
        end > min(numbers),
    )
    given: dict[int, Given] = {}
    for one in tx.execute(lists).all():
        before = one.first_contact_id - 1  # Row 1 is contact before + 1.
        wanted = [n - before for n in numbers if 0 < n - before <= one.rows]
        for some in stretches(wanted):
            asked = select(ROWS.c.row, ROWS.c.details).where(
                ROWS.c.list_id == one.list_id, ROWS.c.row.in_(some)
            )
            for row, details in tx.execute(asked):
                as_given = Row.model_validate_json(details)
                given[before + row] = Given(as_given, one.source, one.counted_at)
    return given


def executions(
    tx: Connection, campaign_id: int, status: str | None, page: Page
) -> tuple[list[Attempt], int]:
    """Return a page of a campaign's executions, newest first, and how many there are."""
    where = [EXECUTIONS.c.campaign_id == campaign_id]
    if status is not None:
        where.append(EXECUTIONS.c.status == status)
    counted = select(func.count()).select_from(EXECUTIONS).where(*where)
    total = int(tx.execute(counted).scalar_one())
    if page.skip >= total:
        return [], total
    newest = select(EXECUTIONS.c.state).where(*where).order_by(EXECUTIONS.c.execution_id.desc())
    states = tx.execute(newest.offset(page.skip).limit(page.limit)).scalars()
    found = [EXECUTION.validate_json(state) for state in states]
    given = rows(tx, campaign_id, {one.contact_id for one in found})
    return [
        Attempt(one, given[one.contact_id].row if one.contact_id in given else None)
        for one in found
    ], total


def import_of(tx: Connection, campaign_id: int, number: int) -> Import | None:
    """Return one import of a campaign by its public id, or None."""
    asked = select(IMPORTS.c.state).where(
        IMPORTS.c.campaign_id == campaign_id, IMPORTS.c.number == number
    )
    state = tx.execute(asked).scalar()
    return None if state is None else IMPORT.validate_json(state)
