"""Publishes events into one topic: bytes, in order, acknowledged."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.lifecycle import start, stop_producer
from campaigns.process.errors import LogUnavailableError
from campaigns.records.cloud_event import CONTENT_TYPE

# Structured mode. Source: CloudEvents 1.0.2, Kafka protocol binding, section 3.3.
_HEADERS = [("content-type", CONTENT_TYPE.encode())]


@dataclass(eq=False)
class EventTopic:
    """One topic that subscribers read."""

    kafka: Kafka
    topic: str  # As the brokers name it.
    deadline_s: float = 10.0  # For one batch of events.
    _producer: AIOKafkaProducer | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def publish(
        self, messages: Sequence[tuple[bytes, bytes]], number: int | None = None
    ) -> list[int]:
        """Publish events (key, value) in this order; wait until all are durable.

        Returns their offsets; -1 where the broker did not tell.

        `number`: the partition. None: the key's, as Kafka's own clients choose it.

        Raises:
            LogUnavailableError: not all were acknowledged in time; any of them may be there or
                still appear. Publishing them again is safe: subscribers deduplicate by id.

        """
        try:
            async with asyncio.timeout(self.deadline_s):
                producer = await self._connected()
                sent = [
                    await producer.send(
                        self.topic, value, key=key, partition=number, headers=_HEADERS
                    )
                    for key, value in messages
                ]
                return [one.offset for one in await asyncio.gather(*sent)]
        except (KafkaError, OSError, TimeoutError) as exc:
            await self.close()  # Its pending events must not overtake the next try.
            where = self.topic if number is None else f"{self.topic}/{number}"
            missing = isinstance(exc, UnknownTopicOrPartitionError)
            why = "there is no such topic" if missing else f"not acknowledged: {exc!r}"
            raise LogUnavailableError(f"{where}: {why}") from exc

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await start(self.kafka.producer(), stop_producer)
            return self._producer

    async def close(self) -> None:
        """Disconnect, in a bounded time; the next publish connects again."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)
