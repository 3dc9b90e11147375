"""Where a fact stands in the log, when it was recorded, and for whom. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

from campaigns.process.printable_text import one_line
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope


class FactPlace(NamedTuple):
    """Where a fact stands, when it was recorded, and for whom."""

    at: datetime
    partition: int
    position: int
    actor: str

    def __str__(self) -> str:
        return f"{self.partition}@{self.position}"


def recorded_at(time: str) -> datetime:
    """Return a record's time, in UTC; what is no instant is the earliest there is.

    A foreign producer may have written any text there.
    """
    try:
        at = datetime.fromisoformat(time)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def place_of(recorded: Recorded) -> FactPlace:
    """Return where an accepted record stands, and when and for whom it was recorded."""
    envelope = recorded.envelope
    assert isinstance(envelope, Envelope), "what is accepted has an envelope"
    at = recorded_at(envelope.time)
    return FactPlace(at, recorded.partition.number, recorded.position, one_line(envelope.actor))
