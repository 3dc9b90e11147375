"""The log as a port, and its reference in memory. Adapters: sqlite_log.py, kafka_log.py.

The rule is not in here: a log keeps bytes in order, a partition at a time, and no more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.entry import entry
from campaigns.records.record import Record, Recorded
from campaigns.records.topics import Partition, counts

BATCH_MAX = 256  # Records a reader is given at once: a fold step stays below some 20 ms.

# Told that a record that was taken is not in the log and never will be, once that is certain.
OnRefusal = Callable[[LogUnavailableError], None]


class EventLog(Protocol):
    """Records in order. Positions count from 1 in each partition; 0 is before everything."""

    @property
    def id(self) -> str:
        """Return what tells this log from every other: a store is a cache of one log.

        Shape: `place`, or `place#made` where one can be deleted and made anew at the same place.
        """
        ...

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has. Known once the log is open."""
        ...

    async def open(self) -> None:
        """Connect, make what is missing, check what exists.

        Raises:
            LogUnavailableError: it cannot be reached in time.
            TopicMisfitError: what exists does not fit.

        """
        ...

    async def close(self) -> None:
        """Let go of everything. What was appended and not acknowledged may still appear."""
        ...

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Hand a record over. That it is in the log is known only by reading it back.

        Returns when the log has taken it, not when it is durable: what a reader is given is.
        `key` is the campaign's (or organization's) id. `refused` may be told later that it will
        never be there; who is not told knows nothing.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.
            UnreadableRecordError: nor is this one: no reader could read it.

        """
        ...

    def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the partition's records behind `after`, in order, for ever.

        Only what is durable. Followers of one process share each `Recorded`, so that it is
        decoded once. A batch may begin at or below `after` (redelivery is normal).

        Raises:
            LogCutError: `after` lies beyond the log's end, or what follows it is gone.

        """
        ...

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return why these topics cannot be written, or read, now, as far as is known."""
        ...

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` records behind `after`; fewer only at the end as of now."""
        ...

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the read index: the last position of each partition, asked after the call.

        Nothing that was acknowledged before the call lies behind it. Callers that come while a
        question is on its way share the next one.

        Raises:
            LogUnavailableError: no answer in time.

        """
        ...


class MemoryLog:
    """The reference: a list a partition, in one event loop. For tests and simulation."""

    def __init__(self, partitions: int = 1) -> None:
        self._count = counts(partitions)
        self._records: dict[Partition, list[Recorded]] = {
            Partition(topic, number): []
            for topic, count in self._count.items()
            for number in range(count)
        }
        self._grown: dict[Partition, asyncio.Event] = {}

    @property
    def id(self) -> str:
        """Return a name: there is one log in memory a test."""
        return "memory"

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return self._count[topic]

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go of: another reader may still read."""

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Append, and wake the followers."""
        self._place(entry(record, partition, self._count[partition.topic]))

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return nothing: memory takes everything."""
        return ()

    def append_bytes(self, partition: Partition, raw: bytes) -> Recorded:
        """Append any bytes at all: what a stranger may do on a real topic."""
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
        """Yield what is there, then wait for more."""
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
        """Return a slice."""
        return self._records[partition][after : after + limit]

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the lengths."""
        return {partition: len(self._records[partition]) for partition in partitions}


def refuse_beyond(partition: Partition, after: int, end: int) -> None:
    """Stop a reader whose position the log does not have.

    Raises:
        LogCutError: `after` lies beyond `end`.

    """
    if after > end:
        raise LogCutError(
            f"{partition}: expected at least {after} records, found {end}: the log was cut,"
            " or the data directory belongs to another log"
        )


def refuse_other(partition: Partition, last: Recorded | None, found: Sequence[Recorded]) -> None:
    """Stop those who were given `last`, if it stands no more where it stood. None: nothing yet.

    Raises:
        LogCutError: the first of what was found there now is another record, or there is none.

    """
    if last is not None and (not found or found[0].raw != last.raw):
        raise LogCutError(
            f"{last.where}: expected the record that was read there, found"
            f" {'another' if found else 'none'}: the log was cut"
        )


def refuse_made_anew(store: object, was: str, now: str) -> None:
    """Stop a store whose log was deleted, and made anew at the same place. `was`, `now`: log ids.

    The store may be all that is left of what was acknowledged: whoever throws it away, decides it.

    Raises:
        LogCutError: it is of the log that was there before.

    """
    place, _, made = was.partition("#")
    if made and was != now and now.partition("#")[0] == place:
        raise LogCutError(
            f"{store}: expected the log {was}, found {now}: its topics were deleted and made anew,"
            " and all that was acknowledged is gone"
        )
