"""A service's checkpoint in one SQLite file: state, ledgers, positions and digests move together.

A cache of the log: it may be discarded at any time, so it is not synced at each commit (ADR-0007).
A service folds in memory and in the open transaction, and `save` commits both with the positions;
after a crash all of it is as of the last save, and later records are folded again.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from campaigns.domain.campaign import dump, load
from campaigns.domain.campaigns import Campaigns
from campaigns.log.digest import Chain
from campaigns.log.port import refuse_recreated
from campaigns.log.reader import Reader
from campaigns.process.errors import StoreUnreadableError
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition
from campaigns.stores.store_file import about_of, connect, tables_of

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 13  # A file of another version is discarded and rebuilt from the log.
SCHEMA_DIGEST = "4959feed1852e84f"  # Of tables and states: tests/unit/test_schemas.py checks it.
SLICE_MAX = 16  # States written at once: some 0.6 ms of the event loop.
LEDGER_SLICE_MAX = 128  # Rows of a ledger written at once: as long.
REST_S = 0.002  # Between two slices: a pause meets a few of them, not all.
SAVE_S = 1.0  # A crash loses about this much folding.

_SCHEMA = (
    "create table if not exists about (name text primary key, value text not null)",
    "create table if not exists positions (topic text, number integer, position integer not null,"
    " digest blob not null, digest_before blob not null, last_accepted integer not null,"
    " primary key (topic, number)) without rowid",
    "create table if not exists ledgers (topic text, number integer, key text, value blob not null,"
    " primary key (topic, number, key)) without rowid",
    "create table if not exists campaigns (campaign_id integer primary key,"
    " partition integer not null, state blob not null)",
)


class CheckpointStore:
    """One service's file. One thread, one connection; a transaction is always open."""

    def __init__(
        self, path: Path | None, log_id: str, installation: Installation | None = None
    ) -> None:
        """Open or create the file.

        A file that is damaged, of another log or schema, with other tables than it was saved with,
        or that has passed a record which was skipped later (according to the `installation`), is
        discarded and created again.

        `path` None keeps everything in memory. `log_id` identifies the log that it caches.

        Raises:
            LogCutError: its log was deleted and created again; the file is kept as it is.

        """
        self._path, self._unreadable = path, False
        self._lost = False  # A save failed: what was folded since the last one is lost.
        holds = installation or Installation()
        about = {"schema": str(SCHEMA_VERSION), "digest": SCHEMA_DIGEST, "log": log_id}
        try:
            self.db = connect(path)
            found = about_of(self.db)
            fits = self._fits(found, about, holds)
        except sqlite3.DatabaseError as exc:
            if type(exc) is not sqlite3.DatabaseError or path is None:
                raise  # Not the file's fault: for example, it is locked.
            logger.warning("%s is damaged (%s): rebuilding it from the log", path, exc)
            remove(path)
            self.db, fits = connect(path), True
        if not fits:
            assert path is not None, "an in-memory store is always new"
            self.db.close()
            refuse_recreated(path, found.get("log", ""), log_id)
            logger.info(
                "%s is of another log or schema, or older than a skipped record:"
                " rebuilding it from the log", path,
            )  # fmt: skip
            remove(path)
            self.db = connect(path)
        for statement in _SCHEMA:
            self.db.execute(statement)
        self.db.execute("begin")
        self._write_about(about | {"skipped": holds.marks.decode(), "tables": tables_of(self.db)})

    def _write_about(self, about: Mapping[str, str]) -> None:
        self.db.executemany("insert or replace into about values (?, ?)", about.items())

    def _fits(
        self, found: Mapping[str, str], about: Mapping[str, str], holds: Installation
    ) -> bool:
        """Say whether the file is new, or its tables and states are those of this build."""
        if not (tables := tables_of(self.db)):
            return True
        if found.get("tables") != tables or any(found.get(k) != v for k, v in about.items()):
            return False
        asked = self.db.execute("select topic, number, position from positions")
        positions = {Partition(topic, number): position for topic, number, position in asked}
        return not holds.unlike(found.get("skipped", "[]").encode(), positions)

    def restore(self, reader: Reader, campaigns: Campaigns, *others: Callable[[], None]) -> None:
        """Load the last save into a new reader and fold.

        `others` load the service's further state; the log may redeliver what they loaded. A store
        that cannot be read is emptied, so that everything is folded from the log again.
        """
        asked = "select campaign_id, partition, state from campaigns"
        try:
            found = [(load(state, one), number) for one, number, state in self.db.execute(asked)]
            for other in others:
                other()
        except StoreUnreadableError as exc:
            logger.warning("%s: %s: rebuilding it from the log", self._path, exc)
            self._empty()
            return
        for topic, number, position, *chain in self.db.execute("select * from positions"):
            reader.positions[Partition(topic, number)] = position
            reader.chains[Partition(topic, number)] = Chain(*chain)
        for partition in list(reader.positions):
            rows = self.db.execute(
                "select key, value from ledgers where (topic, number) = (?, ?)", partition
            )
            reader.ledger(partition).load(rows)
        for campaign, number in found:
            campaigns.take(campaign, number)

    def _empty(self) -> None:
        every = self.db.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in every:
            if name != "about":
                self.db.execute(f"delete from {name}")
        self.db.execute("commit")
        self.db.execute("begin")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within this context, an unreadable store is marked, and `close` deletes it."""
        try:
            yield
        except BaseExceptionGroup as exc:
            unreadable = exc.subgroup(StoreUnreadableError) is not None
            self._unreadable = self._unreadable or unreadable  # Parts may share it.
            raise

    async def save_in_slices(self, reader: Reader, campaigns: Campaigns, partitions: int) -> None:
        """Save like `save`, but let other tasks run in between, even with thousands of campaigns.

        Each slice writes some states, or a ledger, into the open transaction. The last slice
        rewrites what was folded in between, and only it commits: state and position move together.

        Raises:
            sqlite3.OperationalError: as `save`.

        """
        rests_left = len(campaigns.dirty) // SLICE_MAX  # So many that it ends, whatever is folded.
        while len(campaigns.dirty) > SLICE_MAX and self._may_write(reader):
            with self._lost_if_it_fails():
                some = [campaigns.dirty.pop() for _ in range(SLICE_MAX)]
                self._write(campaigns, some, partitions)
            await asyncio.sleep(REST_S if rests_left > 0 else 0)
            rests_left -= 1
        for partition in list(reader.positions):
            changed = reader.ledger(partition).changed
            for _ in range(-(-changed // LEDGER_SLICE_MAX) if changed > SLICE_MAX else 0):
                if self._may_write(reader):
                    with self._lost_if_it_fails():
                        self._write_ledger(reader, partition, LEDGER_SLICE_MAX)
                    await asyncio.sleep(REST_S)
        self.save(reader, campaigns, partitions)

    def save(self, reader: Reader, campaigns: Campaigns, partitions: int) -> None:
        """Commit what was folded since the last save, with the positions.

        Once a step of the reader has failed, it saves nothing: the ledger, or the fold, is ahead
        of its position, and a restart would pass over the record that stopped it. Nor does it
        once a save has failed: the unsaved state is lost, and later folds rest on it.

        Raises:
            sqlite3.OperationalError: the disk is full or failing; the last save is kept.

        """
        if self._may_write(reader):
            with self._lost_if_it_fails():
                self._save(reader, campaigns, partitions)

    def _may_write(self, reader: Reader) -> bool:
        if not self.db.in_transaction:  # SQLite has rolled it back: the disk is full.
            self._lost = True
        return not (reader.torn or self._lost)

    @contextmanager
    def _lost_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error:
            self._lost = True
            if not self.db.in_transaction:
                self.db.execute("begin")  # Never committed: later folds must not be saved.
            raise

    def _save(self, reader: Reader, campaigns: Campaigns, partitions: int) -> None:
        for partition, position in reader.positions.items():
            chain = reader.chain(partition)
            self.db.execute(
                "insert or replace into positions values (?, ?, ?, ?, ?, ?)",
                (*partition, position, chain.digest, chain.before, chain.last),
            )
            self._write_ledger(reader, partition)
        self._write(campaigns, campaigns.dirty, partitions)
        campaigns.dirty.clear()
        self._write_about({"tables": tables_of(self.db)})
        self.db.execute("commit")
        self.db.execute("begin")

    def _write_ledger(
        self, reader: Reader, partition: Partition, rows_max: int | None = None
    ) -> None:
        self.db.executemany(
            "insert or replace into ledgers values (?, ?, ?, ?)",
            ((*partition, *change) for change in reader.ledger(partition).changes(rows_max)),
        )

    def _write(self, campaigns: Campaigns, ids: Collection[int], partitions: int) -> None:
        self.db.executemany(
            "insert or replace into campaigns values (?, ?, ?)",
            ((one, one % partitions, dump(campaigns.by_id[one])) for one in ids),
        )

    def close(self) -> None:
        """Close without saving: unsaved records are folded again at the next start."""
        self.db.close()
        if self._unreadable and self._path is not None:
            logger.warning("%s cannot be read: the next start rebuilds it", self._path)
            remove(self._path)


def remove(path: Path) -> None:
    """Delete a store, with its write-ahead log."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
