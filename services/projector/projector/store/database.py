"""The projector's database, through SQLAlchemy Core: SQLite by default, PostgreSQL by a URL.

Transactions, upserts and the creation of tables; nothing about what the tables mean.
"""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, Table, inspect, select
from sqlalchemy import exc as errors
from sqlalchemy.dialects import sqlite

from campaigns.process.errors import StoreUnavailableError
from campaigns.stores.checkpoint import remove
from projector.store.engines import answered, engine_of
from projector.store.gate import Gate
from projector.store.tables import METADATA

logger = logging.getLogger(__name__)

ROWS_A_STATEMENT = 50  # A row alone costs a quarter more; below 999 values a statement.

VIEWS_FILE = "projector.db"  # In the data directory.

Rows = Sequence[Mapping[str, Any]]  # Any: a column's own type, bound by the driver.
Values = Sequence[tuple[Any, ...]]  # Rows in the order of their table's columns.


class Database:
    """One writing transaction at a time, any number of reading ones."""

    def __init__(self, url: str | None, data_dir: Path | None) -> None:
        """Store the address; the first access connects, and creates missing tables.

        `url` is SQLAlchemy's. None means `data_dir`/projector.db, or without a directory a
        temporary file that is deleted at `disconnect`.
        """
        self._url, self._data_dir = url, data_dir
        self._path: Path | None = None  # None: PostgreSQL, or not connected yet.
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._writing = RLock()
        self._gate = Gate()
        # By table. Any: each dialect has its own Insert.
        self._upserts: dict[str, tuple[Any, str, str]] = {}
        self._engine: Engine | None = None
        self.altered = False  # True: its tables or columns were not those of this build.

    @property
    def engine(self) -> Engine:
        """Return the engine; the first access connects.

        Raises:
            StoreUnavailableError: the database cannot be reached or written to.

        """
        if self._engine is None:
            with self._writing:  # One thread connects.
                if self._engine is None:
                    self._engine = self._connected()
        return self._engine

    def _made(self) -> Engine:
        """Return an engine, which has not connected yet."""
        url = self._url
        if url is None:
            if self._data_dir is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="dialgate-")
                self._data_dir = Path(self._temporary.name)
            self._path = self._data_dir / VIEWS_FILE
            url = f"sqlite:///{self._path}"
        return engine_of(url)

    def _connected(self) -> Engine:
        engine = self._made()
        try:
            self.altered = _altered(engine)
            METADATA.create_all(engine)
        except errors.OperationalError as exc:
            engine.dispose()
            why = str(exc.orig).partition("\n")[0]
            raise StoreUnavailableError(f"the views' database cannot be used: {why}") from exc
        except errors.DatabaseError as exc:
            if type(exc) is not errors.DatabaseError or self._path is None:
                raise  # Not a damaged file of ours.
            logger.warning("%s is damaged (%s): it is rebuilt from the log", self._path, exc.orig)
            engine.dispose()
            remove(self._path)
            METADATA.create_all(engine)
        return engine

    @property
    def where(self) -> str:
        """Return the database's location, for messages: without secrets."""
        return str(self._path or "the views' database")

    def clear(self) -> None:
        """Delete all rows; the tables are created again, at the latest by the next access."""
        if self._path is None:
            METADATA.drop_all(self.engine)
            METADATA.create_all(self.engine)
            self.altered = False
            return
        self._dispose()
        remove(self._path)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one writing transaction: it commits at the end, or rolls back on an error."""
        with self._writing, self._passing(), self.engine.connect() as connection:
            tx = connection.execution_options(writes=True)
            with tx.begin():
                yield tx

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads one snapshot, whatever is written meanwhile."""
        with self._passing(), self.engine.connect() as connection:
            if self.engine.dialect.name != "sqlite":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def _passing(self) -> Iterator[None]:
        with self._gate.passing(), answered():
            yield

    def exchange(self, swap: Callable[[], None], within_s: float) -> None:
        """Let `swap` put another database in the place of this one, between two transactions.

        Transactions that are asked for meanwhile wait, and get the one that is there then.

        Raises:
            StoreUnavailableError: a transaction has not ended `within_s`, or as `swap` raises; this
                database goes on.

        """
        with self._gate.shut(within_s):
            self._dispose()
            try:
                swap()
            finally:
                self._engine = self._connected()

    def chosen(
        self, tx: Connection, table: Table, campaign_id: int, numbers: Sequence[int], columns: str
    ) -> Iterable[Sequence[Any]]:  # Any: a column's own type.
        """Return columns of those rows of a campaign that have one of these numbers.

        `table`: its key is the campaign's id and a number. One statement for any number of rows.
        """
        campaign, number = (column.name for column in table.primary_key)
        asked = f"select {columns} from {table.name} where {campaign} = "
        if self.engine.dialect.name == "sqlite":
            text = f"{asked}? and {number} in (select value from json_each(?))"
            return tx.exec_driver_sql(text, (campaign_id, str(numbers)))
        return tx.exec_driver_sql(f"{asked}%s and {number} = any(%s)", (campaign_id, numbers))

    def put(self, tx: Connection, table: Table, rows: Rows) -> None:
        """Upsert rows in one statement, whatever their number."""
        self.put_values(tx, table, [tuple(map(row.__getitem__, _names(table))) for row in rows])

    def put_values(self, tx: Connection, table: Table, rows: Values) -> None:
        """Upsert rows, in its columns' order; columns marked "first" stay as they are."""
        if not rows:
            return
        upsert, one, many = self._upsert(table)
        if self.engine.dialect.name == "sqlite":
            # The driver's own cursor: SQLAlchemy takes as long for a statement as SQLite for it.
            cursor = tx.connection.cursor()
            whole = len(rows) - len(rows) % ROWS_A_STATEMENT
            for first in range(0, whole, ROWS_A_STATEMENT):
                some = rows[first : first + ROWS_A_STATEMENT]
                cursor.execute(many, tuple(chain.from_iterable(some)))
            if whole < len(rows):
                cursor.executemany(one, rows[whole:])
            cursor.close()
        else:
            names = _names(table)
            tx.execute(upsert, [dict(zip(names, row, strict=True)) for row in rows])

    def _upsert(self, table: Table) -> tuple[Any, str, str]:
        """Return an upsert, its text for one row, and its text for ROWS_A_STATEMENT rows."""
        if (known := self._upserts.get(table.name)) is None:
            made = self.insert(table)
            kept = {c.name: c for c in table.columns if c.info.get("first")}
            others = {c.name: made.excluded[c.name] for c in table.columns if not c.primary_key}
            others |= kept
            made = made.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)
            one = str(made.compile(self.engine))
            marks = f"({', '.join('?' * len(table.columns))})"
            many = one.replace(marks, ", ".join([marks] * ROWS_A_STATEMENT), 1)
            known = self._upserts[table.name] = (made, one, many)
        return known

    def insert(self, table: Table) -> Any:  # Any: each dialect has its own Insert.
        """Return an insert of the database's dialect, which knows `on_conflict_do_update`."""
        if self.engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # Imported late: it loads its drivers.

        return postgresql.insert(table)

    def dump(self, tables: Iterable[Table]) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of tables in the order of their keys, to compare stores."""
        with self.reading() as tx:
            return {
                table.name: [
                    tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))
                ]
                for table in tables
            }

    def disconnect(self) -> None:
        """Close all connections, and delete a temporary file."""
        self._dispose()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _altered(engine: Engine) -> bool:
    """Say whether the database has some of our tables, but not all of them as they are here."""
    inspector = inspect(engine)
    ours = set(METADATA.tables) & set(inspector.get_table_names())
    return bool(ours) and (
        ours != set(METADATA.tables)
        or any(
            {column["name"] for column in inspector.get_columns(name)} != set(_names(table))
            for name, table in METADATA.tables.items()
        )
    )


@cache
def _names(table: Table) -> tuple[str, ...]:
    """Return the names of a table's columns, in order."""
    return tuple(column.name for column in table.columns)
