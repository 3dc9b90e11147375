"""Shares the partitions among dialers by a consumer group, for the work's sake alone.

Safety never depends on the assignment: during an outage, or a rebalance, two may hold the same
partition, and the log's order decides between them. No record is ever read in here.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from campaigns.errors import LogUnavailableError
from campaigns.kafka_clients import Kafka, hush
from campaigns.kafka_starting import stop
from campaigns.observing import Sparingly
from campaigns.topics import CAMPAIGN_RECORDS

log = logging.getLogger(__name__)
log.addFilter(Sparingly())

_TURN_MS = 1_000  # The client leaves the group when it is not asked for records for minutes.
_RETRY_S = 0.5

OnChange = Callable[[frozenset[int]], None]


@dataclass(eq=False)
class Membership:
    """One member. `on_change` is told which partitions of campaign.records it has now."""

    kafka: Kafka
    group: str
    on_change: OnChange
    session_timeout_s: float = 10.0  # A member that died is replaced after this.
    heartbeat_s: float = 3.0  # Also: how long a member may take to notice another's arrival.
    # Who has the same is the same member, begun again: it takes its work over at once, and need
    # not wait until the one that was killed is missed. None: another member each time.
    member: str | None = None
    assigned: frozenset[int] = field(default=frozenset(), init=False)
    trouble: str | None = field(default=None, init=False)  # Why it is not in the group now.
    _turning: asyncio.Task[None] | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    async def open(self) -> None:
        """Begin to join. Returns before anything is assigned; outages are waited out."""
        hush()
        self._begin()

    def _begin(self) -> None:
        self._turning = asyncio.create_task(self._turn(), name="kafka membership")
        self._turning.add_done_callback(self._ended)

    def _ended(self, turning: asyncio.Task[None]) -> None:
        """Begin anew after a bug, and say it: a dialer without its group would get no work."""
        if not turning.cancelled() and (bug := turning.exception()) is not None:
            self.trouble = f"group {self.group}: {bug!r}"
            log.error("group %s: its task has ended", self.group, exc_info=bug)
            if not self._closed:
                asyncio.get_running_loop().call_later(_RETRY_S, self._begin_again)

    def _begin_again(self) -> None:
        if not self._closed:
            self._begin()

    async def close(self) -> None:
        """Leave the group, so that the others take over at once. Bounded in time."""
        self._closed = True
        if self._turning is not None:
            self._turning.cancel()
            await asyncio.wait([self._turning])
            self._turning = None

    async def _turn(self) -> None:
        while True:
            consumer = self.kafka.consumer(
                group_id=f"{self.kafka.namespace}{self.group}",
                auto_offset_reset="latest",  # Nothing is read: any position will do.
                session_timeout_ms=int(self.session_timeout_s * 1000),
                heartbeat_interval_ms=int(self.heartbeat_s * 1000),
                rebalance_timeout_ms=int(self.session_timeout_s * 1000),
                group_instance_id=self.member,
                partition_assignment_strategy=(StickyPartitionAssignor,),
            )
            try:
                consumer.subscribe(
                    [self.kafka.topic(CAMPAIGN_RECORDS)], listener=_Listener(self, consumer)
                )
                await consumer.start()
                while True:
                    await consumer.getmany(timeout_ms=_TURN_MS)
                    await asyncio.sleep(0)
            except (KafkaError, OSError, TimeoutError, LogUnavailableError) as no:
                # What was assigned stays in work: an outage alone changes nothing.
                self.trouble = f"group {self.kafka.namespace}{self.group}: {no!r}"
                log.warning("group %s: joining again: %r", self.group, no)
                await asyncio.sleep(_RETRY_S)
            finally:
                await _leave(consumer)

    def troubles(self) -> Sequence[str]:
        """Return why it is not in the group."""
        return (self.trouble,) if self.trouble else ()

    def changed(self, assigned: Collection[TopicPartition]) -> None:
        """Tell of a new assignment; the same again is no news."""
        self.trouble = None
        now = frozenset(partition.partition for partition in assigned)
        if now != self.assigned:
            self.assigned = now
            self.on_change(now)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, and leave the group at once: it does not by itself if it has a name."""
    if (coordinator := consumer._coordinator) is not None:
        coordinator._group_instance_id = None
    await stop(consumer)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped.
    def __init__(self, membership: Membership, consumer: AIOKafkaConsumer) -> None:
        self._membership = membership
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Keep what is in work until the new assignment says otherwise."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause them, since nothing is read, and tell."""
        self._consumer.pause(*assigned)
        self._membership.changed(assigned)
