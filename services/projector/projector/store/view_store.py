"""The views' store, through SQLAlchemy Core: SQLite by default, PostgreSQL by a URL.

It is the TrackingRecorder of the eventsourcing library: view, ledger and position move in one
transaction (ADR-0007). A cache of the log: a file of another schema or log is thrown away.
"""

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Condition, Event, RLock
from typing import Any

from eventsourcing.persistence import (
    IntegrityError,
    Tracking,
    TrackingRecorder,
    WaitInterruptedError,
)
from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, exc, select
from sqlalchemy.dialects import sqlite

from campaigns.log.digest import Chain
from campaigns.log.port import refuse_recreated
from campaigns.log.reader import Reader
from campaigns.process.errors import StoreUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition, partition_of
from campaigns.stores.checkpoint import remove
from projector.store.tables import ABOUT, LEDGERS, METADATA, SCHEMA_VERSION, TRACKING

logger = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, Any]]  # Any: a column's own type, bound by the driver.
Values = Sequence[tuple[Any, ...]]  # Rows in the order of their table's columns.
_POLL_S = 0.02  # How soon a waiter sees that it was interrupted.


class Store(TrackingRecorder):
    """All views, their ledgers and positions. One writer at a time, any number of readers."""

    def __init__(self, url: str | None, data_dir: Path | None) -> None:
        """Note where the tables are; they are opened, or made, by the first who asks.

        `url` is SQLAlchemy's; None: `data_dir`/projector.db, or a file that is gone at `close`.
        """
        self._given, self._data_dir = url, data_dir
        self._path: Path | None = None  # None: PostgreSQL, or not opened yet.
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._writing = RLock()
        self._moved = Condition()
        self._upserts: dict[
            str, tuple[Any, str]
        ] = {}  # Any: each dialect has an Insert of its own.
        self._engine: Engine | None = None
        self._about: dict[str, str] = {}  # What it says of itself, once it is known.
        self.unreadable = False  # Something in it could not be read: `close` throws it away.

    @property
    def engine(self) -> Engine:
        """Return the database, connected to by the first who asks.

        Raises:
            StoreUnavailableError: it cannot be reached, or written.

        """
        if self._engine is None:
            self._engine = self._connected()
        return self._engine

    def _connected(self) -> Engine:
        url = self._given
        if url is None:
            if self._data_dir is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="dialgate-")
                self._data_dir = Path(self._temporary.name)
            self._path = self._data_dir / "projector.db"
            url = f"sqlite:///{self._path}"
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _tune)
            event.listen(engine, "begin", _begin)
        try:
            METADATA.create_all(engine)
        except exc.OperationalError as no:
            engine.dispose()
            why = str(no.orig).partition("\n")[0]
            raise StoreUnavailableError(f"the views' database cannot be used: {why}") from no
        except exc.DatabaseError as no:
            if type(no) is not exc.DatabaseError or self._path is None:
                raise  # The world misbehaves.
            logger.warning("%s is damaged (%s): it is built anew from the log", self._path, no.orig)
            engine.dispose()
            remove(self._path)
            METADATA.create_all(engine)
        return engine

    def belongs_to(
        self, log_id: str, *, publishes: bool, installation: Installation | None = None
    ) -> None:
        """Make sure that this is a store of that log and of this schema: otherwise begin anew.

        So does one that has passed a record that was skipped since, by what holds for the
        `installation`. `publishes`: one that was folded without an outbox cannot begin to publish.

        Raises:
            LogCutError: its log was deleted, and made anew at the same place; it stays as it is.

        """
        with self.reading() as tx:
            about = dict(tx.execute(select(ABOUT.c.name, ABOUT.c.value)).all())
            asked = tx.execute(select(TRACKING.c.application_name, TRACKING.c.position)).all()
        positions = {partition_of(name): position for name, position in asked}
        holds = installation or Installation()
        wanted = {"schema": str(SCHEMA_VERSION), "log": log_id}
        self._about = wanted | {
            "publishes": "yes" if publishes else "no", "skipped": holds.marks.decode(),
        }  # fmt: skip
        if about:
            refuse_recreated(self.where, about.get("log", ""), log_id)
        if about and (
            any(about.get(name) != value for name, value in wanted.items())
            or (publishes and about.get("publishes") != "yes")
            or holds.unlike(about.get("skipped", "[]").encode(), positions)
        ):
            logger.info(
                "the views are of another log or version, or of before a record was skipped:"
                " they are built anew from the log"
            )
            self._clear()
        self._say_what_it_is()

    @property
    def where(self) -> str:
        """Return where the views are, for people; no secret is in it."""
        return str(self._path or "the views' database")

    def begin_anew(self) -> None:
        """Throw all views away: they are folded from the log once more."""
        self._clear()
        self._say_what_it_is()

    def _say_what_it_is(self) -> None:
        with self.writing() as tx:
            self.put(tx, ABOUT, [{"name": k, "value": v} for k, v in self._about.items()])

    def _clear(self) -> None:
        if self._path is None:
            METADATA.drop_all(self.engine)
            METADATA.create_all(self.engine)
            return
        self._disconnect()
        remove(self._path)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one writing transaction: it commits at the end, or leaves nothing."""
        with self._writing, self.engine.connect() as connection:
            tx = connection.execution_options(writes=True)
            with tx.begin():
                yield tx

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the views, whatever is written meanwhile."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name != "sqlite":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def put(self, tx: Connection, table: Table, rows: Rows) -> None:
        """Insert rows, or replace those of the same key: one statement, whatever their number."""
        self.put_values(tx, table, [tuple(map(row.__getitem__, _names(table))) for row in rows])

    def put_values(self, tx: Connection, table: Table, rows: Values) -> None:
        """Do what `put` does with rows as tuples, in the order of the table's columns."""
        if not rows:
            return
        upsert, text = self._upsert(table)
        if self.engine.dialect.name == "sqlite":
            # Straight to the driver: SQLAlchemy looks at each value, a third of a fold's time.
            tx.exec_driver_sql(text, rows)
        else:
            names = _names(table)
            tx.execute(upsert, [dict(zip(names, row, strict=True)) for row in rows])

    def _upsert(self, table: Table) -> tuple[Any, str]:
        if (known := self._upserts.get(table.name)) is None:
            made = self._insert(table)
            others = {c.name: made.excluded[c.name] for c in table.columns if not c.primary_key}
            made = made.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)
            known = self._upserts[table.name] = (made, str(made.compile(self.engine)))
        return known

    def _insert(self, table: Table) -> Any:
        if self.engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # All its drivers come along: only where used.

        return postgresql.insert(table)

    def move(
        self,
        tx: Connection,
        partition: Partition,
        facts: int,
        position: int,
        chain: Chain,
        ledger: Iterable[tuple[str, bytes]],
    ) -> None:
        """Move a partition's checkpoint in the view's own transaction. `facts`: accepted so far."""
        name = str(partition)
        rows = [{"application_name": name, "key": k, "value": v} for k, v in ledger]
        self.put(tx, LEDGERS, rows)
        tracking = {"application_name": name, "notification_id": facts}
        self.put(tx, TRACKING, [tracking | _place(position, chain)])

    def restore(self, reader: Reader, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Take the checkpoints back; return how many facts each partition had accepted."""
        facts = {}
        with self.reading() as tx:
            checkpoints = {row.application_name: row for row in tx.execute(select(TRACKING))}
            for partition in partitions:
                if found := checkpoints.get(str(partition)):
                    reader.positions[partition] = found.position
                    reader.chains[partition] = Chain(
                        bytes(found.digest), bytes(found.digest_before), found.last_accepted
                    )
                    facts[partition] = int(found.notification_id)
                    rows = select(LEDGERS.c.key, LEDGERS.c.value).where(
                        LEDGERS.c.application_name == str(partition)
                    )
                    reader.ledger(partition).load(tx.execute(rows))
        return facts

    def moved(self) -> None:
        """Wake those who wait for a position, after a commit."""
        with self._moved:
            self._moved.notify_all()

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move one application's notification id on, alone.

        Raises:
            IntegrityError: that one, or a later one, is recorded already.

        """
        made = self._insert(TRACKING).values(
            application_name=tracking.application_name,
            notification_id=tracking.notification_id,
            **_place(0, Chain()),
        )
        # RETURNING tells whether it moved; a driver's row count may be unknown (-1).
        moving = made.on_conflict_do_update(
            index_elements=[TRACKING.c.application_name],
            set_={"notification_id": made.excluded.notification_id},
            where=TRACKING.c.notification_id < made.excluded.notification_id,
        ).returning(TRACKING.c.notification_id)
        with self.writing() as tx:
            moved = tx.execute(moving).first()
        if moved is None:
            raise IntegrityError(
                f"{tracking.application_name}: expected an id behind"
                f" {self.max_tracking_id(tracking.application_name)},"
                f" found {tracking.notification_id}"
            )
        self.moved()

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last notification id of an application, or None when it has none."""
        asked = select(TRACKING.c.notification_id).where(
            TRACKING.c.application_name == application_name
        )
        with self.reading() as tx:
            return tx.execute(asked).scalar() or None

    def wait(
        self,
        application_name: str,
        notification_id: int | None,
        timeout: float = 1.0,
        interrupt: Event | None = None,
    ) -> None:
        """Block a thread until a notification id is reached. `timeout` in seconds.

        Raises:
            TimeoutError: not reached in time.
            WaitInterruptedError: `interrupt` was set before.

        """
        deadline = time.monotonic() + timeout
        with self._moved:
            while not self.has_tracking_id(application_name, notification_id):
                if interrupt is not None and interrupt.is_set():
                    raise WaitInterruptedError
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{application_name}: expected notification {notification_id}"
                        f" within {timeout} s"
                    )
                self._moved.wait(left if interrupt is None else min(left, _POLL_S))

    def dump(self, tables: Iterable[Table]) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of some tables in the order of their keys, for comparing stores."""
        with self.reading() as tx:
            return {
                table.name: [
                    tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))
                ]
                for table in tables
            }

    def remove(self, tx: Connection, table: Table, *where: Any) -> None:
        """Delete rows by a condition."""
        tx.execute(delete(table).where(*where))

    def close(self) -> None:
        """Let go of all connections; throw away what could not be read."""
        if self.unreadable:
            logger.warning("%s cannot be read: the next start builds it anew", self.where)
            self._clear()
        self._disconnect()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _disconnect(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


@cache
def _names(table: Table) -> tuple[str, ...]:
    """Return a table's columns as they stand in its statements."""
    return tuple(column.name for column in table.columns)


def _place(position: int, chain: Chain) -> dict[str, int | bytes]:
    return {
        "position": position,
        "digest": chain.digest,
        "digest_before": chain.before,
        "last_accepted": chain.last,
    }


def _tune(connection: Any, _: Any) -> None:
    """Set a new SQLite connection up: Any is the driver's own connection."""
    connection.isolation_level = None  # We begin transactions ourselves, reads included.
    for pragma in ("journal_mode = wal", "synchronous = normal", "busy_timeout = 10000"):
        connection.execute(f"pragma {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")
