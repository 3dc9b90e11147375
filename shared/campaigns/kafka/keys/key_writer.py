"""Writes into the topic of the lists' keys: acknowledged by all in-sync replicas, idempotent."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.keys.key_topic import KEY_BYTES_MAX
from campaigns.kafka.keys.topic_keys import KeyTopicClosedError
from campaigns.kafka.lifecycle import start, stop_producer
from campaigns.process.errors import LogUnavailableError


class KeyWriter:
    """One producer, made at the first write."""

    def __init__(self, kafka: Kafka, topic: str, deadline_s: float) -> None:
        self._kafka, self._topic, self._deadline_s = kafka, topic, deadline_s
        self._producer: AIOKafkaProducer | None = None

    async def write(self, messages: Mapping[str, str | None]) -> list[int]:
        """Write, by key; return the offsets once all are durable.

        Raises:
            KeyTopicClosedError: we lack the right.
            LogUnavailableError: not all were acknowledged in time; they may still appear.

        """
        try:
            async with asyncio.timeout(self._deadline_s):
                if self._producer is None:
                    self._producer = await start(self._kafka.producer(KEY_BYTES_MAX), stop_producer)
                sent = [
                    await self._producer.send(
                        self._topic,
                        None if value is None else value.encode(),
                        key=key_id.encode(),
                        partition=0,
                    )
                    for key_id, value in messages.items()
                ]
                return [one.offset for one in await asyncio.gather(*sent)]
        except TopicAuthorizationFailedError as exc:
            await self.close()
            raise KeyTopicClosedError(
                "the keys of contacts cannot be written: this client has no right to (Write on the"
                f" topic {self._topic})"
            ) from exc
        except (KafkaError, OSError, TimeoutError) as exc:
            await self.close()  # What it still holds must not come after a later change.
            raise LogUnavailableError(
                f"the keys of contacts in {self._topic} cannot be written now: {exc!r}"
            ) from exc

    async def close(self) -> None:
        """Disconnect, in a bounded time."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)
