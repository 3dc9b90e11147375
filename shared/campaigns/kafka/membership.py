"""Shares the partitions among dialers by a consumer group, for the work's sake alone.

Safety never depends on the assignment: during an outage, or a rebalance, two may hold the same
partition, and the log's order decides between them. No record is ever read in here.
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
_WORD_HEARTBEATS = 2  # A group that lives has answered who joins by then.

OnChange = Callable[[frozenset[int]], None]
OnRefused = Callable[[CarrierMisfitError], None]


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
    carrier: Callable[[], str | None] = lambda: None  # Ours, now. None: fits all others.
    # How much later than we others may notice that the carrier they share is another one.
    carrier_check_s: float = 0.0
    on_refused: OnRefused = lambda _: None  # Told once, when others have had another too long.
    assigned: frozenset[int] = field(default=frozenset(), init=False)
    trouble: str | None = field(default=None, init=False)  # Why it is not in the group now.
    _turning: asyncio.Task[None] | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    _heard: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _misfit: CarrierMisfitError | None = field(default=None, init=False)
    _ending: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._sharing = Sharing(self.carrier)

    async def open(self) -> None:
        """Begin to join. Waits a moment for the group's word; outages are waited out later.

        Raises:
            CarrierMisfitError: the others have another carrier, and keep it.

        """
        hush()
        self._begin()
        with contextlib.suppress(TimeoutError):  # It is told while we run, then.
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
        """Begin anew after a bug, and say it: a dialer without its group would get no work."""
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
                # What was assigned stays in work: an outage alone changes nothing.
                self.trouble = f"group {self.kafka.namespace}{self.group}: {exc!r}"
                logger.warning("group %s: joining again: %r", self.group, exc)
                await asyncio.sleep(_RETRY_S)
            finally:
                await _leave(consumer)

    def troubles(self) -> Sequence[str]:
        """Return why it is not in the group, or has no work in it."""
        return (self.trouble,) if self.trouble else ()

    def answered(self, assigned: Collection[TopicPartition]) -> None:
        """Take the group's word: what we have, or that our carrier is not the group's."""
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
        """Give the others the time to leave, or to notice that the carrier was exchanged."""
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
        self._membership.answered(assigned)
