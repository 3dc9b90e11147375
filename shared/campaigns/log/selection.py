"""Reads records at chosen positions out of a log, without those that lie far between them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise

from campaigns.log.port import BATCH_MAX, ReadableLog, refuse_beyond
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

# Records between two chosen ones that are read and dropped rather than sought over: as long as a
# read of its own takes on the embedded log.
NEAR = 64


async def selected(
    log: ReadableLog, partition: Partition, positions: Sequence[int]
) -> AsyncIterator[Sequence[Recorded]]:
    """Yield the records at these positions, in order, at most BATCH_MAX at a time.

    `positions`: ascending, each of a record that is in the log.

    Raises:
        LogCutError: the log ends before one of them.
        LogUnavailableError: the log does not answer.

    """
    for some in _near(positions):
        after, wanted = some[0] - 1, set(some)
        while after < some[-1]:
            found = await log.read(partition, after, min(BATCH_MAX, some[-1] - after))
            if not found:
                refuse_beyond(partition, some[-1], after)
            after = found[-1].position
            yield [recorded for recorded in found if recorded.position in wanted]


def _near(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield stretches of positions with at most NEAR others between two neighbours."""
    first = 0
    for n, (one, following) in enumerate(pairwise(positions), 1):
        if following - one > NEAR + 1:
            yield positions[first:n]
            first = n
    if first < len(positions):
        yield positions[first:]
