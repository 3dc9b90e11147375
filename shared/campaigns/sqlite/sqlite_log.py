"""The embedded log: one SQLite file, durable, for one process or several on one machine.

A record is synced to disk before any reader sees it. The file and its tables: file.py; the only
thread that writes: committer.py; reading for all followers: feeder.py.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from campaigns.log.port import BATCH_MAX, OnRefusal, refuse_beyond
from campaigns.log.tail import READ_BYTES_MAX
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.entry import entry
from campaigns.records.home import LogPlace
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import Partition, counts
from campaigns.secrets.key_place import KEY_FILE, KeyPlace
from campaigns.sqlite.committer import Committer, Round, Waiting
from campaigns.sqlite.feeder import Feeder
from campaigns.sqlite.file import (
    Stretch,
    at_rest,
    connect,
    end_of,
    identity,
    prepare,
    refuse_other_file,
    stretch,
)
from campaigns.sqlite.file_place import place_of
from campaigns.sqlite.key_file import KEYS_FILE, KeyFile

VISITORS_MS = 500.0  # How soon a process with all parts sees an operator's `dialgate upgrade`.
PRIVATE_MAX = 2_048  # Records per read of a follower that has fallen behind the tail.


class SqliteLog:
    """Records in order, in one file. Implements the EventLog port."""

    def __init__(
        self,
        path: Path,
        partitions: int | None = 1,
        *,
        exclusive: bool = True,
        read_only: bool = False,
        poll_ms: float = 2.0,
        busy_s: float = 5.0,
        master_keys: KeyPlace | None = None,
    ) -> None:
        """Store the settings; `open` creates the file.

        `partitions` None: as many as the file has. `exclusive`: no other service writes (the
        caller holds all locks of the data directory), so only an operator's decisions are polled
        for, every VISITORS_MS; otherwise the file is polled every `poll_ms`. `read_only` creates
        nothing. `busy_s`: how long a commit may wait for those of other processes. `master_keys`
        None: the one in the file beside the log.
        """
        self._path = path
        self._keys = KeyFile(path.with_name(KEYS_FILE), read_only=read_only)
        self.list_keys: ListKeys | None = ListKeys(
            self._keys, master_keys or KeyPlace(None, path.with_name(KEY_FILE))
        )
        self._asked = partitions
        self._read_only = read_only
        self._poll_ms = VISITORS_MS if exclusive and not read_only else poll_ms
        self._busy_s = busy_s
        self._id, self._place = "", LogPlace({}, "")
        self._file = (0, 0)  # Which one is open: it may be replaced.
        self._at_rest = (
            False  # Opened for reading while nobody wrote: it would not be seen to grow.
        )
        self._count: dict[str, int] = {}
        self._feeder = Feeder({}, self._stretch, self._stop)
        self._reading: ThreadPoolExecutor | None = None
        self._asking: sqlite3.Connection | None = None  # The event loop's.
        self._chunks: sqlite3.Connection | None = None  # The reading thread's.
        self._committer: Committer | None = None
        self._failed: str | None = None  # Why the log neither takes nor yields records.

    @property
    def id(self) -> str:
        """Return the file's id, generated when it was created."""
        assert self._id, "open() comes first"
        return self._id

    @property
    def place(self) -> LogPlace:
        """Return where the file is, by what no copy of it shares."""
        assert self._id, "open() comes first"
        return self._place

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has. Known once the log is open."""
        return self._count[topic]

    async def open(self) -> None:
        """Create the file, or check an existing one.

        Raises:
            LogUnavailableError: it cannot be created, opened or read.
            TopicMisfitError: it has other partitions, another version, or is not a log.

        """
        about = await asyncio.to_thread(prepare, self._path, self._asked, read_only=self._read_only)
        self._id = about.id
        self._file = identity(self._path) or (0, 0)
        self._place = _placed(self._path)
        self._count = counts(about.partitions)
        self._at_rest = self._read_only and at_rest(self._path)
        self._asking = connect(self._path, read_only=self._read_only)
        self._chunks = connect(self._path, read_only=self._read_only)
        self._reading = ThreadPoolExecutor(1, f"read {self._path.name}")
        every = (Partition(topic, n) for topic, count in self._count.items() for n in range(count))
        ends = {partition: end_of(self._asking, partition) for partition in every}
        self._feeder = Feeder(ends, self._stretch, self._stop)
        self._committer = Committer(
            self._path,
            ends,
            self._publish,
            read_only=self._read_only,
            poll_ms=self._poll_ms,
            busy_s=self._busy_s,
        )

    async def close(self) -> None:
        """Commit the waiting records, then close the file."""
        committer, self._committer = self._committer, None
        if committer is not None:
            await asyncio.to_thread(committer.close)
        self._feeder.cancel()
        if self._reading is not None:
            await asyncio.to_thread(self._reading.shutdown)
        for db in (self._asking, self._chunks):
            if db is not None:
                db.close()
        self._asking = self._chunks = self._reading = None
        self._keys.close()

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return why records can no longer be appended, or contacts not be read."""
        found = self.list_keys.troubles() if self.list_keys else ()
        return (f"the log takes nothing: {self._failed}", *found) if self._failed else found

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Hand a record to the next commit. Returns when it is durable.

        Raises:
            LogUnavailableError: it was rolled back; it is not and will not be in the log.
            UnreadableRecordError: no reader could read it; it is not and will not be in the log.
            OutcomeUnknownError: the commit itself failed; this log takes no more records.

        """
        if self._committer is None or self._read_only or self._failed:
            why = self._failed or ("open for reading only" if self._read_only else "not open")
            raise LogUnavailableError(f"{self._path}: takes nothing: {why}")
        assert partition in self._feeder.tails, f"{partition} does not exist"
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made = entry(record, partition, self._count[partition.topic])
        self._committer.put(Waiting(partition, made, taken))
        await taken

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the partition's records after `after`, in order, indefinitely.

        Raises:
            LogCutError: `after` lies beyond the log's end, or a record is missing.
            LogUnavailableError: the file cannot be read, or a commit failed midway.

        """
        ends = await self.ends([partition])
        refuse_beyond(partition, after, ends[partition])
        if self._failed:
            raise LogUnavailableError(self._failed)
        tail = self._feeder.tails[partition]
        follower, _ = tail.join(after)
        try:
            while True:
                self._feeder.feed(partition)
                batch = tail.take(follower, batch_max)
                if batch is None:
                    # Reread the last record: the reader compares it with the one it folded.
                    after = max(0, follower.position - 1)
                    batch = await self.read(partition, after, PRIVATE_MAX, bytes_max=READ_BYTES_MAX)
                elif not batch:
                    await follower.woken.wait()
                for start in range(0, len(batch), batch_max):
                    some = batch[start : start + batch_max]
                    yield some
                    tail.moved(follower, some[-1].position)
        finally:
            tail.leave(follower)

    async def read(
        self, partition: Partition, after: int, limit: int, *, bytes_max: int | None = None
    ) -> Sequence[Recorded]:
        """Return at most `limit` records after `after`; fewer only at the end, or by `bytes_max`.

        Raises:
            LogCutError: the record after `after` is missing.
            LogUnavailableError: the file cannot be read.

        """
        found = await self._stretch(partition, after, limit, bytes_max)
        if found.failure and not found.records:
            raise found.failure
        return found.records

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the last positions, including what other processes committed before this call.

        Raises:
            LogUnavailableError: the file cannot be read.

        """
        if self._asking is None:
            raise LogUnavailableError(f"{self._path}: not open")
        try:
            if self._at_rest and not at_rest(self._path):
                await self._reopen()
            ends = {partition: end_of(self._asking, partition) for partition in partitions}
        except sqlite3.Error as exc:
            raise LogUnavailableError(f"{self._path}: expected its end, found {exc}") from exc
        try:
            refuse_other_file(self._path, self._file)
            for partition, end in ends.items():
                refuse_beyond(partition, self._feeder.ends[partition], end)
        except LogCutError as exc:
            self._stop(exc)
            raise LogUnavailableError(str(exc)) from exc
        for partition, end in ends.items():
            self._feeder.grown(partition, end)
        return ends

    async def _reopen(self) -> None:
        """Open the file anew, now that a process writes to it."""
        assert self._reading is not None, "it is open"
        before, self._at_rest = (self._asking, self._chunks), False
        self._asking = connect(self._path, read_only=True)
        self._chunks = connect(self._path, read_only=True)
        for db in before:
            if db is not None:  # The reading thread may be using it.
                await asyncio.get_running_loop().run_in_executor(self._reading, db.close)

    async def _stretch(
        self, partition: Partition, after: int, limit: int, bytes_max: int | None = None
    ) -> Stretch:
        if self._reading is None or self._chunks is None:
            raise LogUnavailableError(f"{self._path}: not open")
        count = self._count[partition.topic]
        asked = partial(stretch, self._chunks, partition, after, limit, count, bytes_max)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, asked)
        except sqlite3.Error as exc:
            raise LogUnavailableError(f"{partition}@{after}: expected more, found {exc}") from exc

    def _stop(self, failure: Exception) -> None:
        """Take and yield no more records."""
        self._failed = str(failure)
        self._feeder.fail(failure)

    def _publish(self, turn: Round) -> None:
        """Give newly durable records to the followers, and answer the appending callers."""
        for partition, (first, entries) in turn.written.items():
            self._feeder.place(partition, first, entries)
        for partition, end in turn.ends.items():
            self._feeder.grown(partition, end)
        if turn.broken:
            self._stop(turn.cut or LogUnavailableError(str(turn.error)))
        for one in turn.waiting:
            if one.taken.done():  # The caller was cancelled.
                continue
            if turn.error:
                one.taken.set_exception(turn.error)
            else:
                one.taken.set_result(None)


def _placed(path: Path) -> LogPlace:
    try:
        return place_of(path)
    except OSError as exc:
        raise LogUnavailableError(f"expected a log at {path}, found {exc}") from exc
