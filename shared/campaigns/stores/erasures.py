"""What the log has said to be forgotten: so small a table that it is kept for ever. ADR-0041."""

import sqlite3
from collections.abc import Iterable, Iterator

from campaigns.personal.erasure import ErasedRow

SCHEMA = (
    "create table if not exists erasures ("
    "  key_id text not null, row integer not null,"  # Or WHOLE_LIST, or UNCOUNTED.
    "  primary key (key_id, row)"
    ") without rowid"
)


class Erasures:
    """One service's table. Writes stay in the connection's transaction until it commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Create the table if it is missing."""
        self._db = connection
        self._db.execute(SCHEMA)

    def add(self, erased: Iterable[ErasedRow]) -> None:
        """Keep some. Idempotent."""
        self._db.executemany("insert or ignore into erasures values (?, ?)", erased)

    def all(self) -> Iterator[ErasedRow]:
        """Yield all, those of one list together."""
        found = self._db.execute("select key_id, row from erasures order by key_id, row").fetchall()
        return (ErasedRow(key_id, row) for key_id, row in found)
