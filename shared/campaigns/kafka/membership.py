"""Distributes the partitions among dialers by a consumer group, to share the work only.

Safety never depends on the assignment: during an outage or a rebalance two dialers may hold the
same partition, and the log's order decides between them. No record is read in here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from campaigns.kafka.carrier_group import Sharing
from campaigns.kafka.clients import Kafka, hush
from campaigns.kafka.lifecycle import stop
from campaigns.process.errors import CarrierMisfitError, LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.topics import CAMPAIGN_RECORDS

logger = logging.getLogger(__name__)
limit_repetitions(logger)

_TURN_MS = 1_000  # The client leaves the group when it is not asked for records for minutes.
_RETRY_S = 0.5
_WORD_HEARTBEATS = 2  # A live group has answered a joining member by then.

OnChange = Callable[[frozenset[int]], None]
OnRefused = Callable[[CarrierMisfitError], None]


@dataclass(eq=False)
class Membership:
    """One member. `on_change` is called with its current partitions of campaign.records."""

    kafka: Kafka
    group: str
    on_change: OnChange
    session_timeout_s: float = 10.0  # A dead member is replaced after this.
    heartbeat_s: float = 3.0  # Also: how long a member may take to notice another's arrival.
    # Static membership: a restarted process with the same id gets its partitions back at once,
    # without waiting for the session timeout. None: a new member each time.
    member: str | None = None
    carrier: Callable[[], str | None] = lambda: None  # Ours, now. None: compatible with all.
    # How much later than we other members may notice that their shared carrier was replaced.
    carrier_check_s: float = 0.0
    on_refused: OnRefused = lambda _: None  # Called once, if the carriers differ for too long.
    assigned: frozenset[int] = field(default=frozenset(), init=False)
    trouble: str | None = field(default=None, init=False)  # Why it is not a member now.
    _turning: asyncio.Task[None] | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    _heard: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _misfit: CarrierMisfitError | None = field(default=None, init=False)
    _ending: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._sharing = Sharing(self.carrier)

    async def open(self) -> None:
        """Begin to join. Waits briefly for the group's answer; an outage is waited out later.

        Raises:
            CarrierMisfitError: the other members use another carrier, and keep it.

        """
        hush()
        self._begin()
        with contextlib.suppress(TimeoutError):  # Then the answer arrives while we run.
            async with asyncio.timeout(_WORD_HEARTBEATS * self.heartbeat_s):
                await self._heard.wait()
        if self._ending is not None:
            await self._settled.wait()
        if self._misfit is not None:
            await self.close()
            raise self._misfit

    def _begin(self) -> None:
        self._turning = asyncio.create_task(self._turn(), name="kafka membership")
        self._turning.add_done_callback(self._ended)

    def _ended(self, turning: asyncio.Task[None]) -> None:
        """Restart after a bug, and report it: a dialer outside its group would get no work."""
        if not turning.cancelled() and (bug := turning.exception()) is not None:
            self.trouble = f"group {self.group}: {bug!r}"
            logger.error("group %s: its task has ended", self.group, exc_info=bug)
            if not self._closed:
                asyncio.get_running_loop().call_later(_RETRY_S, self._begin_again)

    def _begin_again(self) -> None:
        if not self._closed:
            self._begin()

    async def close(self) -> None:
        """Leave the group, so that the others take over at once. Bounded in time."""
        self._closed = True
        self._fits()
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
                partition_assignment_strategy=(self._sharing,),
            )
            try:
                consumer.subscribe(
                    [self.kafka.topic(CAMPAIGN_RECORDS)], listener=_Listener(self, consumer)
                )
                await consumer.start()
                while True:
                    await consumer.getmany(timeout_ms=_TURN_MS)
                    if self._sharing.stale:
                        consumer._coordinator.request_rejoin()  # There is no public way.
                    await asyncio.sleep(0)
            except (KafkaError, OSError, TimeoutError, LogUnavailableError) as exc:
                # Keep the assigned partitions: an outage alone changes nothing.
                self.trouble = f"group {self.kafka.namespace}{self.group}: {exc!r}"
                logger.warning("group %s: joining again: %r", self.group, exc)
                await asyncio.sleep(_RETRY_S)
            finally:
                await _leave(consumer)

    def troubles(self) -> Sequence[str]:
        """Return why it is not a member, or has no partitions."""
        return (self.trouble,) if self.trouble else ()

    def answered(self, assigned: Collection[TopicPartition]) -> None:
        """Process the group's answer: our partitions, or that our carrier is not the group's."""
        self.changed(assigned)
        if (theirs := self._sharing.refused_for) is None:
            self._fits()
        else:
            self._misfits(self._sharing.said, theirs)
        self._heard.set()

    def _fits(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._settled.set()

    def _misfits(self, ours: str | None, theirs: str) -> None:
        """Give the others time to leave, or to notice that the carrier was replaced."""
        misfit = CarrierMisfitError(f"{self.kafka.namespace}{self.group}", ours, theirs)
        self.trouble = str(misfit)
        logger.warning("%s", misfit)
        if self._ending is None and not self._closed:
            self._settled.clear()
            wait_s = self.session_timeout_s + self.carrier_check_s
            self._ending = asyncio.get_running_loop().call_later(wait_s, self._refuse, misfit)

    def _refuse(self, misfit: CarrierMisfitError) -> None:
        self._misfit = misfit
        self._settled.set()
        self.on_refused(misfit)

    def changed(self, assigned: Collection[TopicPartition]) -> None:
        """Report a new assignment; the same one again is not reported."""
        self.trouble = None
        now = frozenset(partition.partition for partition in assigned)
        if now != self.assigned:
            self.assigned = now
            self.on_change(now)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer and leave the group at once, which a static member does not do by itself."""
    if (coordinator := consumer._coordinator) is not None:
        coordinator._group_instance_id = None
    await stop(consumer)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped.
    def __init__(self, membership: Membership, consumer: AIOKafkaConsumer) -> None:
        self._membership = membership
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Keep the partitions until the new assignment replaces them."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause them, since nothing is read, and report them."""
        self._consumer.pause(*assigned)
        self._membership.answered(assigned)
