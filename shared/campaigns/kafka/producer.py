"""Hands records to Kafka, and takes another client when one has lost its sequence.

A taken record may appear at any later time, even after the client has said that it gave up. What
an acknowledgement is good for is its place, for who has read all before it (ADR-0013); that none
came says nothing. What the brokers have surely refused is told at once (ADR-0017).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.structs import RecordMetadata

from campaigns.kafka.clients import MESSAGE_BYTES_MAX, Kafka, Line, line_to
from campaigns.kafka.lifecycle import STOP_S, start, stop_producer
from campaigns.kafka.refusals import never_there
from campaigns.log.port import OnRefusal
from campaigns.process.errors import LogUnavailableError
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)

RETRY_S = 0.2
RENEWED_EVERY_S = 0.5  # Each client costs a connection and an id: as long as all is refused.
LATE_S = 5.0  # Without an acknowledgement for so long, a partition is said to take nothing.
REFUSED_S = 10.0  # How long a failure is spoken of if nobody has tried again.


@dataclass(eq=False, slots=True)
class _Sent:
    """One record that the client has taken, and that is not acknowledged yet."""

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
    append_s: float  # How long a record may wait to be taken: for a full batch, or a new client.
    unacknowledged: int = 0  # Taken records of which the client has said that it gave up.
    refused: int = 0  # Of these, those that are surely not in the log.
    renewed: int = 0  # Clients that were replaced.
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
        """Hand one over; the client sends it for as long as that takes.

        `placed` is told its offset, if the brokers say so, once it is on all replicas in sync.
        `refused` is told that it is not and will not be in the log, if the brokers say that.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.

        """
        assert len(raw) < MESSAGE_BYTES_MAX, "a record is bounded by who makes it"
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
        # No await since it was added to its batch: that is the partition's last.
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
        """Replace a producer: its sequence has a hole, and the brokers take nothing behind it.

        What it still holds for other partitions is sent before it ends, if that takes no longer
        than a stop may. Two clients in between do no harm: the log's order decides.
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
        """Return why nothing can be appended to these topics now, as far as is known."""
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

    def line(self, at: TopicPartition) -> Line | None:
        """Return the connection on which records are acknowledged now; None: there is none."""
        return line_to(self._producer.client if self._producer else None, at)

    async def close(self) -> None:
        """Let go, in a bounded time."""
        if self._renewing is not None:  # One that connects just now would be lost, open.
            await asyncio.wait([self._renewing], timeout=STOP_S)
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)
        if self._stopping:
            await asyncio.wait(list(self._stopping))


def _is_dead(producer: AIOKafkaProducer) -> bool:
    """Say whether a producer will send no more."""
    sending = producer._sender.sender_task
    return sending is None or bool(sending.done())


def offset_of(acknowledged: RecordMetadata) -> int | None:
    """Return where a record stands, or None if the broker has forgotten.

    A broker that has had it before, and much since, says only that it is a duplicate: the client
    counts the offsets of its batch from -1 then, and there is no beginning of the log either.
    """
    begin = acknowledged.log_start_offset
    return acknowledged.offset if begin is not None and begin >= 0 else None
