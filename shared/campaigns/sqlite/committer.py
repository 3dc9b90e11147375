"""The only thread that writes to the embedded log; it also polls for other processes' records.

Group commit: all waiting records go into one transaction, so that one sync serves all of them.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from campaigns.process.errors import (
    LogCutError,
    LogUnavailableError,
    OperatingError,
    OutcomeUnknownError,
)
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from campaigns.sqlite.file import (
    busy,
    connect,
    identity,
    last_of,
    record_at,
    refuse_other_file,
)

COMMIT_MAX = 512  # Records per commit.
BUSY_MS = 5  # How long one try waits for another process's commit.
COMMIT_BYTES_MAX = 8 * 1024 * 1024
# A commit that fails with one of these has certainly left no complete transaction in the file.
_UNDONE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY}


class Waiting(NamedTuple):
    """A record to be committed, and the future of its caller."""

    partition: Partition
    entry: Recorded  # Not placed yet.
    taken: asyncio.Future[None]


class Written(NamedTuple):
    """Consecutive records that are durable now."""

    first: int
    entries: Sequence[Recorded]  # Not placed yet: the event loop does it.


@dataclass(slots=True)
class Round:
    """The results of one turn of the thread, for the event loop."""

    written: dict[Partition, Written] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)  # Moved by other processes.
    waiting: Sequence[Waiting] = ()
    error: OperatingError | None = None  # For all callers in `waiting`.
    broken: bool = False  # The thread has ended: the file can no longer be trusted.
    cut: LogCutError | None = None  # … because it has lost records.


class Committer:
    """Owns the writing connection. `publish` is called on the loop, once a turn."""

    def __init__(
        self,
        path: Path,
        ends: Mapping[Partition, int],
        publish: Callable[[Round], None],
        *,
        read_only: bool,
        poll_ms: float | None,
        busy_s: float,
    ) -> None:
        self._path = path
        self._ends = dict(ends)
        self._publish = publish
        self._poll_s = None if poll_ms is None else poll_ms / 1000
        self._tries = max(1, int(busy_s * 1000 / BUSY_MS))
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()  # None: stop behind this.
        self._db = connect(path, read_only=read_only, busy_ms=BUSY_MS)
        self._file = identity(path) or (0, 0)
        self._last = {one: record_at(self._db, one, end) for one, end in self._ends.items()}
        self._version = -1  # PRAGMA data_version: moved by others' commits alone.
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, name=f"log {path.name}", daemon=True)
        self._thread.start()

    def put(self, waiting: Waiting) -> None:
        """Hand a record over."""
        self._queue.put(waiting)

    def close(self) -> None:
        """Commit the waiting records, then end. Blocks until that is done."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        crashed, going, batch, turn = True, True, list[Waiting](), Round()
        try:
            while going and not turn.broken:
                batch, going = self._gather()
                turn = self._turn(batch)
                if turn != Round():
                    self._tell(turn)
            crashed = False
        finally:
            if crashed:  # A bug ends the thread: answer the callers that wait for it.
                error = OutcomeUnknownError(f"{self._path}: the writing thread has crashed")
                self._tell(Round(waiting=batch, error=error, broken=True))
            self._db.close()
        if going:
            self._refuse_rest(turn.error)

    def _turn(self, batch: Sequence[Waiting]) -> Round:
        try:
            return self._commit(batch) if batch else self._look()
        except LogCutError as exc:
            self._roll_back()
            refused = LogUnavailableError(f"{self._path}: takes nothing: {exc}")
            return Round(waiting=batch, error=refused, broken=True, cut=exc)
        except sqlite3.Error as exc:
            error = OutcomeUnknownError(f"{self._path}: expected to go on, found {exc}")
            return Round(waiting=batch, error=error, broken=True)

    def _tell(self, turn: Round) -> None:
        try:
            self._loop.call_soon_threadsafe(self._publish, turn)
        except RuntimeError:
            assert self._loop.is_closed(), "no caller is left"

    def _gather(self) -> tuple[list[Waiting], bool]:
        batch: list[Waiting] = []
        weight = 0
        try:
            one = self._queue.get(timeout=self._poll_s)
            while one is not None:
                batch.append(one)
                weight += len(one.entry.raw or b"")
                if len(batch) >= COMMIT_MAX or weight >= COMMIT_BYTES_MAX:
                    return batch, True
                one = self._queue.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _look(self) -> Round:
        """Check whether other processes have written."""
        turn = Round()
        try:
            self._note_others(turn)
        except sqlite3.OperationalError as exc:
            if not busy(exc):
                raise
        return turn

    def _note_others(self, turn: Round) -> None:
        (version,) = self._db.execute("pragma data_version").fetchone()
        if version != self._version:
            self._note(turn, self._ends)
            self._version = version

    def _note(self, turn: Round, partitions: Iterable[Partition]) -> None:
        for partition in list(partitions):
            end = self._ends[partition]
            moved, last = last_of(self._db, partition)
            was = last if moved == end else record_at(self._db, partition, end)
            if was != self._last[partition]:
                raise LogCutError(
                    f"{partition}@{end}: expected the last record that was seen there, found"
                    " another, or none: the log was cut"
                )
            if moved != end:
                self._ends[partition] = turn.ends[partition] = moved
                self._last[partition] = last

    def _commit(self, batch: Sequence[Waiting]) -> Round:
        turn = Round(waiting=batch)
        entries: dict[Partition, list[Recorded]] = {}
        for one in batch:
            entries.setdefault(one.partition, []).append(one.entry)
        try:
            self._begin()
            self._note_others(turn)  # Under constant load the thread never just polls.
            refuse_other_file(self._path, self._file)
            self._note(turn, entries)  # In the transaction: no other process can take these places.
            self._insert(entries)
        except sqlite3.Error as exc:
            self._roll_back()
            turn.error = self._refused(exc, len(batch))
            return turn
        try:
            self._db.execute("commit")
        except sqlite3.Error as exc:
            self._roll_back()
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _UNDONE:
                turn.error = self._refused(exc, len(batch))
                return turn
            turn.broken = True
            turn.error = OutcomeUnknownError(f"{self._path}: the commit failed midway: {exc}")
            return turn
        for partition, some in entries.items():
            turn.written[partition] = Written(self._ends[partition] + 1, some)
            self._ends[partition] += len(some)
            self._last[partition] = some[-1].raw
        return turn

    def _begin(self) -> None:
        """Take the write lock within a bounded time; report others' records meanwhile."""
        for tries_left in reversed(range(self._tries)):
            try:
                self._db.execute("begin immediate")
            except sqlite3.OperationalError as exc:
                if not (busy(exc) and tries_left):
                    raise
                others = self._look()
                if others.ends:
                    self._tell(others)
            else:
                return

    def _insert(self, entries: Mapping[Partition, Sequence[Recorded]]) -> None:
        self._db.executemany(
            "insert into records values (?, ?, ?, ?)",
            (
                (*partition, position, one.raw)
                for partition, some in entries.items()
                for position, one in enumerate(some, start=self._ends[partition] + 1)
            ),
        )

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # After some errors SQLite has rolled back already.
            self._db.execute("rollback")

    def _refused(self, no: sqlite3.Error, count: int) -> LogUnavailableError:
        return LogUnavailableError(f"{self._path}: refused {count} records: {no}")

    def _refuse_rest(self, why: OperatingError | None) -> None:
        """Refuse the callers queued after a failure; the log itself refuses later ones."""
        while (one := self._queue.get()) is not None:
            error = LogUnavailableError(f"{self._path}: closed: {why}")
            self._tell(Round(waiting=[one], error=error))
