"""The events of all that was accepted so far, each partition in its order, and where to go on."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from campaigns.audit.rulings import PartitionRuling, partitions_of, ruled_batches
from campaigns.log.port import ReadableLog
from campaigns.process.errors import LogCutError
from campaigns.records.cloud_event import CloudEvent, EventId, event_id, events_of
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

_EARLIEST = datetime.min.replace(tzinfo=UTC)

Cursor = Mapping[int, EventId]  # Partition → its last event that was passed.


class PastEvent(NamedTuple):
    """An event, and when its record was written."""

    time: datetime  # By its writer's clock, UTC.
    event: CloudEvent


def cursor_text(cursor: Cursor) -> str:
    """Return a cursor as people copy it: the last event of each partition, comma-separated."""
    return ",".join(str(cursor[number]) for number in sorted(cursor))


def cursor_of(text: str) -> Cursor:
    """Return the cursor that is written so.

    Raises:
        ValueError: it is not one of ours.

    """
    ids = [event_id(one) for one in text.split(",")]
    found = {one.partition: one for one in ids if one is not None}
    if len(found) < len(ids):
        raise ValueError(f"expected a cursor such as 0@812/0 or 0@812/0,1@77/0, found {text!r}")
    return found


async def past_events(
    log: ReadableLog,
    installation: Installation,
    campaign_id: int | None = None,
    after: Cursor | None = None,
) -> AsyncGenerator[PastEvent, None]:
    """Yield the events that the log holds when this begins, after a cursor.

    The events of one partition come in its order; of several, the one with the earlier time comes
    first. All records are ruled on from the log's beginning, whatever the cursor: what counts
    depends on all before. Memory holds one batch of events and the ledger of each partition.

    Raises:
        ContractError: this build does not know an accepted fact.
        LogCutError: the cursor lies behind the log's end.
        LogUnavailableError: the log does not answer.

    """
    partitions = [one for one in partitions_of(log, campaign_id) if one.topic == CAMPAIGN_RECORDS]
    ends, after = await log.ends(partitions), after or {}
    _refuse_others(after, log.partitions(CAMPAIGN_RECORDS), ends)
    async with AsyncExitStack() as stack:
        sources = [
            await stack.enter_async_context(
                aclosing(_of_partition(log, installation, one, ends[one], campaign_id, after))
            )
            for one in partitions
        ]
        heads = [
            (head.time, number, head)
            for number, source in enumerate(sources)
            if (head := await anext(source, None)) is not None
        ]
        heapify(heads)
        while heads:
            _, number, head = heads[0]
            yield head
            if (following := await anext(sources[number], None)) is not None:
                heapreplace(heads, (following.time, number, following))
            else:
                heappop(heads)


def _refuse_others(after: Cursor, partitions: int, ends: Mapping[Partition, int]) -> None:
    for number, last in after.items():
        end = ends.get(Partition(CAMPAIGN_RECORDS, number), last.position)
        if number >= partitions or last.position > end:
            raise LogCutError(
                f"{cursor_text(after)}: {last} lies behind the log's end: the cursor is of another"
                " log, or the log was cut"
            )


async def _of_partition(
    log: ReadableLog,
    installation: Installation,
    partition: Partition,
    end: int,
    campaign_id: int | None,
    after: Cursor,
) -> AsyncGenerator[PastEvent, None]:
    last, time = after.get(partition.number, EventId(partition.number, 0, 0)), _EARLIEST
    ruling = PartitionRuling(installation.skipped.get(partition, {}))
    async for batch in ruled_batches(log, partition, ruling, until=end):
        for recorded, *_ in (one for one in batch if one.accepted):
            if recorded.position < last.position:
                continue
            time = _time_of(recorded, time)
            for event in events_of(recorded):
                if event.id > last and campaign_id in (None, event.campaign_id):
                    yield PastEvent(time, event)


def _time_of(recorded: Recorded, before: datetime) -> datetime:
    """Return when a record was written; `before` if another producer wrote no instant there."""
    envelope = recorded.envelope
    assert isinstance(envelope, Envelope), "only records are accepted"
    try:
        found = datetime.fromisoformat(envelope.time)
    except ValueError:
        return before
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
