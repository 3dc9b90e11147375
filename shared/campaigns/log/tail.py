"""The in-memory tail of one partition, shared by a process's followers. Pure except for waking.

Records are decoded once and given to all followers. The tail is bounded: a follower that falls
behind it reads from the log by itself until it has caught up, so it never delays a fast one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from campaigns.records.log_entry import Recorded

AHEAD_MAX = 1_024  # Records read ahead of the fastest follower.
KEPT_MAX = 4_096  # Records kept for slower followers.
KEPT_BYTES_MAX = 4 * 1024 * 1024  # Decoded, rows of contacts take some ten times as much.
READ_BYTES_MAX = (
    1024 * 1024
)  # Per read, beyond two records: chunks of contacts may come by hundreds.


@dataclass(eq=False, slots=True)
class Follower:
    """The progress of one reader."""

    position: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class Tail:
    """Consecutive records after `base`, kept until every follower has received them."""

    base: int = 0  # The position before the first record kept.
    records: list[Recorded] = field(default_factory=list)
    followers: set[Follower] = field(default_factory=set)
    failure: Exception | None = None  # Raised to each follower after the last record.
    begun: bool = False  # Something was read since the first follower joined.
    last: Recorded | None = None  # The record at the head, if it was read: for comparison.
    _bytes: int = 0

    @property
    def head(self) -> int:
        """Return the last position that was read."""
        return self.base + len(self.records)

    @property
    def hungry(self) -> bool:
        """Say whether to read more: a follower is close to the head."""
        if not self.followers or self.failure:
            return False
        fastest = max(follower.position for follower in self.followers)
        return self.head - fastest < AHEAD_MAX and (
            fastest >= self.head or self._bytes < KEPT_BYTES_MAX
        )

    def join(self, after: int) -> tuple[Follower, int | None]:
        """Add a follower. Returns it, and the position to read after if that has changed."""
        begin = None
        if not self.followers or (not self.begun and after < self.base):
            self.base = begin = after
            self.records, self._bytes, self.failure, self.begun = [], 0, None, False
            self.last = None
        follower = Follower(after)
        self.followers.add(follower)
        return follower, begin

    def leave(self, follower: Follower) -> None:
        """Remove a follower."""
        self.followers.discard(follower)
        self._trim()

    def extend(self, records: Iterable[Recorded]) -> None:
        """Add records that were read, and wake all followers."""
        self.begun = True
        for recorded in records:
            assert recorded.position == self.head + 1, "positions are consecutive"
            self.records.append(recorded)
            self.last = recorded
            self._bytes += len(recorded.raw or b"")
        self._trim()
        self._wake()

    def next_is(self, position: int) -> bool:
        """Say whether the record at `position` may be added: all records before it were read."""
        return position == self.head + 1 and self.hungry

    def fail(self, failure: Exception) -> None:
        """Stop every follower once it has received the records read before."""
        self.failure = failure
        self._wake()

    def take(self, follower: Follower, batch_max: int) -> Sequence[Recorded] | None:
        """Return a follower's next records: empty at the head, None if they are no longer kept.

        Raises:
            Exception: `failure`, once the follower has received the last record.

        """
        begin = follower.position - self.base
        if begin < 0:
            return None
        batch = self.records[begin : begin + batch_max]
        if not batch:
            if self.failure and follower.position >= self.head:
                raise self.failure
            follower.woken.clear()
        return batch

    def moved(self, follower: Follower, position: int) -> None:
        """Note a follower's progress."""
        follower.position = position
        self._trim()

    def _wake(self) -> None:
        for follower in self.followers:
            follower.woken.set()

    def _trim(self) -> None:
        positions = [follower.position for follower in self.followers]
        slowest, fastest = min(positions, default=self.head), max(positions, default=self.head)
        crowded = self._bytes > KEPT_BYTES_MAX
        kept_from = fastest if crowded else max(slowest, min(fastest, self.head - KEPT_MAX))
        if (gone := min(kept_from, self.head) - self.base) > 0:
            self._bytes -= sum(len(one.raw or b"") for one in self.records[:gone])
            del self.records[:gone]
            self.base += gone
