"""For how long is nothing acknowledged when a broker dies, falls silent, or is restarted?

Three brokers; the seconds between two records that succeeded: ours are appended and read back
(what a call waits for), the bare client's are acknowledged. All write to the same partition at
once. The floor is a bare aiokafka producer with our settings; a second one has its own defaults.
`make bench BENCH=failover` takes about five minutes, so it is not among the others.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count, pairwise
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bench.table import Figure, Row, Setup, show
from campaigns.domain.facts import CampaignPaused
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.kafka.clients import Kafka
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.process.errors import LogUnavailableError
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from tests.cluster.brokers import QUICK, Cluster, Node

AT = Partition(CAMPAIGN_RECORDS, 0)
EVERY_S, AGAIN_S, SETTLE_S, GIVE_UP_S = 0.02, 1.0, 1.0, 90.0
KILLED_S_MAX, RESTARTED_S_MAX = 3.0, 1.0  # Source: issue 9.
OURS, BARE, DEFAULTS = "ours", "bare", "defaults"
BROKERS = {  # First Kafka's own values, then those that we advise.
    "9 s": {
        "broker.session.timeout.ms": "9000",
        "broker.heartbeat.interval.ms": "2000",
        "controller.quorum.fetch.timeout.ms": "2000",
        "controller.quorum.election.timeout.ms": "1000",
        "controller.quorum.election.backoff.max.ms": "1000",
        "replica.lag.time.max.ms": "30000",
    },
    "2 s": {**QUICK, "replica.fetch.backoff.ms": "100"},
}


class Writers:
    """Three writers to one partition, one record at a time, and when each was acknowledged."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.came: dict[str, list[float]] = {name: [] for name in (OURS, BARE, DEFAULTS)}
        self._read = asyncio.Event()

    async def ours(self, log: KafkaLog) -> None:
        """Append a record of a campaign, and wait until one is read back."""
        for number in count():
            record = Record(
                id=f"b{number}", time=datetime.now(UTC), source="bench", actor="bench",
                correlation_id="b", causation_id=None, condition={campaign_stream(1): number},
                facts=(CampaignPaused(campaign_id=1, reason=None, paused_at=datetime.now(UTC)),),
            )  # fmt: skip
            self._read.clear()
            with suppress(LogUnavailableError, TimeoutError):
                await log.append(AT, record, 1)
                await asyncio.wait_for(self._read.wait(), AGAIN_S)
            await asyncio.sleep(EVERY_S)

    async def follow(self, log: KafkaLog) -> None:
        """Read; the bare clients' records are no envelopes."""
        async for batch in log.batches(AT, 0):
            if any(isinstance(one.envelope, Envelope) for one in batch):
                self.came[OURS].append(monotonic())
                self._read.set()

    async def bare(self, name: str, producer: AIOKafkaProducer) -> None:
        """Send and await the acknowledgement."""
        while True:
            with suppress(KafkaError):
                await producer.send_and_wait(self.kafka.topic(AT.topic), b"{}", partition=AT.number)
                self.came[name].append(monotonic())
            await asyncio.sleep(EVERY_S)

    async def silence_of(self, happens: Callable[[], Awaitable[object]]) -> dict[str, float]:
        """Return each writer's longest time without a record, until some time after the event."""
        began = monotonic()
        await happens()
        done = monotonic()
        async with asyncio.timeout(GIVE_UP_S):
            while any(not came or came[-1] < done + SETTLE_S for came in self.came.values()):
                await asyncio.sleep(EVERY_S)
        return {
            name: max(later - one for one, later in pairwise(came) if later > began)
            for name, came in self.came.items()
        }


@asynccontextmanager
async def writing(cluster: Cluster) -> AsyncIterator[Writers]:
    """Have all three write until the block ends."""
    log = KafkaLog(cluster.servers, 1)
    await log.open()
    common: dict[str, Any] = {"acks": "all", "enable_idempotence": True}
    same = AIOKafkaProducer(**log.kafka._common(), **common)
    bare = AIOKafkaProducer(bootstrap_servers=cluster.servers, **common)
    await same.start()
    await bare.start()
    writers = Writers(log.kafka)
    tasks = [
        asyncio.create_task(one)
        for one in (
            writers.follow(log),
            writers.ours(log),
            writers.bare(BARE, same),
            writers.bare(DEFAULTS, bare),
        )
    ]
    try:
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.gather(same.stop(), bare.stop(), log.close())


async def in_sync(cluster: Cluster) -> Node:
    """Wait until all replicas are in sync; return the partition's leader."""
    async with asyncio.timeout(GIVE_UP_S):
        while True:
            with suppress(KafkaError, OSError, TimeoutError):
                admin = cluster.kafka().admin()
                try:
                    await admin.start()
                    [topic] = await admin.describe_topics([AT.topic])
                finally:
                    await admin.close()
                [found] = topic["partitions"]
                if len(found["isr"]) == cluster.size:
                    leader: int = found["leader"]
                    return cluster.nodes[leader - 1]
            await asyncio.sleep(0.2)


async def stop(node: Node) -> None:
    """Stop a broker as a restart does: it hands its partitions over first."""
    assert node.process is not None, "running"
    node.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(node.process.wait, GIVE_UP_S)
    node.process = None


async def back(cluster: Cluster, node: Node) -> None:
    """Start it again; return once it has all records."""
    node.spawn()
    await asyncio.to_thread(node.await_answer)
    await in_sync(cluster)


async def killed(node: Node) -> None:
    node.kill()


async def frozen(node: Node) -> None:
    node.freeze()


async def restarted(cluster: Cluster, node: Node) -> None:
    await stop(node)
    await back(cluster, node)


async def measure(session: str) -> list[Row | Figure]:
    """Return what a cluster with this session time-out does."""
    cluster = Cluster(secure=False, extra=BROKERS[session])
    found: dict[str, dict[str, float]] = {}
    try:
        await asyncio.to_thread(cluster.start)
        async with writing(cluster) as writers:
            for name, happens in (("killed", killed), ("silent", frozen), ("stopped", stop)):
                leader = await in_sync(cluster)
                await asyncio.sleep(SETTLE_S)
                found[f"leader {name}"] = await writers.silence_of(lambda: happens(leader))  # noqa: B023
                if leader.process is not None:
                    leader.thaw()
                    await in_sync(cluster)
                else:
                    await back(cluster, leader)
            each = []
            for node in cluster.nodes:
                await in_sync(cluster)
                each.append(await writers.silence_of(lambda: restarted(cluster, node)))  # noqa: B023
            worst = {name: max(one[name] for one in each) for name in writers.came}
            found["rolling restart, the worst of three"] = worst
    finally:
        cluster.stop()
    return [row for case, took in found.items() for row in rows(f"{case}, {session}", case, took)]


def rows(what: str, case: str, took: dict[str, float]) -> list[Row | Figure]:
    """Return our silences beside the bare client's, with our settings and with its own."""
    limit = RESTARTED_S_MAX if "restart" in case else KILLED_S_MAX
    return [
        Row(what, "s", took[OURS], took[BARE], f"≤ {limit:.0f} s", took[OURS] <= limit),
        Figure(f"{what}: a bare client with its defaults", "s", took[DEFAULTS]),
    ]


def main() -> None:
    """Measure with Kafka's default session time-out, and with the one that we advise."""
    for session in BROKERS:
        setup = Setup("a writer and a reader", "Kafka, three brokers", "brokers, floor")
        show(f"failover, session {session}", asyncio.run(measure(session)), setup)


if __name__ == "__main__":
    main()
