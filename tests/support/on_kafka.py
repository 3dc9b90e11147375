"""What the tests of the Kafka log have in common: opened, written to, followed. No assertion."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from campaigns.domain.facts import CampaignPaused
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.kafka.clients import MESSAGE_BYTES_MAX, Kafka
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.topics.topic_setup import LASTING
from campaigns.log.reader import Reader
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import Partition, campaign_partition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PARTITION = campaign_partition(42, 3)


def paused(number: int, campaign_id: int = 42) -> Record:
    """Return the n-th record of a chain: each is accepted only after the one before."""
    return Record(
        id=f"r{number}",
        time=NOON,
        source="test",
        actor="test",
        correlation_id="c",
        causation_id=None,
        condition={campaign_stream(campaign_id): number},
        facts=(CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=NOON),),
    )


class Folded:
    """A fold that keeps what was accepted."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def fold(self, recorded: Recorded) -> None:
        assert isinstance(recorded.envelope, Envelope)
        self.ids.append(recorded.envelope.id)

    def folded(self, partition: Partition, position: int) -> None:
        pass


@asynccontextmanager
async def opened(servers: str, namespace: str, partitions: int = 3) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(servers, partitions, namespace=namespace)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def following(log: KafkaLog, *partitions: Partition) -> AsyncIterator[tuple[Reader, Folded]]:
    fold = Folded()
    reader = Reader(log, fold)
    task = asyncio.create_task(reader.follow(partitions))
    try:
        yield reader, fold
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def altered(servers: str, name: str, **settings: str) -> None:
    """Alter a topic's settings while it is used; what is not named is as KafkaLog makes it."""
    admin = Kafka(servers).admin()
    await admin.start()
    try:
        configs = {
            **LASTING,
            "max.message.bytes": str(4 * MESSAGE_BYTES_MAX),
            **{key.replace("_", "."): value for key, value in settings.items()},
        }
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])
    finally:
        await admin.close()
