"""How much of the log is folded in one step, which holds the event loop. Pure."""

from collections.abc import Iterator, Sequence

from campaigns.records.log_entry import Recorded
from campaigns.records.record import RECORD_BYTES_MAX

STEP_BYTES_MAX = RECORD_BYTES_MAX  # A step stays below some 20 ms: of chunks of contacts, one.


def bounded(batch: Sequence[Recorded]) -> Iterator[Sequence[Recorded]]:
    """Split a batch into steps of at most STEP_BYTES_MAX, except for single records."""
    begin = weight = 0
    for end, recorded in enumerate(batch):
        weight += len(recorded.raw or b"")
        if weight > STEP_BYTES_MAX and end > begin:
            yield batch[begin:end]
            begin, weight = end, len(recorded.raw or b"")
    if begin < len(batch):
        yield batch[begin:]
