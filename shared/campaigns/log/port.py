"""The log as a port, and its in-memory reference. Adapters: sqlite_log.py, kafka_log.py.

The rule is not in here: a log keeps the bytes of each partition in order, and does no more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.entry import entry
from campaigns.records.home import LogPlace
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import Partition, counts
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.key_text import KEY_BYTES

BATCH_MAX = 256  # Records per batch: keeps a fold step below some 20 ms.

# Called once it is certain that a record which was handed over will never be in the log.
OnRefusal = Callable[[LogUnavailableError], None]


class ReadableLog(Protocol):
    """A log to look at: an open one, a read-only one, or an export.

    Positions count from 1 in each partition; 0 is before the first record.
    """

    @property
    def id(self) -> str:
        """Return this log's unique identity: a store is a cache of exactly one log.

        Shape: `place`, or `place#made` where a log can be deleted and created again at the place.
        """
        ...

    def partitions(self, topic: str) -> int:
        """Return the number of a topic's partitions. Known once the log is open."""
        ...

    @property
    def list_keys(self) -> ListKeys | None:
        """Return the keys of encrypted rows. None: there are none, and rows are written plain."""
        ...

    async def open(self) -> None:
        """Connect, create what is missing, check what exists.

        Raises:
            LogUnavailableError: it cannot be reached in time.
            TopicMisfitError: what exists does not fit.

        """
        ...

    async def close(self) -> None:
        """Release all resources. Records that were not acknowledged may still appear."""
        ...

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` records after `after`; fewer only at the current end."""
        ...

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the read index: the last position of each partition, read after the call began.

        Every record acknowledged before the call is at or before it. Callers that arrive while a
        request is in flight share the next one.

        Raises:
            LogUnavailableError: no answer in time.

        """
        ...


class EventLog(ReadableLog, Protocol):
    """Records in order, to follow and to append to."""

    @property
    def place(self) -> LogPlace:
        """Return where this log is, by what no copy of it shares. Known once open."""
        ...

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Hand a record over. Only reading it back proves that it is in the log.

        Returns when the log has taken it, which may be before it is durable; readers are given
        durable records only. `key` is the id of the campaign (or organization). `refused` may be
        called later to say that the record will never be in the log; if it is not called, the
        outcome is unknown.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.
            UnreadableRecordError: no reader could read it, or it does not belong in this
                partition; it is not and will not be in the log.

        """
        ...

    def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the partition's records after `after`, in order, indefinitely.

        Only durable records. The followers in one process share each `Recorded`, so that it is
        decoded once. A batch may begin at or below `after` (redelivery is normal).

        Raises:
            LogCutError: `after` lies beyond the log's end, or the records after it are gone.

        """
        ...

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return the known reasons why these topics cannot be written, or read, now."""
        ...


class MemoryLog:
    """The reference: one list per partition, in one event loop. For tests and simulation."""

    def __init__(self, partitions: int = 1) -> None:
        self._count = counts(partitions)
        self._records: dict[Partition, list[Recorded]] = {
            Partition(topic, number): []
            for topic, count in self._count.items()
            for number in range(count)
        }
        self._grown: dict[Partition, asyncio.Event] = {}
        self.place = LogPlace({"log": "memory"}, "memory")  # A test's copy has another.
        self.list_keys: ListKeys | None = ListKeys(MemoryKeys(), KeyPlace(bytes(KEY_BYTES)))

    @property
    def id(self) -> str:
        """Return a constant: a test has one in-memory log."""
        return "memory"

    def partitions(self, topic: str) -> int:
        """Return the number of a topic's partitions."""
        return self._count[topic]

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to release: another reader may still read."""

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Append a record and wake the followers."""
        self._place(entry(record, partition, self._count[partition.topic]))

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return nothing: memory is always available."""
        return ()

    def append_bytes(self, partition: Partition, raw: bytes) -> Recorded:
        """Append arbitrary bytes, as a foreign producer may on a real topic."""
        return self._place(Recorded(partition, 0, raw, self._count[partition.topic]))

    def _place(self, recorded: Recorded) -> Recorded:
        partition = recorded.partition
        records = self._records[partition]
        records.append(recorded.placed(len(records) + 1))
        if grown := self._grown.pop(partition, None):
            grown.set()
        return recorded

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the existing records, then wait for more."""
        records = self._records[partition]
        refuse_beyond(partition, after, len(records))
        last: Recorded | None = None
        while True:
            refuse_other(partition, last, records[after - 1 : after])
            if batch := records[after : after + batch_max]:
                yield batch
                last, after = batch[-1], batch[-1].position
            else:
                await self._grown.setdefault(partition, asyncio.Event()).wait()

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return a slice of the list."""
        return self._records[partition][after : after + limit]

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the lists' lengths."""
        return {partition: len(self._records[partition]) for partition in partitions}


def refuse_beyond(partition: Partition, after: int, end: int) -> None:
    """Stop a reader whose position lies beyond the log's end.

    Raises:
        LogCutError: `after` lies beyond `end`.

    """
    if after > end:
        raise LogCutError(
            f"{partition}: expected at least {after} records, found {end}: the log was cut,"
            " or the data directory belongs to another log"
        )


def refuse_other(partition: Partition, last: Recorded | None, found: Sequence[Recorded]) -> None:
    """Stop readers that were given `last` unless `found` begins with it. None: nothing given yet.

    Raises:
        LogCutError: another record stands at its position now, or none.

    """
    if last is not None and (not found or found[0].raw != last.raw):
        raise LogCutError(
            f"{last.where}: expected the record that was read there, found"
            f" {'another' if found else 'none'}: the log was cut"
        )


def refuse_recreated(store: object, was: str, now: str) -> None:
    """Stop a store whose log was deleted and created again at the same place. Takes log ids.

    The store may hold the only copy of acknowledged records, so only an operator may delete it.

    Raises:
        LogCutError: the store belongs to the deleted log.

    """
    place, _, made = was.partition("#")
    if made and was != now and now.partition("#")[0] == place:
        raise LogCutError(
            f"{store}: expected the log {was}, found {now}: its topics were deleted and created"
            " again, and all acknowledged records are gone"
        )
