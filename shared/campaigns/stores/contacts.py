"""The contacts of all campaigns in a local SQLite file: lists, rows, and each contact's state.

Memory does not grow with a list. A row is stored once, under its list, when its chunk arrives; a
contact gets its own row with its first permission; the lists' ranges tell which list a contact
belongs to. So one update makes a list of a million count.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import starmap
from typing import NamedTuple

from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.codec import StructCodec
from campaigns.domain.contact import FAILED, Contact, ContactStatus, current
from campaigns.domain.facts import ContactsEncrypted, ListRows, Selection
from campaigns.personal.erasure import ErasableList
from campaigns.personal.list_keys import Mark
from campaigns.personal.row_cipher import StoredRow
from campaigns.stores.known_numbers import KnownNumbers

SCHEMA = """
create table if not exists lists (
    list_id integer primary key,
    import_id text not null unique,
    key_id text,                  -- null: its rows are plain
    campaign_id integer,          -- null: on its way in, does not count
    first_contact_id integer, rows integer
);
create index if not exists lists_by_campaign on lists (campaign_id, first_contact_id);
create table if not exists rows (
    list_id integer not null,
    row integer not null,         -- 1 is the list's first
    details text not null,        -- the Row as JSON; of a list with a key: as in the log
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
# The epoch rule in SQL, with `fresh` below: campaigns.domain.contact has it in Python, and
# projector.queries.contact_pages in SQL; tests/property/test_epoch_rule.py compares the three.
# Pending, and not removed by a replacing import before its first attempt (`campaign.gone`).
_LEFT = "campaign_id = ? and epoch = ? and (contact_id > ? or tried = 1)"
_WAITING = (f"{_LEFT} and pending = 1", f"{_LEFT} and pending = 2")  # Each has its index.
_CONTACT = StructCodec(Contact)


class EncryptedList(NamedTuple):
    """A list with a key, which counts: its rows are contacts `first` to `last`."""

    campaign_id: int
    first: int
    last: int
    key_id: str


class Contacts:
    """One service's contacts. Writes stay in the connection's transaction until it commits.

    Facts about one call come close together: changes are written once per batch (`flush`), and
    contacts that are being called stay in memory. Every look-up sees both.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        mark: Mark | None = None,
        dropped: Callable[[str], None] | None = None,
    ) -> None:
        """Create missing tables. `mark`: recognize phone numbers by what it makes of them.

        `dropped` hears of the key of each encrypted list that will never count.
        """
        self._db, self._dropped = connection, dropped
        self._put: dict[tuple[int, int], Contact] = {}  # By campaign and contact: to be written.
        self._calling: dict[tuple[int, int], Contact] = {}  # In progress, as written.
        self.counted = 0  # Lists that began to count since this was opened.
        self._highest: dict[int, int] = {}  # Campaign → no contact after this one has a row.
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                self._db.execute(statement)
        self.numbers = KnownNumbers(connection, mark) if mark else None

    def add(self, fact: ListRows) -> None:
        """Store a chunk. It counts when a fact names its list."""
        list_id = self._list(fact.import_id)
        if isinstance(fact, ContactsEncrypted):
            self._db.execute(
                "update lists set key_id = ? where list_id = ?", (fact.key_id, list_id)
            )
            details: Iterable[str] = fact.rows
        else:
            details = (row.as_json().decode() for row in fact.rows)
            if self.numbers:
                phones = [row.phone_number for row in fact.rows]
                self.numbers.add(list_id, fact.first_row, phones)
        self._db.executemany(
            "insert or replace into rows values (?, ?, ?)",
            ((list_id, number, row) for number, row in enumerate(details, fact.first_row)),
        )

    def _list(self, import_id: str) -> int:
        self._db.execute("insert or ignore into lists (import_id) values (?)", (import_id,))
        found = self._db.execute("select list_id from lists where import_id = ?", (import_id,))
        return int(found.fetchone()[0])

    def count(self, campaign_id: int, import_id: str, first_contact_id: int, rows: int) -> None:
        """Make a list count: its rows are contacts first_contact_id … in row order."""
        self.counted += 1
        self._list(import_id)
        self._db.execute(
            "update lists set campaign_id = ?, first_contact_id = ?, rows = ?"
            " where import_id = ? and campaign_id is null",
            (campaign_id, first_contact_id, rows, import_id),
        )

    def drop(self, import_id: str) -> None:
        """Delete the rows of a list that does not count, if it is stored here."""
        if self._dropped and self.is_open(import_id) and (key_id := self.key_of(import_id)):
            self._dropped(key_id)
        if self.numbers:
            self.numbers.drop(import_id)
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

    def row(self, campaign_id: int, contact_id: int) -> StoredRow | None:
        """Return a contact's row as stored, or None if no list has it."""
        if (place := self._place(campaign_id, contact_id)) is None:
            return None
        found = self._db.execute(
            "select l.key_id, r.row, r.details from rows r join lists l using (list_id)"
            " where r.list_id = ? and r.row = ?",
            place,
        ).fetchone()
        return StoredRow(*found) if found else None

    def _place(self, campaign_id: int, contact_id: int) -> tuple[int, int] | None:
        """Return the list and the row of a contact."""
        found: tuple[int, int] | None = self._db.execute(
            "select list_id, ? - first_contact_id + 1 from lists"
            " where campaign_id = ? and first_contact_id <= ? and rows > 0"
            " order by first_contact_id desc limit 1",
            (contact_id, campaign_id, contact_id),
        ).fetchone()
        return found

    def erased_rows(self, campaign: Campaign, list_id: int, first: int, many: int) -> list[int]:
        """Return which of these rows are of forgotten contacts, whose keys may still be there."""
        (begins,) = self._db.execute(
            "select first_contact_id from lists where list_id = ?", (list_id,)
        ).fetchone()
        self.flush()
        alone = self._db.execute(
            "select contact_id - ? + 1 from contacts where campaign_id = ?"
            " and contact_id between ? and ? and json_extract(state, '$.erased')",
            (begins, campaign.campaign_id, begins + first - 1, begins + first + many - 2),
        )
        with_all = range(first, min(first + many, campaign.erased_through - begins + 2))
        return [*(row for (row,) in alone), *with_all]

    def key_ids(self, campaign_id: int, after: int = 0) -> list[str]:
        """Return the keys of a campaign's encrypted lists that have contacts behind `after`.

        In the order of their contacts.
        """
        asked = (
            "select key_id from lists where campaign_id = ? and key_id is not null"
            " and first_contact_id + rows - 1 > ? order by first_contact_id"
        )
        return [key_id for (key_id,) in self._db.execute(asked, (campaign_id, after))]

    def erasable_lists(self, campaign_id: int, after: int, limit: int) -> list[ErasableList]:
        """Return a campaign's next encrypted lists with contacts behind `after`, in their order."""
        asked = (
            "select first_contact_id + rows - 1, key_id from lists where campaign_id = ?"
            " and key_id is not null and rows > 0 and first_contact_id + rows - 1 > ?"
            " order by first_contact_id limit ?"
        )
        return [ErasableList(*one) for one in self._db.execute(asked, (campaign_id, after, limit))]

    def encrypted_lists(self) -> Iterator[EncryptedList]:
        """Yield each encrypted list that counts."""
        found = self._db.execute(
            "select campaign_id, first_contact_id, first_contact_id + rows - 1, key_id from lists"
            " where key_id is not null and campaign_id is not null and rows > 0"
        )
        yield from starmap(EncryptedList, found)

    def all_erased(self, of: EncryptedList) -> bool:
        """Say whether each contact of a list was erased by itself. Stops at the first that is not.

        So it costs more than a look only where somebody was.
        """
        self.flush()
        found = self._db.execute(
            "select contact_id, json_extract(state, '$.erased') from contacts"
            " where campaign_id = ? and contact_id between ? and ? order by contact_id",
            of[:3],
        )
        wanted = of.first
        for contact_id, erased in found:
            if contact_id != wanted or not erased:
                return False
            wanted += 1
        return wanted > of.last

    def has_plain(self, campaign_id: int, after: int = 0) -> bool:
        """Say whether a campaign has a list with contacts behind `after` that is not encrypted."""
        asked = (
            "select 1 from lists where campaign_id = ? and key_id is null"
            " and rows > 0 and first_contact_id + rows - 1 > ?"
        )
        return self._db.execute(asked, (campaign_id, after)).fetchone() is not None

    def key_of(self, import_id: str) -> str | None:
        """Return the key of a list, if it is stored here and encrypted."""
        asked = self._db.execute("select key_id from lists where import_id = ?", (import_id,))
        found = asked.fetchone()
        return found[0] if found else None

    def forget(self, campaign_id: int, contact_id: int) -> None:
        """Recognize the phone number of a forgotten contact no longer."""
        if self.numbers and (place := self._place(campaign_id, contact_id)):
            self.numbers.forget(*place)

    def forget_through(self, campaign_id: int, after: int, through: int) -> None:
        """Recognize no phone number of a campaign's contacts up to `through` any longer.

        `after`: up to there it was done before.
        """
        if self.numbers:
            self.numbers.forget_lists(campaign_id, after, through)

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

        `replacing`: after its untouched contacts are removed. No row of it is `unmarked`.
        """
        kept_from = campaign.contacts_end if replacing else campaign.replaced_through
        assert self.numbers is not None, "numbers are recognized here"
        self.flush()
        return {
            phone
            for phone, contact_id, state in self.numbers.among(campaign.campaign_id, phones)
            if contact_id > kept_from or _kept(campaign.campaign_id, state)
        }


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
