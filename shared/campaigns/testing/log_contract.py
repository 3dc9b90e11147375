"""The contract of every EventLog: the suites that a new adapter must pass. No pytest.

A test class per adapter (tests/contract) subclasses LogContract and overrides the hooks.
"""

import asyncio
import contextlib

from campaigns.log.port import EventLog
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.topics import (
    Partition,
)
from campaigns.testing.follower_contract import FollowerContract
from campaigns.testing.record_contract import RecordContract
from campaigns.testing.sample_records import FIRST, close, some_record


class LogContract(RecordContract, FollowerContract):
    """The promises of every EventLog."""


class CutLogContract(LogContract):
    """The promises of a log that can lose records while it is open."""

    async def cut(self, log: EventLog, partition: Partition, to: int) -> None:
        """Delete the records after `to`, as a disk or a restored copy may."""
        raise NotImplementedError

    async def test_a_follower_of_a_cut_log_is_stopped_before_the_new_records(self) -> None:
        """Grown again to less, as much or more than was read: the follower gets none of it."""
        for grown in (1, 4, 9):
            async with self.open_log(1) as log:
                (end,) = (await log.ends([FIRST])).values()
                await self.fill(log, FIRST, 6)
                batches = log.batches(FIRST, end)
                position = end
                async with asyncio.timeout(20):
                    while position < end + 6:
                        position = (await anext(batches))[-1].position
                    await self.cut(log, FIRST, end + 2)
                    await self._grow(log, grown)
                    try:
                        given = await anext(batches)
                    except LogCutError as exc:
                        message = str(exc)
                    else:
                        raise AssertionError(f"grown by {grown}: expected LogCutError, got {given}")
                assert str(FIRST) in message
                await close(batches)

    async def _grow(self, log: EventLog, count: int) -> None:
        """Append as a stranger: a log that has noticed the cut takes no records."""
        for _ in range(count):
            record, _ = some_record(FIRST)
            await self.append_bytes(log, FIRST, record.encode())
        with contextlib.suppress(LogUnavailableError):
            await log.ends([FIRST])
