"""A broker falls silent with its connections open: requests to the others wait for no time-out.

The client's own time-out is far longer here than any of this may take.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from campaigns.domain.facts import CampaignPaused
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.kafka.clients import Kafka
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.membership import Membership
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from tests.cluster.brokers import Cluster, Node
from tests.conftest import _without
from tests.support.broker import Source, choose, has_jars, has_java

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

AT = Partition(CAMPAIGN_RECORDS, 0)
TIMEOUT_MS = 60_000  # So that nothing in here can be its doing.
BACK_S_MAX = 25.0  # The brokers of tests/cluster elect within 3 s; the rest is the machine's.


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.NOTHING:
        _without("no brokers: needs Java and Maven")
    own = Cluster(secure=False)
    try:
        yield own.start()
    finally:
        own.stop()


@asynccontextmanager
async def opened(
    cluster: Cluster, namespace: str, *, read_only: bool = False
) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(
        cluster.servers, 1, namespace=namespace, ends_s=30, request_timeout_ms=TIMEOUT_MS,
        read_only=read_only,
    )  # fmt: skip
    if not read_only:
        await all_there(cluster)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def all_there(cluster: Cluster) -> None:
    """Wait until no broker is missing: topics get as many replicas as there are brokers."""
    async with asyncio.timeout(60):
        admin = cluster.kafka().admin()
        await admin.start()
        try:
            while len((await admin.describe_cluster())["brokers"]) < cluster.size:
                await asyncio.sleep(0.1)
        finally:
            await admin.close()


async def in_sync(cluster: Cluster, log: KafkaLog) -> Node:
    """Wait until the partition has all replicas; return its leader."""
    async with asyncio.timeout(60):
        while True:
            admin = cluster.kafka().admin()
            await admin.start()
            try:
                [topic] = await admin.describe_topics([log.kafka.topic(AT.topic)])
            finally:
                await admin.close()
            [found] = topic["partitions"]
            if len(found["isr"]) == cluster.size:
                return cluster.nodes[int(found["leader"]) - 1]
            await asyncio.sleep(0.1)


def a_record(number: int) -> Record:
    now = datetime.now(UTC)
    return Record(
        id=f"s{number}", time=now, source="test", actor="test", correlation_id="c",
        causation_id=None, condition={campaign_stream(1): number},
        facts=(CampaignPaused(campaign_id=1, reason=None, paused_at=now),),
    )  # fmt: skip


class Reading:
    """What a follower has had, by the records' ids."""

    def __init__(self, log: KafkaLog) -> None:
        self.ids: list[str] = []
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._follow(log))

    async def _follow(self, log: KafkaLog) -> None:
        async for batch in log.batches(AT, 0):
            self.ids += [one.envelope.id for one in batch if isinstance(one.envelope, Envelope)]
            self._more.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(BACK_S_MAX):
            while not true():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def reading(log: KafkaLog) -> AsyncIterator[Reading]:
    one = Reading(log)
    try:
        yield one
    finally:
        one.task.cancel()
        await asyncio.wait([one.task])


async def test_a_silent_leader_is_left_when_the_brokers_have_another(cluster: Cluster) -> None:
    """Appends, followers and the read index; each record is in the log once."""
    async with opened(cluster, "silent.") as log, reading(log) as read:
        for number in range(3):
            await log.append(AT, a_record(number), 1)
        await read.until(lambda: len(read.ids) == 3)
        assert await log.ends([AT]) == {AT: 3}
        leader = await in_sync(cluster, log)
        leader.freeze()
        try:
            await log.append(AT, a_record(3), 1)
            await read.until(lambda: len(read.ids) == 4)
            async with asyncio.timeout(BACK_S_MAX):
                assert await log.ends([AT]) == {AT: 4}
                assert len(await log.read(AT, 0, 10)) == 4
        finally:
            leader.thaw()
        assert await in_sync(cluster, log) is not None
        await log.append(AT, a_record(4), 1)
        await read.until(lambda: len(read.ids) == 5)
        assert read.ids == [f"s{number}" for number in range(5)]
        assert log.unacknowledged == 0


async def test_one_who_begins_beside_a_silent_broker_does_not_wait_for_it(
    cluster: Cluster,
) -> None:
    """Whichever of the named brokers it is: to read the log, and to join the dialers.

    Not to write: a broker without ids for producers asks a silent controller for them, for 30 s.
    """
    async with opened(cluster, "begins.") as log:
        await log.append(AT, a_record(0), 1)
        await in_sync(cluster, log)
    joined = asyncio.Event()
    kafka = Kafka(cluster.servers, "begins.", request_timeout_ms=TIMEOUT_MS)
    before = Membership(kafka, "dialers", lambda _: joined.set())
    await before.open()  # The brokers cannot make their topic of groups while one of them is away.
    async with asyncio.timeout(60):
        await joined.wait()
    await before.close()
    joined.clear()
    member = Membership(kafka, "dialers", lambda _: joined.set())
    silent = random.choice(cluster.nodes)
    silent.freeze()
    try:
        async with (
            asyncio.timeout(BACK_S_MAX),
            opened(cluster, "begins.", read_only=True) as log,
            reading(log) as read,
        ):
            await read.until(lambda: len(read.ids) == 1)
        async with asyncio.timeout(BACK_S_MAX):
            await member.open()
            await joined.wait()
    finally:
        silent.thaw()
        await member.close()


async def test_a_topic_with_fewer_replicas_than_it_could_have_is_warned_of(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that was created while a broker was away: Kafka adds no replica by itself."""
    await all_there(cluster)
    for replication, warned in ((None, False), (2, True)):
        caplog.clear()
        log = KafkaLog(
            cluster.servers, 1, namespace=f"copies{replication}.", replication=replication,
            request_timeout_ms=TIMEOUT_MS,
        )  # fmt: skip
        await log.open()
        await log.close()
        topic = log.kafka.topic(CAMPAIGN_RECORDS)
        assert (f"{topic}: replicas on 2 of 3 brokers" in caplog.text) is warned


async def test_a_leader_that_is_slow_and_stays_is_waited_for_on_the_same_connection(
    cluster: Cluster,
) -> None:
    async with opened(cluster, "slow.") as log, reading(log) as read:
        await log.append(AT, a_record(0), 1)
        await read.until(lambda: len(read.ids) == 1)
        leader = await in_sync(cluster, log)
        leader_before = log._fetcher.leaders.now(AT)
        owing = log.kafka.silence.owing
        known = log._appender._producer.client.cluster  # type: ignore[union-attr]  # It is open.
        number = int(leader.properties["node.id"])
        leader.freeze()
        try:
            await log.append(AT, a_record(1), 1)
            async with asyncio.timeout(BACK_S_MAX):
                while not owing[number]:
                    await asyncio.sleep(0.01)
                doubted_at = known._last_successful_refresh_ms
                while known._last_successful_refresh_ms == doubted_at:  # The others have answered.
                    await asyncio.sleep(0.01)
        finally:
            leader.thaw()
        await read.until(lambda: len(read.ids) == 2)
        assert log._fetcher.leaders.now(AT) == leader_before
        assert log.unacknowledged == 0
        assert read.ids == ["s0", "s1"]
        async with asyncio.timeout(BACK_S_MAX):
            while owing[number]:  # The reader had the record by its acknowledgement: ADR-0013.
                await asyncio.sleep(0.01)
