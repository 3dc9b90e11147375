"""The log on Kafka passes the contract of every log."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.port import EventLog
from campaigns.records.topics import Partition
from campaigns.testing.log_contract import LogContract


@pytest.mark.kafka
class TestKafkaLog(LogContract):
    """Each log has topics of its own; what is opened again is another client."""

    @pytest.fixture(autouse=True)
    def _at(self, kafka_servers: str) -> None:
        self.servers = kafka_servers

    @asynccontextmanager
    async def _open(self, partitions: int, namespace: str) -> AsyncIterator[EventLog]:
        log = KafkaLog(self.servers, partitions, namespace=namespace)
        await log.open()
        try:
            yield log
        finally:
            await log.close()

    def open_log(self, partitions: int) -> AbstractAsyncContextManager[EventLog]:
        self.partitions = partitions
        return self._open(partitions, f"c{uuid.uuid4().hex[:10]}.")

    def reopen(self, log: EventLog) -> AbstractAsyncContextManager[EventLog]:
        assert isinstance(log, KafkaLog)
        return self._open(self.partitions, log.kafka.namespace)

    async def append_bytes(self, log: EventLog, partition: Partition, raw: bytes) -> None:
        assert isinstance(log, KafkaLog)
        stranger = AIOKafkaProducer(bootstrap_servers=self.servers, acks="all")
        await stranger.start()
        try:
            topic = log.kafka.topic(partition.topic)
            await stranger.send_and_wait(topic, raw, partition=partition.number)
        finally:
            await stranger.stop()
