"""The log's topics: made when missing, refused when they do not fit, known by their ids."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.protocol.metadata import MetadataRequest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.events import KafkaEvents
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.membership import Membership
from campaigns.process.errors import LogCutError, LogUnavailableError, TopicMisfitError
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    NAMING_TOPICS,
    ORGANIZATION_RECORDS,
    TOPICS,
    campaign_partitions,
)
from campaigns.stores.checkpoint import CheckpointStore
from tests.support.on_kafka import PARTITION, altered, following, opened, paused
from tests.support.waiting import until

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


async def test_a_log_whose_topics_were_recreated_is_another(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    """A store of the old one would have been folded on: half of one log, half of another."""
    ids = []
    for _ in range(2):
        async with opened(kafka_servers, namespace) as log:
            ids.append(log.id)
            names = [log.kafka.topic(topic) for topic in NAMING_TOPICS]
    assert ids[0] == ids[1], "the same log has the same id in every process"
    store = CheckpointStore(tmp_path / "store.db", ids[0])
    store.db.execute("commit")
    store.close()
    for topic in names:
        await deleted(kafka_servers, [topic])
        async with opened(kafka_servers, namespace) as log:
            assert log.id not in ids
            ids.append(log.id)
            with pytest.raises(LogCutError, match="deleted and created again"):
                CheckpointStore(tmp_path / "store.db", log.id)


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
            await reader.catch_up([PARTITION], within_s=20)
        assert reading._appender._producer is None, "it needs no right to write"
        with pytest.raises(LogUnavailableError, match="for reading only"):
            await reading.append(PARTITION, paused(1), 42)
        await reading.close()


async def there(servers: str, namespace: str) -> set[str]:
    """Return which topics of this namespace exist."""
    admin = Kafka(servers).admin()
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if name.startswith(namespace)}
    finally:
        await admin.close()


async def test_this_broker_makes_topics_for_who_asks(kafka_servers: str, namespace: str) -> None:
    """As Kafka does by default: what the tests below say would otherwise prove nothing."""
    admin = Kafka(kafka_servers).admin()
    await admin.start()
    await admin._send_request(MetadataRequest([f"{namespace}asked"], True))
    await admin.close()
    async with asyncio.timeout(30):
        while await there(kafka_servers, namespace) != {f"{namespace}asked"}:
            await asyncio.sleep(0.05)


async def test_no_question_of_ours_makes_a_topic(kafka_servers: str, namespace: str) -> None:
    """The first start asked whether its topics are there, and the broker made them: with 1."""
    kafka = Kafka(kafka_servers, namespace)
    log = KafkaLog(kafka_servers, 3, namespace=namespace, read_only=True)
    with pytest.raises(LogUnavailableError):
        await log.open()
    await log.close()
    member = Membership(kafka, "group", lambda _: None)
    await member.open()
    events = KafkaEvents(kafka, deadline_s=1.0)
    with pytest.raises(LogUnavailableError):
        await events.last_event(0)
    with pytest.raises(LogUnavailableError):
        await events.publish(0, [(b"1", b"{}")])
    await events.close()
    await member.close()
    assert await there(kafka_servers, namespace) == set()
    async with opened(kafka_servers, namespace) as log:
        assert log.partitions(CAMPAIGN_RECORDS) == 3
    assert await there(kafka_servers, namespace) == {f"{namespace}{one.name}" for one in TOPICS}


async def test_topics_that_are_deleted_while_a_process_runs_are_not_made_by_it(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, namespace) as log:
        names = [log.kafka.topic(topic.name) for topic in TOPICS]
        async with following(log, PARTITION) as (_, folded):
            await log.append(PARTITION, paused(0), 42)
            await until(lambda: folded.ids == ["r0"])
            await deleted(kafka_servers, names)
            await log.append(PARTITION, paused(1), 42)
            assert log._fetcher.consumer is not None
            for client in (log._fetcher.consumer._client, log._appender._producer.client):  # type: ignore[union-attr]
                await client.force_metadata_update()
    assert await there(kafka_servers, namespace) == set()


async def test_settings_that_are_changed_later_are_noticed(
    kafka_servers: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = KafkaLog(kafka_servers, 3, namespace=namespace, watch_s=0.1)
    await log.open()
    try:
        name = log.kafka.topic(CAMPAIGN_RECORDS)
        assert f"{name}: one broker has it" in caplog.text
        assert not log.troubles([CAMPAIGN_RECORDS])
        await altered(kafka_servers, name, retention_ms="1000000000")
        await until(lambda: "expected retention.ms=-1" in "".join(log.troubles([CAMPAIGN_RECORDS])))
        assert not log.troubles([ORGANIZATION_RECORDS])
        await altered(kafka_servers, name, segment_ms="1000", message_timestamp_after_max_ms="1000")
        await until(lambda: not log.troubles([CAMPAIGN_RECORDS]))
        assert "segment.ms=1000" in caplog.text
        assert "message.timestamp.after.max.ms=1000" in caplog.text
    finally:
        await log.close()


async def test_topics_that_are_recreated_while_a_process_runs_are_noticed(
    kafka_servers: str, namespace: str
) -> None:
    log = KafkaLog(kafka_servers, 3, namespace=namespace, watch_s=0.1)
    await log.open()
    try:
        await deleted(kafka_servers, [log.kafka.topic(CAMPAIGN_RECORDS)])
        await until(lambda: bool(log.troubles([CAMPAIGN_RECORDS])))
        async with opened(kafka_servers, namespace):
            await until(lambda: "created again" in "".join(log.troubles([CAMPAIGN_RECORDS])))
    finally:
        await log.close()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_brokers_and_strangers_may_compress_as_they_like(
    kafka_servers: str, namespace: str, codec: str
) -> None:
    """Without the codecs no reader could go on: a managed cluster's default, or one record."""
    async with opened(kafka_servers, namespace) as log, following(log, PARTITION) as (_, fold):
        topic = log.kafka.topic(CAMPAIGN_RECORDS)
        stranger = AIOKafkaProducer(bootstrap_servers=kafka_servers, compression_type=codec)
        await stranger.start()
        await stranger.send_and_wait(topic, b"x" * 999, partition=PARTITION.number)
        await stranger.stop()
        await altered(kafka_servers, topic, compression_type=codec)
        await log.append(PARTITION, paused(0), 42)
        await until(lambda: fold.ids == ["r0"])
        async with opened(kafka_servers, namespace) as other:
            assert [one.position for one in await other.read(PARTITION, 0, 9)] == [1, 2]
