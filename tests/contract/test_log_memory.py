"""The log in memory is the reference: it passes the contract that the others are held to."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from campaigns.log.port import EventLog, MemoryLog
from campaigns.records.topics import Partition
from campaigns.testing.log_contract import CutLogContract


class TestMemoryLog(CutLogContract):
    """Nothing is durable: what is opened again is the same object."""

    @asynccontextmanager
    async def _open(self, log: EventLog) -> AsyncIterator[EventLog]:
        await log.open()
        yield log
        await log.close()

    def open_log(self, partitions: int) -> AbstractAsyncContextManager[EventLog]:
        return self._open(MemoryLog(partitions))

    def reopen(self, log: EventLog) -> AbstractAsyncContextManager[EventLog]:
        return self._open(log)

    async def append_bytes(self, log: EventLog, partition: Partition, raw: bytes) -> None:
        assert isinstance(log, MemoryLog)
        log.append_bytes(partition, raw)

    async def cut(self, log: EventLog, partition: Partition, to: int) -> None:
        assert isinstance(log, MemoryLog)
        del log._records[partition][to:]
