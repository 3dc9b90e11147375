"""Reads where partitions begin and end, on separate connections, batching concurrent callers.

On the polling consumer a request would wait for the fetch: half a second on an idle log.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.lifecycle import start, stop
from campaigns.kafka.producer import RETRY_S
from campaigns.log.port import refuse_beyond
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.topics import Partition

logger = logging.getLogger(__name__)
limit_repetitions(logger)


@dataclass(eq=False, slots=True)
class _OffsetRequest:
    partitions: set[Partition]
    answer: asyncio.Future[Mapping[Partition, int]]


@dataclass(eq=False)
class Offsets:
    """The current beginnings, or ends, of partitions."""

    kafka: Kafka
    deadline_s: float
    beginnings: bool = False
    _consumer: AIOKafkaConsumer | None = None
    _next: _OffsetRequest | None = None
    _asking: asyncio.Task[None] | None = None
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    async def ask(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the position of each, read after the call began.

        Raises:
            LogUnavailableError: no answer within `deadline_s`.

        """
        if self._next is None:
            answer: asyncio.Future[Mapping[Partition, int]] = (
                asyncio.get_running_loop().create_future()
            )
            answer.add_done_callback(_heard)
            self._next = _OffsetRequest(set(), answer)
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
                self._drop()  # Its connection may be dead.
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
        """Close the connection. Callers that still wait get LogUnavailableError."""
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
    """Retrieve the exception, so that asyncio does not report it if all callers have gone."""
    if not answer.cancelled():
        answer.exception()


class PartitionRanges:
    """The current beginnings and ends of partitions."""

    def __init__(self, kafka: Kafka, deadline_s: float) -> None:
        self.begins = Offsets(kafka, deadline_s, beginnings=True)
        self.ends = Offsets(kafka, deadline_s)

    async def expect(self, partition: Partition, after: int) -> None:
        """Refuse a reader whose position is no longer in the log; wait out an outage.

        Raises:
            LogCutError: `after` lies beyond the log's end, or the records after it are gone.

        """
        while True:
            try:
                begins, ends = await asyncio.gather(
                    self.begins.ask([partition]), self.ends.ask([partition])
                )
            except LogUnavailableError as exc:
                logger.warning("%s: waiting for the log: %s", partition, exc)
                await asyncio.sleep(RETRY_S)
            else:
                refuse_beyond(partition, after, ends[partition])
                if begins[partition] > after:
                    raise LogCutError(
                        f"{partition}: expected the record after {after}, found that the log"
                        f" begins after {begins[partition]}: records were deleted"
                    )
                return

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(self.begins.close(), self.ends.close())
