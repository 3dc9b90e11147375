"""The contacts of all campaigns in a local SQLite file: lists, rows, and each contact's state.

Memory does not grow with a list. A row is stored once, under its list, when its chunk arrives; a
contact gets its own row with its first permission; the lists' ranges tell which list a contact
belongs to. So one update makes a list of a million count.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import starmap

from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.codec import Codec, StructCodec
from campaigns.domain.contact import FAILED, Contact, ContactStatus, current
from campaigns.domain.facts import ContactsAdded, Selection
from campaigns.domain.values.rows import Row

SCHEMA = """
create table if not exists lists (
    list_id integer primary key,
    import_id text not null unique,
    campaign_id integer,          -- null: on its way in, does not count
    first_contact_id integer, rows integer
);
create index if not exists lists_by_campaign on lists (campaign_id, first_contact_id);
create table if not exists rows (
    list_id integer not null,
    row integer not null,         -- 1 is the list's first
    phone_number text not null,
    details text not null,        -- the Row as JSON
    primary key (list_id, row)
) without rowid;
create table if not exists contacts (
    campaign_id integer not null, contact_id integer not null,
    epoch integer not null,       -- the campaign's, when this was so
    pending integer not null,     -- 1: may be asked for, not before due_at; 2: it was in vain
    failed integer not null,      -- 1: not reached, for good
    tried integer not null,       -- 1: attempted in any run
    due_at real not null,         -- Unix time; 0: at once
    state text not null,          -- the Contact as JSON
    primary key (campaign_id, contact_id)
) without rowid;
-- By epoch: what waited when a run was armed anew costs the new run nothing.
create index if not exists contacts_due on contacts (campaign_id, epoch, due_at)
 where pending = 1;
create index if not exists contacts_unplaced on contacts (campaign_id, epoch, due_at)
 where pending = 2;
create index if not exists contacts_failed on contacts (campaign_id, epoch, contact_id)
 where failed = 1;
"""
BY_PHONE = "create index if not exists rows_by_phone on rows (list_id, phone_number)"
_PHONES_A_QUERY = 500  # Below SQLite's limit of bound values, and short enough for one query.
# The epoch rule in SQL, with `fresh` below: campaigns.domain.contact has it in Python, and
# projector.queries.contact_pages in SQL; tests/property/test_epoch_rule.py compares the three.
# Pending, and not removed by a replacing import before its first attempt (`campaign.gone`).
_LEFT = "campaign_id = ? and epoch = ? and (contact_id > ? or tried = 1)"
_WAITING = (f"{_LEFT} and pending = 1", f"{_LEFT} and pending = 2")  # Each has its index.
_CONTACT, _ROW = StructCodec(Contact), Codec(Row)


class Contacts:
    """One service's contacts. Writes stay in the connection's transaction until it commits.

    Facts about one call come close together: changes are written once per batch (`flush`), and
    contacts that are being called stay in memory. Every look-up sees both.
    """

    def __init__(self, connection: sqlite3.Connection, *, by_phone: bool = False) -> None:
        self._db = connection
        self._put: dict[tuple[int, int], Contact] = {}  # By campaign and contact: to be written.
        self._calling: dict[tuple[int, int], Contact] = {}  # In progress, as written.
        self._highest: dict[int, int] = {}  # Campaign → no contact after this one has a row.
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                self._db.execute(statement)
        if by_phone:
            self._db.execute(BY_PHONE)

    def add(self, fact: ContactsAdded) -> None:
        """Store a chunk. It counts when a fact names its list."""
        list_id = self._list(fact.import_id)
        self._db.executemany(
            "insert or replace into rows values (?, ?, ?, ?)",
            (
                (list_id, fact.first_row + n, row.phone_number, row.as_json().decode())
                for n, row in enumerate(fact.rows)
            ),
        )

    def _list(self, import_id: str) -> int:
        self._db.execute("insert or ignore into lists (import_id) values (?)", (import_id,))
        found = self._db.execute("select list_id from lists where import_id = ?", (import_id,))
        return int(found.fetchone()[0])

    def count(self, campaign_id: int, import_id: str, first_contact_id: int, rows: int) -> None:
        """Make a list count: its rows are contacts first_contact_id … in row order."""
        self._list(import_id)
        self._db.execute(
            "update lists set campaign_id = ?, first_contact_id = ?, rows = ?"
            " where import_id = ? and campaign_id is null",
            (campaign_id, first_contact_id, rows, import_id),
        )

    def drop(self, import_id: str) -> None:
        """Delete the rows of a list that does not count, if it is stored here."""
        self._db.execute(
            "delete from rows where list_id ="
            " (select list_id from lists where import_id = ? and campaign_id is null)",
            (import_id,),
        )
        self._db.execute(
            "delete from lists where import_id = ? and campaign_id is null", (import_id,)
        )

    def open_lists(self) -> list[str]:
        """Return the import ids of the lists that have rows and do not count."""
        open_now = self._db.execute(
            "select import_id from lists where campaign_id is null"
            " and exists (select 1 from rows where rows.list_id = lists.list_id)"
        )
        return [import_id for (import_id,) in open_now]

    def is_open(self, import_id: str) -> bool:
        """Say whether a list is known and does not count."""
        asked = "select 1 from lists where import_id = ? and campaign_id is null"
        return self._db.execute(asked, (import_id,)).fetchone() is not None

    def row(self, campaign_id: int, contact_id: int) -> Row | None:
        """Return a contact's row as imported, or None if no list has it."""
        found = self._db.execute(
            "select details from rows where (list_id, row) = ("
            "  select list_id, ? - first_contact_id + 1 from lists"
            "  where campaign_id = ? and first_contact_id <= ? and rows > 0"
            "  order by first_contact_id desc limit 1)",
            (contact_id, campaign_id, contact_id),
        ).fetchone()
        return _ROW.load(found[0], f"contact {campaign_id}/{contact_id}") if found else None

    def get(self, campaign: Campaign, contact_id: int) -> Contact:
        """Return a contact's state; that of an untouched one if it never had a permission."""
        place = (campaign.campaign_id, contact_id)
        contact = self._put.get(place) or self._calling.get(place)
        if contact is None:
            # Campaigns call their contacts in order, so most first calls need no look-up.
            contact = (
                self._stored(place) if contact_id <= self._last(campaign.campaign_id) else None
            ) or Contact(contact_id)
        return current(campaign, contact)

    def _stored(self, place: tuple[int, int]) -> Contact | None:
        found = self._db.execute(
            "select state from contacts where campaign_id = ? and contact_id = ?", place
        ).fetchone()
        return _contact(place[0], found[0]) if found else None

    def _last(self, campaign_id: int) -> int:
        """Return the highest contact that was ever written or put; 0: none."""
        if (known := self._highest.get(campaign_id)) is None:
            asked = "select coalesce(max(contact_id), 0) from contacts where campaign_id = ?"
            known = self._highest[campaign_id] = self._db.execute(asked, (campaign_id,)).fetchone()[
                0
            ]
        return known

    def put(self, campaign_id: int, contact: Contact) -> None:
        """Set a contact's state; `flush` writes it."""
        self._put[campaign_id, contact.contact_id] = contact
        if contact.contact_id > self._last(campaign_id):
            self._highest[campaign_id] = contact.contact_id

    def flush(self) -> None:
        """Write the states that were set: at the end of each batch, so that a commit has them."""
        self._db.executemany(
            "insert or replace into contacts values (?, ?, ?, ?, ?, ?, ?, ?)",
            starmap(_columns, self._put.items()),
        )
        for place, contact in self._put.items():
            self._calling.pop(place, None)
            if contact.status is ContactStatus.IN_PROGRESS:
                self._calling[place] = contact
        self._put.clear()

    def due(self, campaign: Campaign, now: datetime, limit: int) -> list[Contact]:
        """Return touched contacts that are due for a permission, longest due first.

        Contacts whose calls could not be placed come last.
        """
        self.flush()
        found: list[Contact] = []
        for waiting in _WAITING:
            if len(found) < limit:
                rows = self._db.execute(
                    f"select state from contacts where {waiting} and due_at <= ?"
                    " order by due_at limit ?",
                    (*_waiting(campaign), now.timestamp(), limit - len(found)),
                )
                found += [_contact(campaign.campaign_id, state) for (state,) in rows]
        return found

    def next_due(self, campaign: Campaign) -> float | None:
        """Return when the next touched contact is due, as Unix time; None if no contact waits."""
        self.flush()
        dues = [
            self._db.execute(
                f"select min(due_at) from contacts where {waiting}", _waiting(campaign)
            ).fetchone()[0]
            for waiting in _WAITING
        ]
        return min((float(due) for due in dues if due is not None), default=None)

    def fresh(self, campaign: Campaign, after: int, limit: int) -> tuple[list[int], int]:
        """Return the next contacts after `after` without a permission since it was armed.

        At most about `limit` of them, in order, and the last id that was considered.
        """
        self.flush()
        epoch, rearmed = campaign.epoch, campaign.rearmed_through
        if after < rearmed and campaign.selection is Selection.CONTACTS:
            return [], rearmed  # The selected ones are due.
        if after < rearmed and campaign.selection is Selection.FAILED_ONLY:
            failed = self._ids(
                "failed = 1 and epoch = ? and contact_id > ? order by contact_id limit ?",
                (campaign.campaign_id, epoch - 1, after, limit),
                by="contacts_failed",  # SQLite would prefer the primary key, and read all rows.
            )
            return failed, failed[-1] if len(failed) == limit else rearmed
        replaced = campaign.replaced_through
        if after < replaced and epoch:  # Of those, only attempted contacts are left.
            last = min(after + limit, replaced)
            left = "tried = 1 and epoch < ? and contact_id between ? and ? order by contact_id"
            return self._ids(left, (campaign.campaign_id, epoch, after + 1, last)), last
        first = max(after, replaced) + 1
        last = min(first + limit - 1, campaign.contacts_end)
        touched = self._ids(
            "epoch = ? and contact_id between ? and ?", (campaign.campaign_id, epoch, first, last)
        )
        return sorted(set(range(first, last + 1)).difference(touched)), max(last, first - 1)

    def _ids(self, so: str, values: tuple[int, ...], *, by: str | None = None) -> list[int]:
        which = f"contacts indexed by {by}" if by else "contacts"
        asked = f"select contact_id from {which} where campaign_id = ? and {so}"
        return [contact_id for (contact_id,) in self._db.execute(asked, values)]

    def tried(self, campaign: Campaign, contact_ids: Iterable[int]) -> Iterator[tuple[int, bool]]:
        """Yield each of these contacts that exists, and whether it was ever attempted."""
        for contact_id in contact_ids:
            contact = self.get(campaign, contact_id)
            calling = contact.status is ContactStatus.IN_PROGRESS
            if contact_id <= campaign.contacts_end and not gone(
                campaign, contact_id, contact.ever, calling
            ):
                yield contact_id, contact.ever

    def known(self, campaign: Campaign, phones: Iterable[str], *, replacing: bool) -> set[str]:
        """Return which of these numbers the campaign already has.

        `replacing`: after its untouched contacts are removed. Needs `by_phone`.
        """
        kept_from = campaign.contacts_end if replacing else campaign.replaced_through
        return {
            phone
            for phone, contact_id, state in self._with_phones(campaign.campaign_id, phones)
            if contact_id > kept_from or _kept(campaign.campaign_id, state)
        }

    def _with_phones(
        self, campaign_id: int, phones: Iterable[str]
    ) -> Iterator[tuple[str, int, str | None]]:
        self.flush()
        wanted = list(phones)
        for first in range(0, len(wanted), _PHONES_A_QUERY):
            some = wanted[first : first + _PHONES_A_QUERY]
            marks = ",".join("?" * len(some))
            yield from self._db.execute(
                "select r.phone_number, l.first_contact_id + r.row - 1, c.state"
                " from lists l join rows r on r.list_id = l.list_id"
                " left join contacts c on c.campaign_id = l.campaign_id"
                "  and c.contact_id = l.first_contact_id + r.row - 1"
                f" where l.campaign_id = ? and r.phone_number in ({marks})",
                (campaign_id, *some),
            )


def _columns(place: tuple[int, int], contact: Contact) -> tuple[int | float | str, ...]:
    """Return a row of `contacts`."""
    pending, failed = int(contact.status is ContactStatus.PENDING), contact.status in FAILED
    pending += bool(pending and contact.unplaced)
    due_at = contact.due_at.timestamp() if contact.due_at else 0.0
    state = _CONTACT.dump(contact).decode()
    return *place, contact.epoch, pending, failed, contact.ever, due_at, state


def _waiting(campaign: Campaign) -> tuple[int, int, int]:
    """Return the values that _WAITING binds."""
    return campaign.campaign_id, campaign.epoch, campaign.replaced_through


def _contact(campaign_id: int, state: str) -> Contact:
    return _CONTACT.load(state, f"a contact of campaign {campaign_id}")


def _kept(campaign_id: int, state: str | None) -> bool:
    """Say whether a contact survives a replacing import: attempted, or being attempted."""
    contact = _contact(campaign_id, state) if state is not None else None
    return contact is not None and (contact.ever or contact.status is ContactStatus.IN_PROGRESS)
