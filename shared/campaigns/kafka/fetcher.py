"""Fetches all followed partitions on one consumer, and delivers their records to the tails."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.consumer import POLL_MAX, Placed, Stretches, assigned, consecutive
from campaigns.kafka.leaders import Leader, Leaders, leader_of
from campaigns.kafka.lifecycle import stop
from campaigns.kafka.offsets import PartitionRanges
from campaigns.kafka.producer import RETRY_S
from campaigns.log.tail import Follower, Tail
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

logger = logging.getLogger(__name__)
limit_repetitions(logger)

POLL_MS = 1_000
UNREADABLE_S = 1.0  # How soon to retry a topic that we had no right to read.
LOOK_S = 0.1  # How often to check the positions of idle partitions while others are busy.
CROWDED_MS = 20  # The poll's timeout while some followers lag too far behind the head.
FETCH_WAIT_MS = 250  # Bounds a new follower's wait for the fetch that is in flight.


class Fetcher:
    """The consumer that all followers in a process share. A failed partition stops no other."""

    def __init__(
        self,
        kafka: Kafka,
        at: Mapping[Partition, TopicPartition],
        counts: Mapping[str, int],
        ranges: PartitionRanges,
        once: Stretches,
        appending: Callable[[TopicPartition], Leader | None],
    ) -> None:
        """Store the settings; `open` connects. `appending`: the leader that the producer sees."""
        self.tails = {partition: Tail() for partition in at}
        self.placed = 0  # Our own records that followers received before they were fetched.
        self.consumer: AIOKafkaConsumer | None = None
        self.leaders = Leaders(at, once, self._leader, appending)
        self.held = dict[TopicPartition, asyncio.Task[None]]()
        self._kafka, self._at, self._counts, self._ranges = kafka, at, counts, ranges
        self._partitions = {at: partition for partition, at in at.items()}
        self._unfetched = defaultdict[Partition, Placed](Placed)  # Those not fetched yet.
        self._wanted = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    def _leader(self, at: TopicPartition) -> Leader | None:
        return leader_of(self.consumer._client if self.consumer else None, at)

    async def open(self) -> None:
        """Connect, and fetch what is followed.

        Raises:
            KafkaError: the cluster did not answer.

        """
        self.consumer = await assigned(self._kafka, self._at.values(), FETCH_WAIT_MS)
        self._polling = asyncio.create_task(self._poll(self.consumer), name="kafka poll")
        self._polling.add_done_callback(self._poll_ended)

    async def halt(self) -> None:
        """Stop fetching."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])
        for held in list(self.held.values()):
            held.cancel()

    async def close(self) -> None:
        """Close the consumer, in a bounded time."""
        if self.consumer is not None:
            consumer, self.consumer = self.consumer, None
            await stop(consumer)

    def join(self, partition: Partition, after: int) -> tuple[Tail, Follower]:
        """Add a follower of a partition, and fetch for it."""
        tail = self.tails[partition]
        follower, begin = tail.join(after)
        assert self.consumer is not None, "open() comes first"
        if begin is not None:
            self._unfetched[partition].raws.clear()
            self.consumer.seek(self._at[partition], begin)
            self.consumer.resume(self._at[partition])
        self.wake()
        return tail, follower

    def leave(self, partition: Partition, follower: Follower) -> None:
        """Remove a follower. Without followers, the partition is not fetched."""
        tail = self.tails[partition]
        tail.leave(follower)
        if not tail.followers and self.consumer is not None:
            self.consumer.pause(self._at[partition])

    def wake(self) -> None:
        """Poll again: a follower has joined or moved."""
        self._wanted.set()

    def place(self, made: Recorded, position: int) -> None:
        """Give followers our own record once it is acknowledged, if it is their next one.

        It is on all in-sync replicas at its final position, and all records before it were read.
        The fetch brings the same record later (ADR-0013), and it is passed over then.
        """
        tail, partition = self.tails[made.partition], made.partition
        if tail.next_is(position) and self.leaders.unchanged(partition):
            self._unfetched[partition].raws[position] = made.raw or b""
            tail.extend([made.placed(position)])
            self.placed += 1

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        loop, look_at = asyncio.get_running_loop(), 0.0
        while True:
            followed = [at for at, one in self._partitions.items() if self.tails[one].followers]
            hungry = [at for at in followed if self.tails[self._partitions[at]].hungry]
            self._wanted.clear()
            if not hungry:
                await self._wanted.wait()
                continue
            # Without a filter, a follower that joins meanwhile is served at once.
            crowded = len(hungry) < len(followed)
            try:
                found = await consumer.getmany(
                    *(hungry if crowded else ()),
                    timeout_ms=CROWDED_MS if crowded else POLL_MS,
                    max_records=POLL_MAX,
                )
            except OffsetOutOfRangeError as exc:
                for at in exc.args[0]:
                    self.hold(at, self._out_of_range(self._partitions[at]))
                continue
            except TopicAuthorizationFailedError as exc:
                logger.warning("the log cannot be read now: %r", exc)
                denied = {exc.args[0]} if isinstance(exc.args[0], str) else set(exc.args[0])
                for at in self._at.values():
                    if at.topic in denied:
                        self.hold(at, asyncio.sleep(UNREADABLE_S))
                continue
            except KafkaError as exc:
                logger.warning("the log cannot be read now: %r", exc)
                await asyncio.sleep(RETRY_S)
                continue
            for at, messages in found.items():
                if await self._unbroken(self._partitions[at]):
                    self.deliver(self._partitions[at], messages, None)
            if not found or loop.time() >= look_at:
                look_at = loop.time() + LOOK_S
                await self._look(consumer, [at for at in hungry if at not in found])
            if found:
                await asyncio.sleep(0)  # Let the followers have it.

    async def _look(self, consumer: AIOKafkaConsumer, quiet: Iterable[TopicPartition]) -> None:
        """Advance idle partitions past control batches, which have offsets but no records.

        Needed even while other partitions are busy, or a foreign transaction would stall one.
        """
        for at in quiet:
            if self.tails[self._partitions[at]].followers:
                self.deliver(self._partitions[at], (), await consumer.position(at))

    async def _unbroken(self, partition: Partition) -> bool:
        """Say whether fetched records may be delivered: they follow the last one delivered."""
        tail = self.tails[partition]
        try:
            await self.leaders.verify(partition, tail.last)
        except LogCutError as exc:
            self._fail(partition, exc)
            return False
        except LogUnavailableError as exc:
            logger.warning("%s: waiting for the log: %s", partition, exc)
            if self.consumer is not None:
                self.consumer.seek(self._at[partition], tail.head)
            return False
        return True

    def deliver(self, partition: Partition, messages: Sequence[Any], end: int | None) -> None:
        """Give fetched messages to a partition's followers. `end`: the position fetched up to."""
        tail, count = self.tails[partition], self._counts[partition.topic]
        if not tail.followers:
            return
        read: list[Recorded] = []
        try:
            self._unfetched[partition].check(partition, messages, end)
            read.extend(consecutive(partition, tail.head, messages, end, count))
        except LogCutError as exc:
            tail.extend(read)
            self._fail(partition, exc)
        else:
            if read:
                tail.extend(read)

    def _fail(self, partition: Partition, failure: Exception) -> None:
        if self.consumer is not None:
            self.consumer.pause(self._at[partition])
        self.tails[partition].fail(failure)

    def hold(self, at: TopicPartition, until: Coroutine[Any, Any, None]) -> None:
        """Stop fetching one partition until `until` ends; the others go on."""
        assert self.consumer is not None, "it is polled"
        if at in self.held:
            until.close()
            return
        self.consumer.pause(at)
        self.held[at] = asyncio.create_task(self._held_until(at, until), name=f"hold {at}")

    async def _held_until(self, at: TopicPartition, until: Coroutine[Any, Any, None]) -> None:
        try:
            await until
        finally:
            del self.held[at]
            tail = self.tails[self._partitions[at]]
            if self.consumer is not None and tail.followers and not tail.failure:
                self.consumer.resume(at)
                self.wake()

    async def _out_of_range(self, partition: Partition) -> None:
        """Stop a partition's followers if the log was cut; otherwise go on."""
        try:
            await asyncio.wait_for(self._ranges.expect(partition, self.tails[partition].head), 30)
        except LogCutError as exc:
            self._fail(partition, exc)
        except TimeoutError:
            pass  # Checked again when the next fetch fails.

    def _poll_ended(self, polling: asyncio.Task[None]) -> None:
        if not polling.cancelled() and (bug := polling.exception()):
            for tail in self.tails.values():
                tail.fail(bug if isinstance(bug, Exception) else RuntimeError(repr(bug)))
