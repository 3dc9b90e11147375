"""A mirror of the topics is a copy: other topics, by their ids, in another namespace or cluster."""

import pytest
from aiokafka import AIOKafkaProducer

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.installation_log import Author, decided, founded, whole
from campaigns.process.clock import SystemClock
from campaigns.process.identifiers import random_id
from campaigns.records.home import adopt, elsewhere
from campaigns.records.topics import INSTALLATION
from tests.support.on_kafka import opened

pytestmark = pytest.mark.kafka


async def mirrored(servers: str, source: KafkaLog, namespace: str) -> None:
    """Consume installation.records, and produce the same bytes into another namespace."""
    end = (await source.ends([INSTALLATION]))[INSTALLATION]
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        for recorded in await source.read(INSTALLATION, 0, end):
            await producer.send_and_wait(namespace + INSTALLATION.topic, recorded.raw, partition=0)
    finally:
        await producer.stop()


async def test_a_mirror_is_a_copy_until_it_is_adopted_and_its_source_is_at_home(
    kafka_servers: str, namespace: str
) -> None:
    clock, other = SystemClock(), f"{namespace}mirror."
    async with opened(kafka_servers, namespace) as source:
        home = (await founded(source, clock, "command-api/1")).home
        async with opened(kafka_servers, other) as mirror:
            await mirrored(kafka_servers, source, other)
            assert elsewhere(await founded(mirror, clock, "command-api/2"), mirror.place) == home
            chosen = adopt(await whole(mirror), mirror.place, clock.now(), random_id())
            by = Author("test", "operator")
            await decided(mirror, lambda now: chosen if now.home == home else None, by, clock)
            assert elsewhere(await whole(mirror), mirror.place) is None
        assert elsewhere(await whole(source), source.place) is None
    async with opened(kafka_servers, namespace) as again:
        assert elsewhere(await whole(again), again.place) is None, "a restart needs no adopt"
