"""Hands records to Kafka, and replaces a producer that has lost its sequence.

A record that the client accepted may appear at any later time, even after the client reported a
failure. An acknowledgement tells the record's position, which is useful to a reader that has read
all before it (ADR-0013); its absence tells nothing. A certain refusal is reported at once
(ADR-0017).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.structs import RecordMetadata

from campaigns.kafka.clients import MESSAGE_BYTES_MAX, Kafka
from campaigns.kafka.leaders import Leader, leader_of
from campaigns.kafka.lifecycle import STOP_S, start, stop_producer
from campaigns.kafka.refusals import never_there
from campaigns.log.port import OnRefusal
from campaigns.process.errors import LogUnavailableError
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)

RETRY_S = 0.2
RENEWED_EVERY_S = 0.5  # At most one replacement in this time: each costs a connection and an id.
LATE_S = 5.0  # A partition is reported if an acknowledgement is outstanding for longer.
REFUSED_S = 10.0  # How long a failure is reported if no further append follows.


@dataclass(eq=False, slots=True)
class _Sent:
    """One record that the client has accepted and that is not acknowledged yet."""

    at: TopicPartition
    by: AIOKafkaProducer
    batch: MessageBatch | None
    since: float  # The event loop's time.
    placed: Callable[[int], None]
    refused: OnRefusal | None


@dataclass(eq=False)
class Appender:
    """One idempotent producer at a time."""

    kafka: Kafka
    append_s: float  # How long a record may wait for room in a batch, or for a new producer.
    unacknowledged: int = 0  # Records that the client accepted and reported as not delivered.
    refused: int = 0  # Of these, those that are certainly not in the log.
    renewed: int = 0  # Producers that were replaced.
    _producer: AIOKafkaProducer | None = None
    _there: asyncio.Event = field(default_factory=asyncio.Event)  # A producer is.
    _renewing: asyncio.Task[None] | None = None
    _renewed_at: float = float("-inf")
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: dict[int, _Sent] = field(default_factory=dict)  # Oldest first.
    _count: int = 0
    _failed: dict[TopicPartition, tuple[str, float]] = field(default_factory=dict)  # Why, when.
    _without: str = ""  # Why there is no producer.

    async def open(self, topics: Collection[str]) -> None:
        """Connect and fetch the topics' metadata, so that the first record does not wait for it.

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
        self._producer, self._without = producer, ""
        self._there.set()

    async def append(
        self,
        at: TopicPartition,
        raw: bytes,
        key: int,
        placed: Callable[[int], None],
        refused: OnRefusal | None = None,
    ) -> None:
        """Hand a record over; the client retries until it is sent.

        `placed` is called with its offset, if the brokers report one, once it is on all in-sync
        replicas. `refused` is called if the brokers' answer proves that it never will be in the
        log.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.

        """
        assert len(raw) < MESSAGE_BYTES_MAX, "`entry` bounds a record"
        producer = self._producer
        try:
            async with asyncio.timeout(self.append_s):
                while producer is None:
                    await self._there.wait()
                    producer = self._producer
                acknowledged = await producer.send(
                    at.topic, raw, key=str(key).encode(), partition=at.partition
                )
        except (KafkaError, TimeoutError) as exc:
            if producer is not None and _is_dead(producer):
                self._renew(producer)
            raise LogUnavailableError(f"{at}: the record was not taken: {exc!r}") from exc
        # No await since the record was added to its batch, so that is the partition's last one.
        batches = producer._message_accumulator._batches.get(at)
        batch = batches[-1] if batches else None
        self._count += 1
        number, now = self._count, asyncio.get_running_loop().time()
        self._waiting[number] = _Sent(at, producer, batch, now, placed, refused)
        acknowledged.add_done_callback(lambda done: self._acknowledged(number, done))

    def _acknowledged(self, number: int, done: "asyncio.Future[RecordMetadata]") -> None:
        sent = self._waiting.pop(number)
        if done.cancelled():
            return
        if (no := done.exception()) is None:
            self._failed.pop(sent.at, None)
            if (offset := offset_of(done.result())) is not None:
                sent.placed(offset)
            return
        self.unacknowledged += 1
        logger.warning("%s: a record was not acknowledged: %r", sent.at, no)
        self._failed[sent.at] = (repr(no), asyncio.get_running_loop().time())
        self._renew(sent.by)
        if sent.batch is not None and never_there(no, sent.batch.retry_count):
            self.refused += 1
            if sent.refused is not None:
                sent.refused(LogUnavailableError(f"{sent.at}: the record was refused: {no!r}"))

    def _renew(self, broken: AIOKafkaProducer) -> None:
        """Replace a producer: its sequence has a gap, after which the brokers accept nothing.

        The records it holds for other partitions are sent before it ends, if that takes no longer
        than a stop may. Two producers at once do no harm: the log's order decides.
        """
        if broken is self._producer:
            self._producer = None
            self._there.clear()
            self.renewed += 1
            stopping = asyncio.create_task(stop_producer(broken), name="stop kafka producer")
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)
            self._renewing = asyncio.create_task(self._open_another(), name="kafka producer")

    async def _open_another(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._renewed_at + RENEWED_EVERY_S - loop.time())
        while True:
            self._renewed_at = loop.time()
            try:
                await self.open(())
            except (KafkaError, OSError, TimeoutError) as exc:
                self._without = repr(exc)
                logger.warning("no Kafka producer yet: %r", exc)
                await asyncio.sleep(RETRY_S)
            else:
                return

    def troubles(self, topics: Collection[str]) -> Sequence[str]:
        """Return the known reasons why nothing can be appended to these topics now."""
        names, now = (
            {self.kafka.topic(topic) for topic in topics},
            asyncio.get_running_loop().time(),
        )
        if self._producer is None and self._without:
            return (f"the log takes nothing: {self._without}",)
        found = {
            at: f"{at.topic}/{at.partition} refuses records: {why}"
            for at, (why, since) in self._failed.items()
            if at.topic in names and now - since < REFUSED_S
        }
        for sent in self._waiting.values():
            if now - sent.since < LATE_S:
                break
            if sent.at.topic in names and sent.at not in found:
                late_s = int(now - sent.since)
                where = f"{sent.at.topic}/{sent.at.partition}"
                found[sent.at] = f"{where} has not acknowledged a record for {late_s} s"
        return tuple(found.values())

    def leader(self, at: TopicPartition) -> Leader | None:
        """Return the leader that acknowledges records now, if any."""
        return leader_of(self._producer.client if self._producer else None, at)

    async def close(self) -> None:
        """Close, in a bounded time."""
        if self._renewing is not None:  # Cancelled while it connects, it would leak a connection.
            await asyncio.wait([self._renewing], timeout=STOP_S)
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)
        if self._stopping:
            await asyncio.wait(list(self._stopping))


def _is_dead(producer: AIOKafkaProducer) -> bool:
    """Say whether a producer's sending task has ended."""
    sending = producer._sender.sender_task
    return sending is None or bool(sending.done())


def offset_of(acknowledged: RecordMetadata) -> int | None:
    """Return a record's offset, or None if the broker no longer knows it.

    For a duplicate of an old batch the broker reports no offset: the client then counts the
    batch's offsets from -1, and the log's start offset is missing too.
    """
    begin = acknowledged.log_start_offset
    return acknowledged.offset if begin is not None and begin >= 0 else None
