"""The log's topics: made when missing, refused when they do not fit, known by their ids."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from campaigns.errors import LogCutError, LogUnavailableError, TopicMisfitError
from campaigns.kafka_clients import Kafka
from campaigns.log_kafka import KafkaLog
from campaigns.store import Store
from campaigns.topics import CAMPAIGN_RECORDS, RECORD_TOPICS, campaign_partitions
from tests.integration.on_kafka import PARTITION, following, opened, paused, until

pytestmark = pytest.mark.kafka


async def made(servers: str, name: str, partitions: int, **settings: str) -> None:
    admin = Kafka(servers).admin()
    await admin.start()
    try:
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    finally:
        await admin.close()


LASTING = {"retention_ms": "-1", "retention_bytes": "-1"}


@pytest.mark.parametrize(
    ("partitions", "settings", "expected"),
    [
        (2, LASTING, "expected 3 partitions, found 2"),
        (3, LASTING | {"cleanup_policy": "compact"}, "expected cleanup.policy=delete, found comp"),
        (3, LASTING | {"retention_ms": "604800000"}, "expected retention.ms=-1, found 604800000"),
        (3, LASTING | {"retention_bytes": "1000000"}, "expected retention.bytes=-1, found 1000000"),
        (3, LASTING | {"max_message_bytes": "1000"}, "max.message.bytes of at least"),
    ],
)
async def test_a_topic_that_could_lose_records_is_refused(
    kafka_servers: str, namespace: str, partitions: int, settings: dict[str, str], expected: str
) -> None:
    await made(kafka_servers, f"{namespace}{CAMPAIGN_RECORDS}", partitions, **settings)
    log = KafkaLog(kafka_servers, 3, namespace=namespace)
    with pytest.raises(TopicMisfitError, match=expected):
        await log.open()
    await log.close()


async def test_a_topic_that_fits_is_used(kafka_servers: str, namespace: str) -> None:
    await made(kafka_servers, f"{namespace}{CAMPAIGN_RECORDS}", 3, **LASTING)
    async with opened(kafka_servers, namespace) as log:
        assert log.partitions(CAMPAIGN_RECORDS) == 3
        assert set((await log.ends(campaign_partitions(3))).values()) == {0}


async def deleted(servers: str, names: Iterable[str]) -> None:
    admin = Kafka(servers).admin()
    await admin.start()
    try:
        await admin.delete_topics(list(names))
        while {one["topic"] for one in await admin.describe_topics()} & set(names):
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def test_a_log_whose_topics_were_made_anew_is_another(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    """A store of the old one would have been folded on: half of one log, half of another."""
    ids = []
    for _ in range(2):
        async with opened(kafka_servers, namespace) as log:
            ids.append(log.id)
            names = [log.kafka.topic(topic) for topic in RECORD_TOPICS]
    assert ids[0] == ids[1], "the same log has the same id, whoever opens it"
    store = Store(tmp_path / "store.db", ids[0])
    store.db.execute("commit")
    store.close()
    for topic in names:
        await deleted(kafka_servers, [topic])
        async with opened(kafka_servers, namespace) as log:
            assert log.id not in ids
            ids.append(log.id)
            with pytest.raises(LogCutError, match="deleted and made anew"):
                Store(tmp_path / "store.db", log.id)


async def test_a_log_for_reading_only_makes_nothing_and_takes_nothing(
    kafka_servers: str, namespace: str
) -> None:
    reading = KafkaLog(kafka_servers, 3, namespace=namespace, read_only=True)
    with pytest.raises(LogUnavailableError, match=f"expected {namespace}campaign.records and "):
        await reading.open()
    await reading.close()
    async with opened(kafka_servers, namespace) as log:
        await log.append(PARTITION, paused(0), 42)
        reading = KafkaLog(kafka_servers, 3, namespace=namespace, read_only=True)
        await reading.open()
        assert reading.id == log.id
        async with following(reading, PARTITION) as (reader, folded):
            await until(lambda: folded.ids == ["r0"])
            await reader.catch_up([PARTITION], within_s=5)
        assert reading._appender._producer is None, "it needs no right to write"
        with pytest.raises(LogUnavailableError, match="for reading only"):
            await reading.append(PARTITION, paused(1), 42)
        await reading.close()
