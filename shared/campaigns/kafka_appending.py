"""Hands records to Kafka, and lives through the death of its client.

A taken record may appear at any later time, even after the client has said that it gave up. What
an acknowledgement is good for is its place, for who has read all before it (ADR-0013); that none
came says nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from campaigns.errors import LogUnavailableError
from campaigns.kafka_clients import MESSAGE_BYTES_MAX, Kafka
from campaigns.kafka_starting import start, stop_producer
from campaigns.observing import Sparingly

log = logging.getLogger(__name__)
log.addFilter(Sparingly())

RETRY_S = 0.2


@dataclass(eq=False)
class Appender:
    """One idempotent producer at a time."""

    kafka: Kafka
    append_s: float  # How long a record may wait to be taken: only a full batch makes it wait.
    unacknowledged: int = 0  # Taken records of which the client has said that it gave up.
    _producer: AIOKafkaProducer | None = None
    _renewing: asyncio.Task[None] | None = None

    async def open(self, topics: Collection[str]) -> None:
        """Connect, and learn of the topics, so that the first record does not wait for it.

        Raises:
            KafkaError: the cluster did not answer, or does not know a topic.

        """
        producer = await start(self.kafka.producer(), stop_producer)
        try:
            for topic in topics:
                await producer.partitions_for(self.kafka.topic(topic))
        except BaseException:
            await stop_producer(producer)
            raise
        self._producer = producer

    async def append(
        self, at: TopicPartition, raw: bytes, key: int, placed: Callable[[int], None]
    ) -> None:
        """Hand one over; the client sends it for as long as that takes.

        `placed` is told its offset, if the brokers say so, once it is on all replicas in sync.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.

        """
        assert len(raw) < MESSAGE_BYTES_MAX, "a record is bounded by who makes it"
        if (producer := self._producer) is None:
            raise LogUnavailableError(f"{at}: the connection is being renewed")
        try:
            async with asyncio.timeout(self.append_s):
                acknowledged = await producer.send(
                    at.topic, raw, key=str(key).encode(), partition=at.partition
                )
        except (KafkaError, TimeoutError) as no:
            self._renew_if_dead(producer)
            raise LogUnavailableError(f"{at}: the record was not taken: {no!r}") from no
        acknowledged.add_done_callback(lambda done: self._acknowledged(at, producer, done, placed))

    def _acknowledged(
        self,
        at: TopicPartition,
        producer: AIOKafkaProducer,
        done: "asyncio.Future[RecordMetadata]",
        placed: Callable[[int], None],
    ) -> None:
        if done.cancelled():
            return
        if (no := done.exception()) is None:
            if (offset := offset_of(done.result())) is not None:
                placed(offset)
        else:
            self.unacknowledged += 1
            log.warning("%s: a record was not acknowledged: %r", at, no)
            self._renew_if_dead(producer)

    def _renew_if_dead(self, producer: AIOKafkaProducer) -> None:
        """Replace a producer that will send no more (its sequence was broken, say)."""
        sending = producer._sender.sender_task
        if producer is self._producer and (sending is None or sending.done()):
            self._producer = None
            self._renewing = asyncio.create_task(self._renew(producer), name="kafka producer")

    async def _renew(self, dead: AIOKafkaProducer) -> None:
        await stop_producer(dead)
        while True:
            try:
                await self.open(())
            except (KafkaError, OSError, TimeoutError) as no:
                log.warning("no Kafka producer yet: %r", no)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def close(self) -> None:
        """Let go, in a bounded time."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)


def offset_of(acknowledged: RecordMetadata) -> int | None:
    """Return where a record stands, or None if the broker has forgotten.

    A broker that has had it before, and much since, says only that it is a duplicate: the client
    counts the offsets of its batch from -1 then, and there is no beginning of the log either.
    """
    begin = acknowledged.log_start_offset
    return acknowledged.offset if begin is not None and begin >= 0 else None
