"""The log on Kafka, through aiokafka. All followers in a process share one consumer.

No broker failure loses or skips a record: an outage is waited out, and a log that was cut stops
the reader. Creating topics: topic_setup.py. The read index: offsets.py.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from campaigns.kafka.clients import REQUEST_TIMEOUT_MS, Kafka, Line, hush, line_to
from campaigns.kafka.consumer import POLL_MAX, Placed, Stretches, assigned, consecutive
from campaigns.kafka.inspection import Inspection
from campaigns.kafka.lifecycle import stop
from campaigns.kafka.offsets import Offsets
from campaigns.kafka.producer import RETRY_S, Appender
from campaigns.kafka.security import Security
from campaigns.kafka.topic_ids import topic_ids
from campaigns.kafka.topic_setup import check_there, make_and_check
from campaigns.log.port import BATCH_MAX, OnRefusal, refuse_beyond, refuse_other
from campaigns.log.tail import Tail
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.entry import entry
from campaigns.records.record import Record, Recorded
from campaigns.records.topics import NAMING_TOPICS, RECORD_TOPICS, TOPICS, Partition

logger = logging.getLogger(__name__)
limit_repetitions(logger)

POLL_MS = 1_000
UNREADABLE_S = 1.0  # How soon to retry a topic that we had no right to read.
LOOK_S = 0.1  # How often to check the positions of idle partitions while others are busy.
CROWDED_MS = 20  # The poll's timeout while some followers lag too far behind the head.
FETCH_WAIT_MS = 250  # Bounds a new follower's wait for the fetch that is in flight.
PRIVATE_MAX = 2_048  # Records per read of a follower that has fallen behind the tail.


class KafkaLog:
    """Records in order, on any number of brokers. Implements the EventLog port."""

    def __init__(
        self,
        servers: str,
        partitions: int = 12,
        *,
        namespace: str = "",
        replication: int | None = None,
        security: Security | None = None,
        read_only: bool = False,
        open_s: float = 30.0,
        append_s: float = 2.0,
        ends_s: float = 5.0,
        watch_s: float = 15.0,
        request_timeout_ms: int = REQUEST_TIMEOUT_MS,
    ) -> None:
        """Store the settings; `open` connects.

        `read_only` creates no topic and no producer: rights to describe and to read suffice.
        """
        self.kafka = Kafka(servers, namespace, security or Security(), request_timeout_ms)
        self._count = {topic.name: topic.partitions or partitions for topic in TOPICS}
        self._replication = replication
        self._read_only, self._open_s = read_only, open_s
        self._appender = Appender(self.kafka, append_s)
        self.placed = 0  # Our own records that followers received before they were fetched.
        self._unfetched = defaultdict[Partition, Placed](Placed)  # Those not fetched yet.
        # The connections that the head was read and acknowledged on; a new one is verified first.
        self._lines: dict[Partition, tuple[Line | None, Line | None]] = {}
        self._ends = Offsets(self.kafka, ends_s)
        self._begins = Offsets(self.kafka, ends_s, beginnings=True)
        self._tails = {
            Partition(topic, number): Tail()
            for topic in RECORD_TOPICS
            for number in range(self._count[topic])
        }
        self._at = {
            partition: TopicPartition(self.kafka.topic(partition.topic), partition.number)
            for partition in self._tails
        }
        self._partitions = {at: partition for partition, at in self._at.items()}
        self._once = Stretches(self.kafka, self._at, self._count, ends_s)
        self._id = ""
        self._consumer: AIOKafkaConsumer | None = None
        self._wanted = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._inspection = Inspection(self.kafka, list(self._counts(self._count)), watch_s)
        self._inspecting: asyncio.Task[None] | None = None
        self._held = dict[TopicPartition, asyncio.Task[None]]()

    @property
    def id(self) -> str:
        """Return the log's identity: the cluster's id, the namespace and the topics' ids.

        Known once open.
        """
        assert self._id, "open() comes first"
        return self._id

    @property
    def unacknowledged(self) -> int:
        """Return the number of records that the client accepted and reported as not delivered."""
        return self._appender.unacknowledged

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return self._count[topic]

    async def open(self) -> None:
        """Connect, create what is missing, check what exists.

        Raises:
            LogUnavailableError: no broker within `open_s`, or none that can create the topics.
            TopicMisfitError: what exists does not fit.

        """
        hush()
        last: BaseException | None = None
        try:
            async with asyncio.timeout(self._open_s):
                while self._consumer is None:
                    try:
                        await self._connect()
                    except (KafkaError, OSError, TimeoutError) as exc:
                        last = exc
                        await asyncio.sleep(RETRY_S)
        except TimeoutError as exc:
            found = "no answer" if last is None else f"{last}" or repr(last)
            raise LogUnavailableError(
                f"expected Kafka at {self.kafka.servers} within {self._open_s} s, found {found}"
            ) from exc
        self._polling = asyncio.create_task(self._poll(), name="kafka poll")
        self._polling.add_done_callback(self._poll_ended)
        if not self._read_only:
            self._inspecting = asyncio.create_task(self._inspection.repeat(), name="kafka topics")

    async def _connect(self) -> None:
        await self.kafka.reach()
        async with AsyncExitStack() as undo:
            admin = self.kafka.admin()
            undo.push_async_callback(admin.close)
            await admin.start()
            about = await admin.describe_cluster()
            cluster, brokers = about["cluster_id"], len(about["brokers"])
            if self._read_only:
                await check_there(admin, self._counts(RECORD_TOPICS))
            else:
                await make_and_check(admin, self._counts(self._count), self._replication, brokers)
            ids = await topic_ids(admin, list(self._counts(NAMING_TOPICS)))
            self._inspection.ids = ids
            if not self._read_only:
                await self._inspection.look(admin)
            made = "+".join(ids[name] for name in sorted(ids))
            self._id = f"kafka/{cluster}/{self.kafka.namespace}#{made}"
        if not self._read_only:
            await self._appender.open(RECORD_TOPICS)
        try:
            self._consumer = await assigned(self.kafka, self._at.values(), FETCH_WAIT_MS)
        except BaseException:
            await self._appender.close()
            raise

    def _counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions by the topic's name on this cluster."""
        return {self.kafka.topic(name): self._count[name] for name in topics}

    async def close(self) -> None:
        """Release all resources in a bounded time, whatever the brokers do."""
        for task in (self._polling, self._inspecting):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for held in list(self._held.values()):
            held.cancel()
        closing = [one.close() for one in (self._ends, self._begins, self._once, self._appender)]
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            closing.append(stop(consumer))
        await asyncio.gather(*closing)

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return the known reasons why these topics cannot be written, or read, now."""
        if self._read_only:
            return ()
        seen = self._inspection.troubles(writing, reading)
        return [*self._appender.troubles(writing), *seen]

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Hand a record to the client, which retries until it is sent.

        Raises:
            LogUnavailableError: it was not taken; it is not and will not be in the log.
            UnreadableRecordError: no reader could read it; it is not and will not be in the log.

        """
        if self._read_only:
            raise LogUnavailableError(f"{partition}: takes no records: open for reading only")
        made = entry(record, partition, self._count[partition.topic])
        assert made.raw is not None, "it was encoded"
        await self._appender.append(
            self._at[partition],
            made.raw,
            key,
            lambda offset: self._placed(made, offset + 1),
            refused,
        )

    def _placed(self, made: Recorded, position: int) -> None:
        """Give followers our own record once it is acknowledged, if it is their next one.

        It is on all in-sync replicas at its final position, and all records before it were read.
        The fetch brings the same record later (ADR-0013), and it is passed over then.
        """
        tail, partition = self._tails[made.partition], made.partition
        if tail.next_is(position) and self._lines.get(partition) == self._lines_now(partition):
            self._unfetched[partition].raws[position] = made.raw or b""
            tail.extend([made.placed(position)])
            self.placed += 1

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the partition's records after `after`, in order, indefinitely.

        A broker's outage is waited out.

        Raises:
            LogCutError: `after` lies beyond the log's end, or the records after it are gone.

        """
        await self._expect(partition, after)
        tail = self._tails[partition]
        follower, begin = tail.join(after)
        assert self._consumer is not None, "open() comes first"
        if begin is not None:
            self._unfetched[partition].raws.clear()
            self._consumer.seek(self._at[partition], begin)
            self._consumer.resume(self._at[partition])
        self._wanted.set()
        try:
            while True:
                batch = tail.take(follower, batch_max)
                if batch is None:
                    # Reread the last record: the reader compares it with the one it folded.
                    private = await self._read_on(partition, max(0, follower.position - 1))
                    for start in range(0, len(private), batch_max):
                        yield private[start : start + batch_max]
                        tail.moved(follower, private[start : start + batch_max][-1].position)
                elif batch:
                    yield batch
                    tail.moved(follower, batch[-1].position)
                    self._wanted.set()
                else:
                    await follower.woken.wait()
        finally:
            tail.leave(follower)
            if not tail.followers and self._consumer is not None:
                self._consumer.pause(self._at[partition])

    async def _expect(self, partition: Partition, after: int) -> None:
        """Refuse a reader whose position is no longer in the log; wait out an outage."""
        while True:
            try:
                begins, ends = await asyncio.gather(
                    self._begins.ask([partition]), self._ends.ask([partition])
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

    async def _read_on(self, partition: Partition, after: int) -> Sequence[Recorded]:
        while True:
            try:
                return await self.read(partition, after, PRIVATE_MAX)
            except LogUnavailableError as exc:
                logger.warning("%s: waiting for the log: %s", partition, exc)
                await asyncio.sleep(RETRY_S)

    async def _poll(self) -> None:
        consumer, loop, look_at = self._consumer, asyncio.get_running_loop(), 0.0
        assert consumer is not None, "open() comes first"
        while True:
            followed = [at for at, one in self._partitions.items() if self._tails[one].followers]
            hungry = [at for at in followed if self._tails[self._partitions[at]].hungry]
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
                    self._hold(at, self._out_of_range(self._partitions[at]))
                continue
            except TopicAuthorizationFailedError as exc:
                logger.warning("the log cannot be read now: %r", exc)
                denied = {exc.args[0]} if isinstance(exc.args[0], str) else set(exc.args[0])
                for at in self._at.values():
                    if at.topic in denied:
                        self._hold(at, asyncio.sleep(UNREADABLE_S))
                continue
            except KafkaError as exc:
                logger.warning("the log cannot be read now: %r", exc)
                await asyncio.sleep(RETRY_S)
                continue
            for at, messages in found.items():
                if await self._unbroken(self._partitions[at]):
                    self._deliver(self._partitions[at], messages, None)
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
            if self._tails[self._partitions[at]].followers:
                self._deliver(self._partitions[at], (), await consumer.position(at))

    def _lines_now(self, partition: Partition) -> tuple[Line | None, Line | None]:
        at = self._at[partition]
        client = self._consumer._client if self._consumer else None
        return line_to(client, at), self._appender.line(at)

    async def _unbroken(self, partition: Partition) -> bool:
        """Say whether fetched records may be delivered: they follow the last one delivered.

        A leader that returned, or a new one, may have lost acknowledged records and accepted
        others in their place (ADR-0016), so the last record that was read is read again.
        """
        lines, tail = self._lines_now(partition), self._tails[partition]
        if lines == self._lines.get(partition):
            return True
        last = tail.last
        try:
            if last is not None:
                found = await self._once.read(partition, last.position - 1, 1, moved=True)
                refuse_other(partition, last, found)
        except LogCutError as exc:
            self._fail(partition, exc)
            return False
        except LogUnavailableError as exc:
            logger.warning("%s: waiting for the log: %s", partition, exc)
            if self._consumer is not None:
                self._consumer.seek(self._at[partition], tail.head)
            return False
        self._lines[partition] = lines
        return True

    def _deliver(self, partition: Partition, messages: Sequence[Any], end: int | None) -> None:
        tail, count = self._tails[partition], self._count[partition.topic]
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
        if self._consumer is not None:
            self._consumer.pause(self._at[partition])
        self._tails[partition].fail(failure)

    def _hold(self, at: TopicPartition, until: Coroutine[Any, Any, None]) -> None:
        """Stop fetching one partition until `until` ends; the others go on."""
        assert self._consumer is not None, "it is polled"
        if at in self._held:
            until.close()
            return
        self._consumer.pause(at)
        self._held[at] = asyncio.create_task(self._held_until(at, until), name=f"hold {at}")

    async def _held_until(self, at: TopicPartition, until: Coroutine[Any, Any, None]) -> None:
        try:
            await until
        finally:
            del self._held[at]
            tail = self._tails[self._partitions[at]]
            if self._consumer is not None and tail.followers and not tail.failure:
                self._consumer.resume(at)
                self._wanted.set()

    async def _out_of_range(self, partition: Partition) -> None:
        """Stop a partition's followers if the log was cut; otherwise go on."""
        try:
            await asyncio.wait_for(self._expect(partition, self._tails[partition].head), 30)
        except LogCutError as exc:
            self._fail(partition, exc)
        except TimeoutError:
            pass  # Checked again when the next fetch fails.

    def _poll_ended(self, polling: asyncio.Task[None]) -> None:
        if not polling.cancelled() and (bug := polling.exception()):
            for tail in self._tails.values():
                tail.fail(bug if isinstance(bug, Exception) else RuntimeError(repr(bug)))

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the read index: the last position of each partition, read after the call began.

        Raises:
            LogUnavailableError: no answer in time.

        """
        return await self._ends.ask(partitions)

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` records after `after`; fewer only at the current end.

        Raises:
            LogUnavailableError: no answer in time.
            LogCutError: the records after `after` are gone.

        """
        end = (await self._ends.ask([partition]))[partition]
        return await self._once.read(partition, after, min(limit, end - after))
