"""Publishes accepted facts to campaign.events, and finds the event published last.

The projector decides what an event is and when to publish it. In here: bytes, in order.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.event_topic import EventTopic
from campaigns.kafka.lifecycle import start, stop
from campaigns.kafka.offsets import Offsets
from campaigns.kafka.topics.topic_ids import topic_ids
from campaigns.process.errors import EventsCutError, LogUnavailableError
from campaigns.records.topics import CAMPAIGN_EVENTS, Partition

_FETCH_WAIT_MS = 10


@dataclass(eq=False)
class KafkaEvents:
    """The topic for subscribers that do not implement the rule."""

    kafka: Kafka
    deadline_s: float = 10.0  # For one batch of events, or one look at the topic.
    _published: dict[int, int] = field(default_factory=dict)  # Partition → the end, as known.
    _ends: Offsets = field(init=False)
    _topic: EventTopic = field(init=False)

    def __post_init__(self) -> None:
        self._ends = Offsets(self.kafka, self.deadline_s)
        self._topic = EventTopic(self.kafka, self.kafka.topic(CAMPAIGN_EVENTS), self.deadline_s)

    async def publish(self, number: int, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish events (key, value) into a partition in this order; wait until all are durable.

        Raises:
            LogUnavailableError: as `EventTopic.publish`.
            EventsCutError: the topic was shorter than what had been published.

        """
        found = [one for one in await self._topic.publish(messages, number) if one >= 0]
        end, self._published[number] = self._published.get(number, 0), max(found, default=-1) + 1
        if found and found[0] < end:
            raise EventsCutError(
                f"{self.kafka.topic(CAMPAIGN_EVENTS)}/{number}: expected offset {end} or later,"
                f" found {found[0]}: it was made anew, or has lost its end"
            )

    async def topic_id(self) -> str:
        """Return the topic's id; empty if the broker has no ids.

        Raises:
            LogUnavailableError: no answer in time, or there is no such topic.

        """
        name = self.kafka.topic(CAMPAIGN_EVENTS)
        try:
            async with asyncio.timeout(self.deadline_s), AsyncExitStack() as stack:
                admin = self.kafka.admin()
                stack.push_async_callback(admin.close)
                await admin.start()
                return (await topic_ids(admin, [name])).get(name, "")
        except (KafkaError, OSError, TimeoutError) as exc:
            raise LogUnavailableError(f"{name}: its id cannot be read now: {exc!r}") from exc

    async def last_event(self, number: int) -> bytes | None:
        """Return the last event of a partition, or None if it has none.

        Raises:
            LogUnavailableError: no answer in time.

        """
        partition = Partition(CAMPAIGN_EVENTS, number)
        end = (await self._ends.ask([partition]))[partition]
        self._published[number] = end
        at = TopicPartition(self.kafka.topic(CAMPAIGN_EVENTS), number)
        try:
            async with asyncio.timeout(self.deadline_s):
                consumer = await start(self.kafka.consumer(fetch_max_wait_ms=_FETCH_WAIT_MS), stop)
                try:
                    return await self._last(consumer, at, end)
                finally:
                    await stop(consumer)
        except (KafkaError, OSError, TimeoutError) as exc:
            raise LogUnavailableError(f"{partition}: cannot be read now: {exc!r}") from exc

    async def _last(self, consumer: AIOKafkaConsumer, at: TopicPartition, end: int) -> bytes | None:
        consumer.assign([at])
        last: bytes | None = None
        begin = end
        while last is None and begin > 0:  # The last offsets may hold no record.
            reach, begin = begin, max(0, begin - 10)
            consumer.seek(at, begin)
            while await consumer.position(at) < reach:
                for message in (await consumer.getmany(at, timeout_ms=50)).get(at, ()):
                    last = message.value if message.value is not None else last
        return last

    async def close(self) -> None:
        """Close, in a bounded time."""
        await asyncio.gather(self._topic.close(), self._ends.close())
