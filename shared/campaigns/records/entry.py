"""A record before it is appended: encoded, and decoded as every reader will decode it. Pure.

Nothing can be removed from the log, and a reader that cannot read a record stops (ADR-0008). So a
record is appended only if the reader's own code gives it back as it was meant (ADR-0015).
"""

from datetime import datetime

from campaigns.process.errors import ContractError, UnreadableRecordError
from campaigns.records.log_entry import Recorded
from campaigns.records.record import RECORD_BYTES_MAX, Envelope, Record
from campaigns.records.topics import Partition


def entry(record: Record, partition: Partition, partitions: int) -> Recorded:
    """Return the log entry, decoded from the very bytes to write; its position is not known yet.

    `partitions`: of the topic. A reader that the log hands the entry need not decode it again.

    Raises:
        UnreadableRecordError: no reader would read it as it was meant; it must not be appended.

    """
    try:
        raw = record.encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise _unreadable(record, partition, f"it cannot be encoded: {exc}") from exc
    if len(raw) > RECORD_BYTES_MAX:
        raise _unreadable(
            record, partition, f"expected at most {RECORD_BYTES_MAX} bytes, found {len(raw)}"
        )
    recorded = Recorded(partition, 0, raw, partitions)
    try:
        envelope = recorded.envelope
        if not isinstance(envelope, Envelope):
            raise _unreadable(record, partition, f"it would be foreign: {envelope.why}")
        facts = recorded.facts
    except ContractError as exc:
        raise _unreadable(record, partition, str(exc)) from exc
    if not _same(record, envelope):
        differs = _difference(record, envelope)
        raise _unreadable(record, partition, f"`{differs}` comes back as another")
    for meant, found in zip(record.facts, facts, strict=True):
        if meant != found:
            raise _unreadable(record, partition, f"{meant.TYPE} comes back as another")
    return recorded


def _same(record: Record, envelope: Envelope) -> bool:
    """Say whether an envelope is what was meant. Asked of each record: one look, without a loop."""
    time = datetime.fromisoformat(envelope.time)
    return (
        record.id == envelope.id
        and record.condition == envelope.condition
        and record.time == time
        and time.tzinfo is not None
        and record.source == envelope.source
        and record.actor == envelope.actor
        and record.correlation_id == envelope.correlation_id
        and record.causation_id == envelope.causation_id
        and record.idempotency == envelope.idempotency
    )


def _difference(record: Record, envelope: Envelope) -> str:
    """Return which part of an envelope is not what was meant."""
    for name in ("id", "source", "actor", "correlation_id", "causation_id", "condition"):
        if getattr(record, name) != getattr(envelope, name):
            return name
    if record.idempotency != envelope.idempotency:
        return "idempotency"
    return "time"


def _unreadable(record: Record, partition: Partition, why: str) -> UnreadableRecordError:
    kinds = ", ".join(sorted({fact.TYPE for fact in record.facts}))
    return UnreadableRecordError(f"{partition}: record {record.id[:80]} ({kinds}): {why[:500]}")
