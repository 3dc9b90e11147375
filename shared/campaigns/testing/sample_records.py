"""Sample records, and reading them back from a log. No pytest."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from campaigns.domain.facts import AnyFact, ApiKeyCreated, CampaignPaused
from campaigns.domain.levels import needed
from campaigns.log.port import BATCH_MAX, EventLog
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import (
    ORGANIZATION_RECORDS,
    Partition,
    campaign_partition,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = campaign_partition(1, 1)  # The only partition of a log with one.


def offered(fact: AnyFact, *, condition_version: int = 0) -> Record:
    """Return a record of one fact, whose condition is its own stream alone."""
    return Record(
        id=uuid4().hex,
        time=NOON,
        source="test/1",
        actor="test",
        correlation_id="test",
        causation_id=None,
        condition={fact.stream: condition_version},
        facts=(fact,),
        level=needed(fact),
    )


def some_record(partition: Partition, partitions: int = 1) -> tuple[Record, int]:
    """Return a record that belongs in this partition, and its key."""
    if partition.topic == ORGANIZATION_RECORDS:
        key = ApiKeyCreated(organization_id=1, key_hash="0" * 64, key_prefix="dg", created_at=NOON)
        return offered(key), key.organization_id
    campaign_id = partition.number or partitions
    pause = CampaignPaused(campaign_id=campaign_id, reason="a test", paused_at=NOON)
    return offered(pause), campaign_id


async def close(batches: AsyncIterator[Sequence[Recorded]]) -> None:
    """Stop following now, not when the garbage collector does."""
    if isinstance(batches, AsyncGenerator):
        await batches.aclose()


async def followed(
    log: EventLog,
    partition: Partition,
    after: int,
    count: int,
    *,
    batch_max: int = BATCH_MAX,
    within_s: float = 20.0,
) -> list[Recorded]:
    """Follow until `count` records after `after` are read; redelivered ones are passed over.

    Raises:
        TimeoutError: fewer were read within `within_s`.

    """
    found: list[Recorded] = []
    position = after
    batches = log.batches(partition, after, batch_max=batch_max)
    try:
        async with asyncio.timeout(within_s):
            async for batch in batches:
                assert 0 < len(batch) <= batch_max, "batches are bounded, and never empty"
                for recorded in batch:
                    if recorded.position > position:
                        assert recorded.position == position + 1, "positions are consecutive"
                        found.append(recorded)
                        position += 1
                if len(found) >= count:
                    return found
    finally:
        await close(batches)
    raise AssertionError("following never ends by itself")


def ids(records: Sequence[Recorded]) -> list[str]:
    """Return the records' ids; `foreign` for foreign ones."""
    return [one.envelope.id if isinstance(one.envelope, Envelope) else "foreign" for one in records]
