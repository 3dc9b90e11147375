"""The hooks by which a contract opens, reopens and disturbs the logs of an adapter."""

from contextlib import AbstractAsyncContextManager

from campaigns.log.port import EventLog
from campaigns.records.record import Record
from campaigns.records.topics import (
    Partition,
)
from campaigns.testing.sample_records import some_record


class AdapterHooks:
    """How a contract opens the logs of one adapter. A subclass overrides the hooks."""

    shares = True  # Followers at the head get the same `Recorded`, decoded once.

    def open_log(self, partitions: int) -> AbstractAsyncContextManager[EventLog]:
        """Yield a fresh, empty, open log; close it afterwards."""
        raise NotImplementedError

    def reopen(self, log: EventLog) -> AbstractAsyncContextManager[EventLog]:
        """Yield the same log, opened again as after a restart. `log` may still be open."""
        raise NotImplementedError

    async def append_bytes(self, log: EventLog, partition: Partition, raw: bytes) -> None:
        """Write arbitrary bytes, as a foreign producer may; return once they are in the log."""
        raise NotImplementedError

    async def fill(
        self, log: EventLog, partition: Partition, count: int, partitions: int = 1
    ) -> list[Record]:
        """Append `count` records, one after the other; return them in that order."""
        records = []
        for _ in range(count):
            record, key = some_record(partition, partitions)
            await log.append(partition, record, key)
            records.append(record)
        return records
