"""What a plain Kafka client reads from our topics, and a second implementation of the rule on JSON.

A subscriber who knows nothing of the rule, and an auditor who trusts no code of ours.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

Messages = dict[int, list[ConsumerRecord]]  # By partition, in order.


@dataclass(frozen=True)
class Fact:
    """One accepted fact, as an auditor finds it on campaign.records."""

    id: str  # partition@position/n, as its CloudEvent is named.
    type: str
    stream: str
    data: Mapping[str, Any]
    at_ms: int  # When its record was sent.


def accepted(partition: int, records: Sequence[ConsumerRecord]) -> Iterator[Fact]:
    """Rule on a partition of campaign.records from its begin, and yield what is published of it."""
    versions: Counter[str] = Counter()
    for message in records:
        record = json.loads(message.value)
        if any(versions[stream] != seen for stream, seen in record["condition"].items()):
            continue
        for n, fact in enumerate(record["facts"]):
            versions[fact["stream"]] += 1
            if "campaign_id" in fact["data"]:  # A list is no campaign's until it counts.
                name = f"{partition}@{message.offset + 1}/{n}"
                data = {**fact["data"], **fact.get("aside", {})}
                yield Fact(name, fact["type"], fact["stream"], data, message.timestamp)


def without_repeats(messages: Sequence[ConsumerRecord]) -> dict[str, ConsumerRecord]:
    """Return a partition's events by their CloudEvents id, in order; of each the first."""
    events: dict[str, ConsumerRecord] = {}
    for message in messages:
        events.setdefault(json.loads(message.value)["id"], message)
    return events


def _consumer(servers: str, topic: str) -> AIOKafkaConsumer:
    """Return a consumer without a group: it is given all partitions, from their begin."""
    return AIOKafkaConsumer(
        topic, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False
    )


async def whole_topic(servers: str, topic: str) -> Messages:
    """Return all that a topic holds now."""
    consumer = _consumer(servers, topic)
    await consumer.start()
    try:
        partitions = consumer.assignment()
        found: Messages = {at.partition: [] for at in partitions}
        ends = await consumer.end_offsets(partitions)
        for at in partitions:
            while await consumer.position(at) < ends[at]:
                found[at.partition] += (await consumer.getmany(at, timeout_ms=200)).get(at, [])
        return found
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def subscribed(servers: str, topic: str) -> AsyncIterator[Messages]:
    """Follow a topic, which must exist, from its begin; what is yielded grows as messages come."""
    consumer = _consumer(servers, topic)
    seen: Messages = {}

    async def follow() -> None:
        async for message in consumer:
            seen.setdefault(message.partition, []).append(message)

    await consumer.start()
    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.wait([following])
        await consumer.stop()
