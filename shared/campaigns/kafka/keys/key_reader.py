"""Reads the topic of the lists' keys whole, into memory, and what comes after.

Whoever was cut off for long reads all anew: what was deleted meanwhile may have left no trace.
"""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.keys.topic_keys import KeyListener, KeyTopicClosedError
from campaigns.kafka.lifecycle import start, stop
from campaigns.process.errors import LogUnavailableError

ANEW_S = 3_600.0  # Well below the topic's delete.retention.ms.
_FETCH_WAIT_MS = 10
_POLL_MS = 100


class KeyReader:
    """One consumer. Not for concurrent use."""

    def __init__(self, kafka: Kafka, topic: str, deadline_s: float) -> None:
        self._kafka, self._at = kafka, TopicPartition(topic, 0)
        self._deadline_s = deadline_s
        self._consumer: AIOKafkaConsumer | None = None
        self._read_at = float("-inf")  # The event loop's time.
        self._found: dict[str, str] = {}

    @property
    def wrapped(self) -> Mapping[str, str]:
        """Return what was read."""
        return self._found

    async def read(self, listener: KeyListener) -> None:
        """Read up to where the topic ends now.

        Raises:
            LogUnavailableError: no answer in time; what was read before stays.

        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline_s):
                if self._consumer is None or loop.time() > self._read_at + ANEW_S:
                    await self._read_anew(listener)
                elif not await self._read_on(self._found, listener):
                    await self._read_anew(listener)  # It was made anew, or cut.
        except TopicAuthorizationFailedError as exc:
            await self.close()
            raise KeyTopicClosedError(
                "the keys of contacts cannot be read: this client has no right to (Read on the"
                f" topic {self._at.topic})"
            ) from exc
        except (KafkaError, OSError, TimeoutError) as exc:
            await self.close()
            raise LogUnavailableError(
                f"the keys of contacts in {self._at.topic} cannot be read now: {exc!r}"
            ) from exc
        self._read_at = loop.time()

    async def _read_anew(self, listener: KeyListener) -> None:
        await self.close()
        self._consumer = await start(self._kafka.consumer(fetch_max_wait_ms=_FETCH_WAIT_MS), stop)
        self._consumer.assign([self._at])
        begin = (await self._consumer.beginning_offsets([self._at]))[self._at]
        self._consumer.seek(self._at, begin)
        found = dict[str, str]()
        await self._read_on(found, listener)
        self._found = found

    async def _read_on(self, found: dict[str, str], listener: KeyListener) -> bool:
        """Read to the end; False: the topic ends before what was read."""
        assert self._consumer is not None, "it was opened"
        end = (await self._consumer.end_offsets([self._at]))[self._at]
        if await self._consumer.position(self._at) > end:
            return False
        while await self._consumer.position(self._at) < end:
            for message in (await self._consumer.getmany(timeout_ms=_POLL_MS)).get(self._at, ()):
                key_id = (message.key or b"").decode(errors="replace")
                value = message.value.decode(errors="replace") if message.value else None
                if value is None:
                    found.pop(key_id, None)
                else:
                    found[key_id] = value
                listener(message.offset, key_id, value)
        return True

    async def close(self) -> None:
        """Disconnect; the next read begins anew."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)
