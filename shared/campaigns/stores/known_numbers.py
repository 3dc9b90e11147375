"""Which phone numbers a campaign has already: by a keyed hash, so that no number is stored.

Encrypted rows are read for it at the first import that asks, not when they are folded; so are all
others after a change of the key. Of a forgotten contact nothing stays. Source: ADR-0041.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from campaigns.personal.list_keys import Mark

SCHEMA = (
    "create table if not exists numbers ("
    "  list_id integer not null, mark text not null, row integer not null,"
    "  primary key (list_id, mark, row)"
    ") without rowid",
    "create index if not exists numbers_of_rows on numbers (list_id, row)",
)
_NAMED = "create table if not exists numbers_by (mark text not null)"
FORGOTTEN = ""  # In place of a mark: it is no number's.
_MARKS_A_QUERY = 500  # Below SQLite's limit of bound values, and short enough for one query.


class Unmarked(NamedTuple):
    """Consecutive rows of one list, whose numbers are not known yet."""

    list_id: int
    key_id: str | None  # None: they are plain.
    begins: int  # The list's first contact.
    first: int
    details: list[str]


class KnownNumbers:
    """The numbers of one service's lists. `Contacts` has the lists and the rows."""

    def __init__(self, connection: sqlite3.Connection, mark: Mark) -> None:
        self._db, self._mark = connection, mark
        for statement in (*SCHEMA, _NAMED):
            self._db.execute(statement)
        if self._db.execute("select mark from numbers_by").fetchall() != [(mark.name,)]:
            self._db.execute("delete from numbers")  # Made with another key: found anew.
            self._db.execute("delete from numbers_by")
            self._db.execute("insert into numbers_by values (?)", (mark.name,))

    def add(self, list_id: int, first: int, phones: Sequence[str | None]) -> None:
        """Know the numbers of consecutive rows; None: it is forgotten."""
        mark = self._mark.of
        self._db.executemany(
            "insert or ignore into numbers values (?, ?, ?)",
            (
                (list_id, FORGOTTEN if phone is None else mark(phone), row)
                for row, phone in enumerate(phones, first)
            ),
        )

    def unmarked(
        self, campaign_id: int, limit: int, *, erased_through: int, begins: int = 0
    ) -> Unmarked | None:
        """Return the next rows of a campaign whose numbers are not known yet.

        `erased_through`: the campaign's. The lists up to there have no numbers, and no key.
        `begins`: of the list that had the last ones: those before it are known by now.
        """
        lists = self._db.execute(
            "select list_id, key_id, first_contact_id from lists where campaign_id = ?"
            " and first_contact_id >= ? and first_contact_id + rows - 1 > ?"
            " order by first_contact_id",
            (campaign_id, begins, erased_through),
        )
        for list_id, key_id, first_contact_id in lists:
            asked = "select coalesce(max(row), 0) from numbers where list_id = ?"
            (last,) = self._db.execute(asked, (list_id,)).fetchone()
            rows = self._db.execute(
                "select details from rows where list_id = ? and row > ? order by row limit ?",
                (list_id, last, limit),
            ).fetchall()
            if rows:
                details = [one for (one,) in rows]
                return Unmarked(list_id, key_id, first_contact_id, last + 1, details)
        return None

    def forget(self, list_id: int, row: int) -> None:
        """Know the number of a row no longer; what it was is overwritten."""
        with self._overwriting():
            self._db.execute(
                "update or replace numbers set mark = ? where list_id = ? and row = ?",
                (FORGOTTEN, list_id, row),
            )

    def forget_lists(self, campaign_id: int, after: int, through: int) -> None:
        """Know no number of a campaign's lists behind contact `after` up to `through`.

        None is found anew: of each list its last row stays, as one that is forgotten.
        """
        lists = (
            "from lists where campaign_id = ? and first_contact_id > ? and first_contact_id <= ?"
            " and rows > 0 and first_contact_id + rows - 1 <= ?"
        )
        some = (campaign_id, after, through, through)
        with self._overwriting():
            self._db.execute(f"delete from numbers where list_id in (select list_id {lists})", some)
            self._db.execute(
                f"insert into numbers select list_id, '{FORGOTTEN}', rows {lists}", some
            )

    @contextmanager
    def _overwriting(self) -> Iterator[None]:
        """Leave nothing of what is deleted in the file's free pages; all other deletes are bare."""
        self._db.execute("pragma secure_delete = on")
        try:
            yield
        finally:
            self._db.execute("pragma secure_delete = off")

    def drop(self, import_id: str) -> None:
        """Delete the numbers of a list that does not count."""
        self._db.execute(
            "delete from numbers where list_id ="
            " (select list_id from lists where import_id = ? and campaign_id is null)",
            (import_id,),
        )

    def among(
        self, campaign_id: int, phones: Iterable[str]
    ) -> Iterator[tuple[str, int, str | None]]:
        """Yield those of these numbers that a campaign has: number, contact id, stored state."""
        phone_of = {self._mark.of(phone): phone for phone in phones}
        wanted = list(phone_of)
        for first in range(0, len(wanted), _MARKS_A_QUERY):
            some = wanted[first : first + _MARKS_A_QUERY]
            marks = ",".join("?" * len(some))
            found = self._db.execute(
                "select n.mark, l.first_contact_id + n.row - 1, c.state"
                " from lists l join numbers n on n.list_id = l.list_id"
                " left join contacts c on c.campaign_id = l.campaign_id"
                "  and c.contact_id = l.first_contact_id + n.row - 1"
                f" where l.campaign_id = ? and n.mark in ({marks})",
                (campaign_id, *some),
            )
            for mark, contact_id, state in found:
                yield phone_of[mark], contact_id, state
