"""campaign.events as its subscribers see it, on a real broker."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from aiokafka.structs import ConsumerRecord
from cloudevents.core.formats.json import JSONFormat

from campaigns.kafka.events import KafkaEvents
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.records.topics import CAMPAIGN_EVENTS, CAMPAIGN_RECORDS
from tests.support.subscriber import Fact, Messages, accepted, subscribed, whole_topic
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

pytestmark = pytest.mark.kafka

PARTITIONS = 3
DELAY_MS_MAX = 3_000  # Normally within a second; the machine that tests may be busy.
CONTACTS = [{"phone_number": f"+1555000{n:04}"} for n in range(3)]


@contextlib.asynccontextmanager
async def instance(servers: str, namespace: str, *, publishes: bool) -> AsyncIterator[Whole]:
    """Run a command API and a projector on a Kafka connection of their own."""
    log = KafkaLog(servers, PARTITIONS, namespace=namespace)
    await log.open()
    try:
        events = KafkaEvents(log.kafka) if publishes else None
        async with whole_api(log, publisher=events) as whole:
            yield whole
    finally:
        await log.close()


async def paused_by_ten_at_once(one: Whole, other: Whole) -> int:
    """Create, start, and pause from ten clients of two instances at the same moment."""
    campaign_id = await one.create(contacts=CONTACTS)
    path = f"{CAMPAIGNS}/{campaign_id}"
    assert (await one.client.post(f"{path}/start")).status_code == 200
    assert (await other.get(str(campaign_id)))["status"] == "running"
    answers = await asyncio.gather(
        *(whole.client.post(f"{path}/pause") for whole in (one, other) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 9]
    return campaign_id


async def seen_all(seen: Messages, expected: dict[int, list[Fact]]) -> None:
    async with asyncio.timeout(30):
        while sum(map(len, seen.values())) < sum(map(len, expected.values())):
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # More than is expected would come now.


async def test_ten_pauses_at_once_are_one_event(kafka_servers: str, namespace: str) -> None:
    async with (
        instance(kafka_servers, namespace, publishes=True) as one,
        instance(kafka_servers, namespace, publishes=False) as other,
        subscribed(kafka_servers, f"{namespace}{CAMPAIGN_EVENTS}") as seen,
    ):
        campaigns = [await paused_by_ten_at_once(one, other) for _ in range(4)]
        records = await whole_topic(kafka_servers, f"{namespace}{CAMPAIGN_RECORDS}")
        expected = {number: list(accepted(number, records[number])) for number in records}
        await seen_all(seen, expected)
        refused = one.commands.reader.counts.refused

    assert refused > 0, "never put to test: no pause was decided too late"
    assert sum(map(len, records.values())) == 3 * len(campaigns) + refused
    for number, facts in expected.items():
        events = seen.get(number, [])
        assert [json.loads(event.value)["id"] for event in events] == [fact.id for fact in facts]
        for fact, event in zip(facts, events, strict=True):
            is_cloudevent_of(fact, event)
            assert event.timestamp - fact.at_ms <= DELAY_MS_MAX
    types = [
        (int(event.key), json.loads(event.value)["type"])
        for events in seen.values()
        for event in events
    ]
    for campaign_id in campaigns:
        assert [kind for key, kind in types if key == campaign_id] == [
            "campaign-created.v1",
            "campaign-started.v1",
            "campaign-paused.v1",
        ]


def is_cloudevent_of(fact: Fact, message: ConsumerRecord) -> None:
    """Check one event as a subscriber's library reads it."""
    assert dict(message.headers)["content-type"].startswith(b"application/cloudevents+json")
    event = JSONFormat().read(None, message.value)  # Raises for what is no CloudEvent.
    assert (event.get_specversion(), event.get_id()) == ("1.0", fact.id)
    assert (event.get_type(), event.get_subject()) == (fact.type, fact.stream)
    assert event.get_data() == fact.data
    assert event.get_time() is not None
    campaign_id = fact.data["campaign_id"]
    assert message.key == str(campaign_id).encode()
    assert message.partition == campaign_id % PARTITIONS


async def test_a_rebuilt_projector_goes_on_behind_the_last_event(
    kafka_servers: str, namespace: str
) -> None:
    """Three times, each without a store: nothing is repeated, and what is new is told."""
    for _ in range(3):
        async with (
            instance(kafka_servers, namespace, publishes=True) as one,
            subscribed(kafka_servers, f"{namespace}{CAMPAIGN_EVENTS}") as seen,
        ):
            await paused_by_ten_at_once(one, one)
            records = await whole_topic(kafka_servers, f"{namespace}{CAMPAIGN_RECORDS}")
            expected = {number: list(accepted(number, records[number])) for number in records}
            await seen_all(seen, expected)
    assert sum(map(len, expected.values())) == 9
    for number, facts in expected.items():
        ids = [json.loads(event.value)["id"] for event in seen.get(number, [])]
        assert ids == [fact.id for fact in facts]
