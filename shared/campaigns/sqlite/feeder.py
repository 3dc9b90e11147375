"""Feeds the tails of the embedded log: from a commit's memory, or by reading the file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from campaigns.log.port import refuse_beyond, refuse_other
from campaigns.log.tail import READ_BYTES_MAX, Tail
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.process.watch import EndedError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from campaigns.sqlite.file import Stretch

CHUNK = 512  # Records per read from the file, for all followers.


class Feeder:
    """The tails of all partitions, and one task for each that is being read from the file."""

    def __init__(
        self,
        ends: Mapping[Partition, int],
        read: Callable[[Partition, int, int, int], Awaitable[Stretch]],
        stop: Callable[[Exception], None],
    ) -> None:
        """Store the settings. `read` reads the file; `stop` is called if the log was cut."""
        self.ends = dict(ends)  # The last known end of each partition.
        self.tails = {partition: Tail() for partition in ends}
        self._read, self._stop = read, stop
        self._feeding: dict[Partition, asyncio.Task[None]] = {}

    def cancel(self) -> None:
        """Stop reading."""
        for feeding in list(self._feeding.values()):
            feeding.cancel()

    def fail(self, failure: Exception) -> None:
        """Stop all followers once they have received the records read before."""
        for tail in self.tails.values():
            tail.fail(failure)

    def place(self, partition: Partition, first: int, entries: Sequence[Recorded]) -> None:
        """Give newly durable records to the followers. `first`: the first one's position."""
        tail = self.tails[partition]
        if tail.hungry and tail.head == first - 1:  # From memory, without reading the file.
            tail.extend([one.placed(first + n) for n, one in enumerate(entries)])
        self.grown(partition, first + len(entries) - 1)

    def grown(self, partition: Partition, end: int) -> None:
        """Note a partition's end, and feed it if it has grown."""
        if end > self.ends[partition]:
            self.ends[partition] = end
            self.feed(partition)

    def feed(self, partition: Partition) -> None:
        """Start reading from the file for all followers, if one of them needs it."""
        if partition not in self._feeding and self._wanted(partition):
            feeding = asyncio.create_task(self._fed(partition), name=f"feed {partition}")
            self._feeding[partition] = feeding
            feeding.add_done_callback(lambda done: self._feeding_ended(partition, done))

    def _wanted(self, partition: Partition) -> bool:
        tail = self.tails[partition]
        return tail.hungry and tail.head < self.ends[partition]

    async def _fed(self, partition: Partition) -> None:
        tail = self.tails[partition]
        try:
            while self._wanted(partition):
                # Reread the last record: it must still be the one that was read.
                last, after = tail.last, tail.head - (tail.last is not None)
                end = self.ends[partition]  # The file has at least the records up to here.
                found = await self._read(partition, after, CHUNK, READ_BYTES_MAX)
                refuse_other(partition, last, found.records)
                # The head may have moved meanwhile, by a commit or by another read.
                new = [one for one in found.records if one.position > tail.head]
                if new and new[0].position == tail.head + 1:
                    tail.extend(new)
                if tail.head == after + len(found.records):
                    if found.failure:
                        tail.fail(found.failure)
                    elif not new:
                        refuse_beyond(partition, end, tail.head)
        except LogCutError as exc:
            self._stop(exc)
        except LogUnavailableError as exc:
            tail.fail(exc)
        finally:
            del self._feeding[partition]

    def _feeding_ended(self, partition: Partition, done: asyncio.Task[None]) -> None:
        """Report a bug to the followers, which would otherwise wait indefinitely."""
        if not done.cancelled() and (bug := done.exception()):
            self.tails[partition].fail(bug if isinstance(bug, Exception) else EndedError(repr(bug)))
