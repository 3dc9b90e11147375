"""The one thread that writes to the embedded log, and that looks for what others have written.

Group commit: all that is waiting goes into one transaction, so that one sync serves all of them.
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
from campaigns.records.record import Recorded
from campaigns.records.topics import Partition
from campaigns.sqlite.file import (
    busy,
    connect,
    identity,
    last_of,
    record_at,
    refuse_other_file,
)

COMMIT_MAX = 512  # Records a commit.
BUSY_MS = 5  # How long one try waits for another process's commit.
COMMIT_BYTES_MAX = 8 * 1024 * 1024
# A commit that fails so has left no complete transaction in the file, whatever happens next.
_UNDONE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY}


class Waiting(NamedTuple):
    """A record on its way in, and who waits for it."""

    partition: Partition
    entry: Recorded  # Not placed yet.
    taken: asyncio.Future[None]


class Written(NamedTuple):
    """Consecutive records that are durable now."""

    first: int
    entries: Sequence[Recorded]  # Not placed yet: that is the event loop's.


@dataclass(slots=True)
class Round:
    """What one turn of the thread has changed, for the event loop."""

    written: dict[Partition, Written] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)  # That others have moved.
    waiting: Sequence[Waiting] = ()
    error: OperatingError | None = None  # For all who wait.
    broken: bool = False  # The thread has ended: the file can be trusted no more.
    cut: LogCutError | None = None  # … because it has lost what it had.


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
        """Commit what is waiting, then end. Blocks until that is done."""
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
            if crashed:  # A bug ends the thread: nobody waits for it in vain.
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
            assert self._loop.is_closed(), "nobody is left to be told"

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
        """Find out whether other processes have written."""
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
            self._note_others(turn)  # Who always has something to write never only looks.
            refuse_other_file(self._path, self._file)
            self._note(turn, entries)  # Inside: nobody else can take these positions now.
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
        """Become the one who writes. Others are read meanwhile, and nobody waits for ever."""
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
        if self._db.in_transaction:  # SQLite has done it by itself after some errors.
            self._db.execute("rollback")

    def _refused(self, no: sqlite3.Error, count: int) -> LogUnavailableError:
        return LogUnavailableError(f"{self._path}: refused {count} records: {no}")

    def _refuse_rest(self, why: OperatingError | None) -> None:
        """Answer those who wait behind a failure; those to come are refused by the log."""
        while (one := self._queue.get()) is not None:
            error = LogUnavailableError(f"{self._path}: closed: {why}")
            self._tell(Round(waiting=[one], error=error))
