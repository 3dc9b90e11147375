"""The partitions that one dialer works: all of them, or those that its group assigns to it."""

import asyncio
from collections.abc import Callable, Sequence

from campaigns.log.reader import Reader
from campaigns.process.errors import LogUnavailableError, NotFreshError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

CATCH_UP_AGAIN_S = 0.5  # Between two tries to reach the log's end.


class Assignment:
    """Which partitions to work. It spares work: safety does not rest on it."""

    def __init__(self, reader: Reader, catch_up_s: float) -> None:
        self._reader, self._catch_up_s = reader, catch_up_s
        self._assigned: frozenset[int] | None = None  # None: all, there is no group.
        self._held = False  # Work none, whatever is assigned.
        self._changed = asyncio.Event()
        self.troubles: Callable[[], Sequence[str]] = tuple  # Why no partitions are assigned.

    def join(self, troubles: Callable[[], Sequence[str]]) -> None:
        """Work no partition until one is assigned: there may be other dialers."""
        self.troubles = troubles
        self._assigned = frozenset()

    def assign(self, partitions: frozenset[int]) -> None:
        """Take note of the partitions to work."""
        self._assigned = partitions
        self._changed.set()

    def hold(self, held: bool) -> None:
        """Work no partition while it is held."""
        self._held = held
        self._changed.set()

    async def follow(self, partitions: int, work: Callable[[frozenset[int]], None]) -> None:
        """Call `work` with each assignment, once the fold has caught up with its partitions."""
        while True:
            self._changed.clear()
            wanted = frozenset() if self._held else self._assigned
            numbers = range(partitions) if wanted is None else sorted(wanted)
            try:
                await self._reader.catch_up(
                    [Partition(CAMPAIGN_RECORDS, number) for number in numbers],
                    within_s=self._catch_up_s,
                )
            except (LogUnavailableError, NotFreshError):
                await asyncio.sleep(CATCH_UP_AGAIN_S)
                continue
            if (frozenset() if self._held else self._assigned) == wanted:
                work(frozenset(numbers))
                await self._changed.wait()
