"""Foreign transactions in the log's topics: they block no reader, and readers agree on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partitions
from tests.support.on_kafka import PARTITION, following, opened, paused
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

BUSY = campaign_partitions(3)[1]


@asynccontextmanager
async def stranger(log: KafkaLog) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=log.kafka.servers, transactional_id=log.kafka.namespace
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def offer(producer: AIOKafkaProducer, log: KafkaLog, *raws: bytes) -> None:
    topic = log.kafka.topic(CAMPAIGN_RECORDS)
    for raw in raws:
        await producer.send_and_wait(topic, raw, key=b"42", partition=PARTITION.number)


async def keep_busy(log: KafkaLog, partition: Partition) -> None:
    """Write one record behind the other, each as soon as the one before was read back."""
    async with following(log, partition) as (_, fold):
        number = 0
        while True:
            await log.append(partition, paused(number, 43), 43)
            await until(lambda n=number: len(fold.ids) > n)  # type: ignore[misc]
            number += 1


async def test_a_quiet_partition_is_caught_up_with_however_busy_its_neighbour_is(
    kafka_servers: str, namespace: str
) -> None:
    async with (
        opened(kafka_servers, namespace) as log,
        opened(kafka_servers, namespace) as other,
        following(log, PARTITION, BUSY) as (reader, _),
        stranger(log) as producer,
    ):
        busy = asyncio.create_task(keep_busy(other, BUSY))
        try:
            await until(lambda: reader.positions.get(BUSY, 0) > 50)
            for count in range(1, 6):
                async with producer.transaction():
                    await offer(producer, log, b"a stranger")
                async with asyncio.timeout(20):  # The control batch comes a moment later.
                    while (await log.ends([PARTITION]))[PARTITION] < 2 * count:
                        await asyncio.sleep(0.01)
                await reader.catch_up([PARTITION], within_s=20)
                assert reader.positions[PARTITION] == 2 * count
            before = reader.positions[BUSY]
            await until(lambda: reader.positions[BUSY] > before)
            assert not busy.done()
        finally:
            busy.cancel()
            await asyncio.wait([busy])


async def test_a_record_counts_in_every_reader_whatever_becomes_of_its_transaction(
    kafka_servers: str, namespace: str
) -> None:
    """ADR-0017: an abort takes nothing back, neither for running readers nor for later ones."""
    async with (
        opened(kafka_servers, namespace) as log,
        following(log, PARTITION) as (reader, fold),
        stranger(log) as producer,
    ):
        async with producer.transaction():
            await offer(producer, log, paused(0).encode())
        await producer.begin_transaction()
        await offer(producer, log, paused(1).encode())
        await until(lambda: fold.ids == ["r0", "r1"])  # Before the transaction ends.
        await producer.abort_transaction()
        await log.append(PARTITION, paused(2), 42)
        await until(lambda: fold.ids == ["r0", "r1", "r2"])
        await reader.catch_up([PARTITION], within_s=20)
        async with (
            opened(kafka_servers, namespace) as late,
            following(late, PARTITION) as (again, later),
        ):
            await until(lambda: again.positions.get(PARTITION) == reader.positions[PARTITION])
            assert later.ids == fold.ids
            read = [one.envelope for one in await late.read(PARTITION, 0, 99)]
            assert [one.id for one in read if isinstance(one, Envelope)] == fold.ids


async def test_a_transaction_that_never_ends_holds_up_nobody(
    kafka_servers: str, namespace: str
) -> None:
    """Who read committed records only would stand still behind it: any stranger could do that."""
    async with (
        opened(kafka_servers, namespace) as log,
        following(log, PARTITION) as (reader, fold),
        stranger(log) as producer,
    ):
        await producer.begin_transaction()
        await offer(producer, log, b"left open")
        for number in range(5):
            await log.append(PARTITION, paused(number), 42)
        await until(lambda: len(fold.ids) == 5)
        await reader.catch_up([PARTITION], within_s=20)
        assert len(await log.read(PARTITION, 0, 99)) == 6
        await producer.abort_transaction()
