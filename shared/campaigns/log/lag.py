"""How far a reader is behind the log: in records, and in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from campaigns.log.port import ReadableLog
from campaigns.process.errors import ContractError
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition

LOOK_MAX = 8  # Entries among which the first with a time is looked for: foreign ones have none.


class Lag(NamedTuple):
    """How far a partition, or the worst of some, is behind."""

    records: int = 0  # That are in the log and not visible here yet.
    seconds: float = 0.0  # That the first of them has waited, by the clock of whoever wrote it.

    def shape(self) -> dict[str, Any]:  # Any: JSON.
        """Return it as JSON has it."""
        return {"records": self.records, "seconds": round(self.seconds, 3)}


def waiting_since(records: Sequence[Recorded]) -> datetime | None:
    """Return when the first of these was written; None: none of them can tell."""
    for recorded in records[:LOOK_MAX]:
        try:
            envelope = recorded.envelope
        except ContractError:  # Of a later level: the reader will say so.
            continue
        if isinstance(envelope, Envelope):
            return datetime.fromisoformat(envelope.time)
    return None


@dataclass
class Behind:
    """What one reader knows of what it has not folded yet, as last looked at."""

    ends: dict[Partition, int] = field(default_factory=dict)  # As the log last reported them.
    # When the first record that is not visible was written.
    since: dict[Partition, datetime] = field(default_factory=dict)

    async def look(self, log: ReadableLog, visible: Mapping[Partition, int]) -> None:
        """Note the log's current ends, and what waits there.

        Raises:
            LogUnavailableError: the log did not answer in time.

        """
        ends = await log.ends(list(visible))
        self.ends.update(ends)
        for partition, end in ends.items():
            position, at = visible.get(partition, 0), None
            if position < end:
                at = waiting_since(await log.read(partition, position, LOOK_MAX))
            if at is None:
                self.since.pop(partition, None)
            else:
                self.since[partition] = at

    def lag(self, visible: Mapping[Partition, int], now: datetime) -> dict[Partition, Lag]:
        """Return the lag of each partition whose end is known. `now`: the wall clock."""
        found = {}
        for partition, end in self.ends.items():
            behind = max(0, end - visible.get(partition, 0))
            at = self.since.get(partition) if behind else None
            waited = max(0.0, (now - at).total_seconds()) if at is not None else 0.0
            found[partition] = Lag(behind, waited)
        return found


def whole_lag(of: Mapping[Partition, Lag]) -> Lag:
    """Return the lag of all partitions together: the sum of records, the longest wait."""
    seconds = max((one.seconds for one in of.values()), default=0.0)
    return Lag(sum(one.records for one in of.values()), seconds)


def lag_shape(of: Mapping[Partition, Lag]) -> dict[str, Any]:  # Any: JSON.
    """Return a reader's lag as JSON has it: as a whole, and by partition."""
    each = {str(partition): one.shape() for partition, one in sorted(of.items())}
    return whole_lag(of).shape() | {"partitions": each}


def backlog(partitions: Sequence[tuple[int, int | None]]) -> str:
    """Say how far views are behind: for each partition, where they are and where the log ends.

    They are far behind after a first start, or one of a build with other tables (ADR-0035). An end
    is None if the log has not reported it since the start, as when it does not answer.
    """
    done, ends = sum(position for position, _ in partitions), [end for _, end in partitions]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return f"The views are at {done:,} records, and the log has not said yet how many it holds"
    done = sum(min(position, end or 0) for position, end in partitions)
    if done == (every := sum(known)):
        return (
            f"The views have all {every:,} records that the log last reported, and it has not said"
            " how many it holds now"
        )
    return (
        f"The views are being made from the log: {done:,} of {every:,} records,"
        f" {100 * done // every} %"
    )
