"""The log on Kafka, through aiokafka. All followers in a process share one consumer.

No broker failure loses or skips a record: an outage is waited out, a log that was cut stops the
reader. Fetching: fetcher.py. The read index: offsets.py. Topics: topics/.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from aiokafka.errors import KafkaError

from campaigns.kafka.clients import REQUEST_TIMEOUT_MS, Kafka, hush
from campaigns.kafka.consumer import PRIVATE_MAX, Stretches
from campaigns.kafka.fetcher import Fetcher
from campaigns.kafka.keys.kafka_keys import KafkaKeys
from campaigns.kafka.offsets import PartitionRanges
from campaigns.kafka.producer import RETRY_S, Appender
from campaigns.kafka.security import Security
from campaigns.kafka.topics.import_mark import check_readable
from campaigns.kafka.topics.inspection import Inspection
from campaigns.kafka.topics.topic_ids import place_of, topic_ids
from campaigns.kafka.topics.topic_setup import make_and_check
from campaigns.log.port import BATCH_MAX, OnRefusal
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.entry import entry
from campaigns.records.home import LogPlace
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import NAMING_TOPICS, RECORD_TOPICS, TOPICS, Partition
from campaigns.secrets.key_place import KeyPlace

logger = logging.getLogger(__name__)
limit_repetitions(logger)


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
        importing: bool = False,  # Read what an import has not finished.
        open_s: float = 30.0,
        append_s: float = 2.0,
        ends_s: float = 5.0,
        watch_s: float = 15.0,
        request_timeout_ms: int = REQUEST_TIMEOUT_MS,
        master_keys: KeyPlace | None = None,  # Of the lists' keys. None: contacts are plain.
    ) -> None:
        """Store the settings. `read_only` creates nothing: rights to describe and read suffice."""
        self.kafka = Kafka(servers, namespace, security or Security(), request_timeout_ms)
        self._count = {topic.name: topic.partitions or partitions for topic in TOPICS}
        self._replication, self._read_only, self._importing = replication, read_only, importing
        self._open_s, self._appender = open_s, Appender(self.kafka, append_s)
        self._at = self.kafka.partitions({topic: self._count[topic] for topic in RECORD_TOPICS})
        self._ranges = PartitionRanges(self.kafka, ends_s)
        self._once = Stretches(self.kafka, self._at, self._count, ends_s)
        self._fetcher = Fetcher(
            self.kafka, self._at, self._count, self._ranges, self._once, self._appender.leader
        )
        self._place: LogPlace | None = None
        self.keys = KafkaKeys(self.kafka)
        self.list_keys = ListKeys(self.keys, master_keys) if master_keys else None
        self._inspection = Inspection(self.kafka, list(self._counts(self._count)), watch_s)
        self._inspecting: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """Return the log's identity: the cluster's id, the namespace and the topics' ids."""
        return self.place.name

    @property
    def place(self) -> LogPlace:
        """Return where the log is."""
        assert self._place is not None, "open() comes first"
        return self._place

    @property
    def unacknowledged(self) -> int:
        """Return how many records the client accepted and reported as not delivered."""
        return self._appender.unacknowledged

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return self._count[topic]

    async def open(self) -> None:
        """Connect, create what is missing, check what exists.

        Raises:
            LogUnavailableError: no broker within `open_s`, or none that can create the topics.
            TopicMisfitError: what exists does not fit.
            MasterKeyError: contacts were encrypted, and there is no master key.

        """
        hush()
        last: BaseException | None = None
        try:
            async with asyncio.timeout(self._open_s):
                while self._fetcher.consumer is None:
                    try:
                        await self._connect()
                    except (KafkaError, OSError, TimeoutError) as exc:
                        last = exc
                        await asyncio.sleep(RETRY_S)
        except TimeoutError as exc:
            found = "no answer" if last is None else str(last) or repr(last)
            raise LogUnavailableError(
                f"expected Kafka at {self.kafka.servers} within {self._open_s} s, found {found}"
            ) from exc
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
                await check_readable(admin, self._counts(RECORD_TOPICS), self._importing)
            else:
                await make_and_check(admin, self._counts(self._count), self._replication, brokers)
            sealed = self.list_keys is not None
            await self.keys.open(admin, self._replication, brokers, sealed, self._read_only)
            ids = await topic_ids(admin, list(self._counts(NAMING_TOPICS)))
            self._inspection.ids = ids
            if not self._read_only:
                await self._inspection.look(admin)
            self._place = place_of(self.kafka, cluster, ids)
        if not self._read_only:
            await self._appender.open(RECORD_TOPICS)
        try:
            await self._fetcher.open()
        except BaseException:
            await self._appender.close()
            raise

    def _counts(self, topics: Iterable[str]) -> dict[str, int]:
        return {self.kafka.topic(name): self._count[name] for name in topics}  # Its names there.

    async def close(self) -> None:
        """Release all resources in a bounded time, whatever the brokers do."""
        if self._inspecting is not None:
            self._inspecting.cancel()
            await asyncio.wait([self._inspecting])
        await self._fetcher.halt()
        closed = (self._ranges, self._once, self._appender, self._fetcher, self.keys)
        await asyncio.gather(*(one.close() for one in closed))

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return the known reasons why these topics cannot be written, or read, now."""
        if self._read_only:
            return ()
        seen = self._inspection.troubles(writing, reading)
        keys = self.list_keys.troubles() if self.list_keys else ()
        return [*self._appender.troubles(writing), *seen, *keys]

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
            lambda offset: self._fetcher.place(made, offset + 1),
            refused,
        )

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield the partition's records after `after`, in order, indefinitely.

        A broker's outage is waited out.

        Raises:
            LogCutError: `after` lies beyond the log's end, or the records after it are gone.

        """
        await self._ranges.expect(partition, after)
        tail, follower = self._fetcher.join(partition, after)
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
                    self._fetcher.wake()
                else:
                    await follower.woken.wait()
        finally:
            self._fetcher.leave(partition, follower)

    async def _read_on(self, partition: Partition, after: int) -> Sequence[Recorded]:
        while True:
            try:
                return await self.read(partition, after, PRIVATE_MAX)
            except LogUnavailableError as exc:
                logger.warning("%s: waiting for the log: %s", partition, exc)
                await asyncio.sleep(RETRY_S)

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the read index: the last position of each partition, read after the call began.

        Raises:
            LogUnavailableError: no answer in time.

        """
        return await self._ranges.ends.ask(partitions)

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` records after `after`; fewer only at the current end.

        Raises:
            LogUnavailableError: no answer in time.
            LogCutError: the records after `after` are gone.

        """
        end = (await self._ranges.ends.ask([partition]))[partition]
        return await self._once.read(partition, after, min(limit, end - after))
