"""Asks where partitions begin and end, on a connection of its own, one question for all who ask.

On the consumer that polls, the question would wait behind the fetch: half a second on an idle log.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.lifecycle import start, stop
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import Partition


@dataclass(eq=False, slots=True)
class _Question:
    partitions: set[Partition]
    answer: asyncio.Future[Mapping[Partition, int]]


@dataclass(eq=False)
class Offsets:
    """The beginnings, or the ends, of partitions as of now."""

    kafka: Kafka
    deadline_s: float
    beginnings: bool = False
    _consumer: AIOKafkaConsumer | None = None
    _next: _Question | None = None
    _asking: asyncio.Task[None] | None = None
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    async def ask(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the position of each, asked after the call.

        Raises:
            LogUnavailableError: no answer within `deadline_s`.

        """
        if self._next is None:
            answer: asyncio.Future[Mapping[Partition, int]] = (
                asyncio.get_running_loop().create_future()
            )
            answer.add_done_callback(_heard)
            self._next = _Question(set(), answer)
        question = self._next
        question.partitions.update(partitions)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="kafka offsets")
        try:
            async with asyncio.timeout(self.deadline_s):
                found = await asyncio.shield(question.answer)
        except TimeoutError as exc:
            raise LogUnavailableError(
                f"the log did not say within {self.deadline_s} s where it ends"
            ) from exc
        return {partition: found[partition] for partition in partitions}

    async def _ask(self) -> None:
        while question := self._next:
            self._next = None
            try:
                async with asyncio.timeout(self.deadline_s):
                    found = await self._offsets(question.partitions)
            except (KafkaError, OSError, TimeoutError) as exc:
                self._drop()  # Its connection may lead nowhere.
                if not question.answer.done():
                    question.answer.set_exception(
                        LogUnavailableError(f"the log did not say where it ends: {exc!r}")
                    )
            except BaseException:
                question.answer.cancel()
                raise
            else:
                if not question.answer.done():
                    question.answer.set_result(found)

    async def _offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        if self._consumer is None:
            self._consumer = await start(self.kafka.consumer(), stop)
        asked = {
            TopicPartition(self.kafka.topic(partition.topic), partition.number): partition
            for partition in partitions
        }
        if self.beginnings:
            found = await self._consumer.beginning_offsets(list(asked))
        else:
            found = await self._consumer.end_offsets(list(asked))
        return {asked[at]: offset for at, offset in found.items()}

    def _drop(self) -> None:
        if self._consumer is not None:
            self._stop(self._consumer)
            self._consumer = None

    def _stop(self, consumer: AIOKafkaConsumer) -> None:
        stopping = asyncio.create_task(stop(consumer), name="stop kafka consumer")
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        """Let go of the connection. Who still waits is told that the log is unavailable."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._next is not None:
            self._next.answer.cancel()
            self._next = None
        self._drop()
        if self._stopping:
            await asyncio.wait(list(self._stopping))


def _heard(answer: asyncio.Future[Mapping[Partition, int]]) -> None:
    """Look at the exception, so that none is reported as lost when all who asked have gone."""
    if not answer.cancelled():
        answer.exception()
