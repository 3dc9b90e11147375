"""Reads pages of campaigns, and their imports, from the store. Knows no HTTP.

Each function reads one snapshot, the caller's transaction. The row of a contact is found by the
range of its list.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, func, select

from campaigns.domain.campaign import Campaign, load
from campaigns.domain.values.rows import Row
from campaigns.personal.key_presence import missing_key
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from projector.projections.changes import Import
from projector.queries.page import Page
from projector.queries.row_details import NOT_READ, Unread, key_of, log_unread, opened
from projector.store.tables import CAMPAIGNS, CONTACTS, IMPORTS, LISTS, ROWS, plain
from projector.store.views import CONTACT, IMPORT, stretches

WINDOW = 50  # Rows of a page in memory at once: each may have 32 KiB of texts.
LISTS_MAX = 1_000  # Of a campaign, whose keys are looked for: some 6 µs each.
T = TypeVar("T")


class ImportedRow(NamedTuple):
    """A contact as it was imported."""

    row: Row | None  # None: it is forgotten.
    source: str | None
    created_at: str | None  # When its list counted.


class CampaignFilter(NamedTuple):
    """The filters of a list of campaigns. None: no filter."""

    organization_id: int
    status: str | None
    campaign_type: str | None
    assistant_id: int | None
    search: str | None


def windows(found: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows of a page, WINDOW at a time."""
    for first in range(0, len(found), WINDOW):
        yield found[first : first + WINDOW]


def campaign_of(tx: Connection, campaign_id: int) -> Campaign | None:
    """Return a campaign, or None when there is none."""
    state = tx.execute(
        select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.campaign_id == campaign_id)
    ).scalar()
    return None if state is None else load(state, campaign_id)


def campaigns(tx: Connection, wanted: CampaignFilter, page: Page) -> tuple[Iterable[Campaign], int]:
    """Return a page of an organization's campaigns, newest first, and how many there are.

    The campaigns are read lazily, within the transaction. Those that are counted or skipped cost an
    entry of one index each, or with `search` their text.
    """
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
    found = select(CAMPAIGNS.c.campaign_id).where(*where).order_by(*newest)
    ids = tx.execute(found.offset(page.skip).limit(page.limit)).scalars().all()
    return _campaigns(tx, ids), total


def _campaigns(tx: Connection, ids: Sequence[int]) -> Iterator[Campaign]:
    for some in windows(ids):  # Not a cursor, which would stay open when the page ends early.
        asked = select(CAMPAIGNS.c.campaign_id, CAMPAIGNS.c.state)
        found = tx.execute(asked.where(CAMPAIGNS.c.campaign_id.in_(some))).all()
        states = {row.campaign_id: row.state for row in found}
        for one in some:
            yield load(states[one], one)


def rows(
    tx: Connection,
    campaign_id: int,
    numbers: Collection[int],
    keys: ListKeys | None,
    unread: Unread | None = None,
    erased_through: int | None = None,
) -> dict[int, ImportedRow]:
    """Return contacts as they were imported, by their numbers; unknown numbers are missing.

    `keys`: of encrypted rows, and asked for none of who is forgotten. `unread`: told why those of a
    list cannot be read; its contacts are NOT_READ then. `erased_through`: as `erased_through_of`,
    which is asked where it is None.

    Raises:
        KeyUnavailableError: the key of a list is missing, and nobody is to be told.

    """
    if not numbers:
        return {}
    if erased_through is None:
        erased_through = erased_through_of(tx, campaign_id)
    erased = _erased(tx, campaign_id, numbers, erased_through)
    end = LISTS.c.first_contact_id + LISTS.c.rows
    lists = select(LISTS).where(
        LISTS.c.campaign_id == campaign_id,
        LISTS.c.first_contact_id <= max(numbers),
        end > min(numbers),
    )
    given: dict[int, ImportedRow] = {}
    for one in tx.execute(lists).all():
        before = one.first_contact_id - 1  # Row 1 is contact before + 1.
        wanted = [n - before for n in numbers if 0 < n - before <= one.rows]
        for row in wanted:
            given[before + row] = ImportedRow(None, one.source, one.counted_at)
        for some in stretches([row for row in wanted if before + row not in erased]):
            asked = select(ROWS.c.row, ROWS.c.details).where(
                ROWS.c.list_id == one.list_id, ROWS.c.row.in_(some)
            )
            found = ((row, details) for row, details in tx.execute(asked.order_by(ROWS.c.row)))
            try:
                for row, shown in opened(keys, found, unread or log_unread):
                    given[before + row] = ImportedRow(shown, one.source, one.counted_at)
            except KeyUnavailableError as exc:
                if unread is None:
                    raise
                unread(str(exc))
                for row in some:
                    given[before + row] = ImportedRow(NOT_READ, one.source, one.counted_at)
    return given


def erased_through_of(tx: Connection, campaign_id: int) -> int:
    """Return up to which contact all of a campaign are forgotten, as the store knows it now."""
    campaign = campaign_of(tx, campaign_id)
    return campaign.erased_through if campaign else 0


def _erased(tx: Connection, campaign_id: int, numbers: Collection[int], through: int) -> set[int]:
    """Return who of these is forgotten, by the facts alone: a key may still be there."""
    found = {number for number in numbers if number <= through}
    for some in stretches([number for number in numbers if number > through]):
        asked = select(CONTACTS.c.contact_id, CONTACTS.c.state).where(
            CONTACTS.c.campaign_id == campaign_id, CONTACTS.c.contact_id.in_(some)
        )
        for contact_id, state in tx.execute(asked):
            if CONTACT.load(state, f"contact of campaign {campaign_id}").erased:
                found.add(contact_id)
    return found


def unread_of(tx: Connection, campaign: Campaign, keys: ListKeys | None) -> str | None:
    """Return why contacts of a campaign cannot be read: a key is missing. None: they can be.

    As a dialer that has just begun: the first list whose key is missing says so.
    """
    lists = (
        select(ROWS.c.details)
        .join(LISTS, ROWS.c.list_id == LISTS.c.list_id)
        .where(LISTS.c.campaign_id == campaign.campaign_id, ROWS.c.row == 1)
        .where(LISTS.c.first_contact_id + LISTS.c.rows - 1 > campaign.erased_through)
        .order_by(LISTS.c.first_contact_id)
        .limit(LISTS_MAX)
    )
    found = (key_of(details) for (details,) in tx.execute(lists))
    return missing_key(keys, (key_id for key_id in found if key_id is not None))


def import_of(tx: Connection, campaign_id: int, number: int) -> Import | None:
    """Return one import of a campaign by its public id, or None."""
    asked = select(IMPORTS.c.state).where(
        IMPORTS.c.campaign_id == campaign_id, IMPORTS.c.number == number
    )
    state = tx.execute(asked).scalar()
    return None if state is None else IMPORT.load(state, f"import {campaign_id}/{number}")


def received(tx: Connection, campaign: Campaign, partition: int) -> int:
    """Return how many rows of the import under way have arrived; 0 without one."""
    if campaign.importing is None:
        return 0
    import_id = plain(campaign.importing.import_id)
    its_list = select(LISTS.c.list_id).where(
        LISTS.c.partition == partition, LISTS.c.import_id == import_id
    )
    # Row numbers are dense: the last one is the count.
    last = select(func.max(ROWS.c.row)).where(ROWS.c.list_id == its_list.scalar_subquery())
    return int(tx.execute(last).scalar() or 0)
