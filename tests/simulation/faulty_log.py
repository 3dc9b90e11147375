"""The log as it can be: slow, silent, forgetful, repetitive, away. Over MemoryLog.

A record that a process has handed over takes its course, also when the process dies.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.domain.facts import CallLate, CampaignCreated, ListClosed
from campaigns.log.port import BATCH_MAX, MemoryLog, OnRefusal
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogUnavailableError, OutcomeUnknownError
from campaigns.records.entry import entry
from campaigns.records.home import LogPlace
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import ORGANIZATIONS, Partition
from tests.simulation.hidden_keys import keys_of
from tests.simulation.plan import Plan
from tests.simulation.processes import Process, SimLoop
from tests.simulation.story import Story

ENDS_WITHIN_S = 5.0  # A question that is not answered by then never is.
LATE_MAX_S = 25.0


@dataclass(frozen=True)
class Handed:
    """One record on its way."""

    record: Record
    by: Process
    at_s: float
    boot_s: float  # By its own clock.


@dataclass
class SimLog:
    """The one log of a world."""

    loop: SimLoop
    plan: Plan
    story: Story
    core: MemoryLog
    dies: Callable[[Process], None]  # Have one that is about to append, or has, make no step more.
    stalled_until_s: float = 0.0
    on_its_way: int = 0
    moved_at_s: float = 0.0  # When a record appeared last.
    appeared_at: dict[tuple[Partition, int], float] = field(default_factory=dict)
    handed: dict[str, Handed] = field(default_factory=dict)  # By record id.
    refused: set[str] = field(default_factory=set)  # Record ids: surely never there.
    given: dict[tuple[str, str], float] = field(
        default_factory=dict
    )  # When each process was given each record, by its clock.
    watchers: list[Callable[[Recorded], None]] = field(default_factory=list)

    def hand_over(
        self, process: Process, partition: Partition, record: Record, after_s: float
    ) -> "asyncio.Future[None]":
        """Have a record appear after a while; the future is its acknowledgement."""
        taken: asyncio.Future[None] = self.loop.create_future()
        self.on_its_way += 1
        self.loop.outside(after_s, self._appear, process, partition, record, taken)
        return taken

    def _appear(
        self,
        process: Process,
        partition: Partition,
        record: Record,
        taken: "asyncio.Future[None]",
    ) -> None:
        if (left_s := self.stalled_until_s - self.loop.true()) > 0:
            after_s = left_s + self.plan.dice("log").uniform(0.0, 0.01)
            self.loop.outside(after_s, self._appear, process, partition, record, taken)
            return
        self.on_its_way -= 1
        recorded = self.core.append_bytes(partition, record.encode())
        now = self.loop.true()
        self.appeared_at[partition, recorded.position] = self.moved_at_s = now
        if process.dead and process.died_at < now:
            self.story.danger("appeared after its sender had died")
        kinds = "+".join(type(fact).__name__ for fact in record.facts)
        self.story.tell("log", "{} {} of {} ({})", recorded.where, kinds, process.name, record.id)
        for watch in self.watchers:
            watch(recorded)
        if not taken.done():
            taken.set_result(None)


class LogPort:
    """The log as one process has it."""

    def __init__(self, world: SimLog, process: Process) -> None:
        self._world, self._process = world, process
        self._subject = f"log {process.name.split('.')[0]}"
        self.list_keys: ListKeys | None = keys_of(world, process.name)

    @property
    def id(self) -> str:
        """Return the log's name."""
        return self._world.core.id

    @property
    def place(self) -> LogPlace:
        """Return where the log is."""
        return self._world.core.place

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return self._world.core.partitions(topic)

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to release."""

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        """Return no trouble: an append raises its own."""
        return ()

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        """Hand a record over, and see what becomes of it.

        Raises:
            UnreadableRecordError: no reader could read it, which every log finds at its door.

        """
        world, plan, subject = self._world, self._world.plan, self._subject
        entry(record, partition, world.core.partitions(partition.topic))
        world.handed[record.id] = Handed(
            record, self._process, world.loop.true(), self._process.clock.boottime()
        )
        soon_s = plan.dice(subject).uniform(0.0003, 0.003)
        late_s = (
            soon_s + plan.dice(subject).choice((0.3, 3.0, LATE_MAX_S)) * plan.dice(subject).random()
        )
        told = self._process.name
        if isinstance(record.facts[-1], CallLate) and plan.strikes("die-telling", subject, 0.6):
            world.story.danger("a dialer died with a CallLate due")
            await self._die()
        if any(isinstance(fact, ListClosed) and fact.counts for fact in record.facts):
            if plan.strikes("long-lists", f"{subject} dies", 0.25):
                created = any(isinstance(fact, CampaignCreated) for fact in record.facts)
                world.story.danger(
                    f"{'a create' if created else 'an addition'} was killed half-way"
                )
                await self._die()
            if plan.strikes("long-lists", f"{subject} waits", 0.25):
                world.story.tell(told, "record {} of a list will be late", record.id)
                world.hand_over(
                    self._process, partition, record, LATE_MAX_S * plan.dice(subject).random()
                )
                return
        if plan.strikes("log-away", subject, 0.02):
            world.story.tell(told, "the log did not take {}", record.id)
            await asyncio.sleep(soon_s)
            raise LogUnavailableError("simulated: away")
        if plan.strikes("log-never", subject, 0.03):
            world.story.tell(told, "record {} will never appear", record.id)
            world.story.danger("never appeared")
            return
        if refused is not None and plan.strikes("log-refused", subject, 0.04):
            world.story.tell(told, "the brokers will refuse record {}", record.id)
            world.story.danger("refused by the brokers")  # Whatever is on its way meanwhile.
            world.refused.add(record.id)
            no = LogUnavailableError("simulated: refused")
            asyncio.get_running_loop().call_later(soon_s, refused, no)
            return
        if plan.strikes("log-twice", subject, 0.04):
            world.hand_over(self._process, partition, record, late_s)
            world.story.danger("appeared twice")
        if plan.strikes("log-late", subject, 0.05):
            world.story.tell(told, "record {} will be late, {:.2f} s", record.id, late_s)
            world.story.danger("appeared late")
            soon_s = late_s
        taken = world.hand_over(self._process, partition, record, soon_s)
        if plan.strikes("die-sending", subject, 0.02):
            await self._die()
        if plan.strikes("log-ack-lost", subject, 0.04):
            world.story.danger("acknowledgement lost")
            await asyncio.sleep(ENDS_WITHIN_S)
            raise OutcomeUnknownError("simulated: acknowledgement lost")
        if plan.dice(subject).random() < 0.5:
            await taken

    async def _die(self) -> None:
        self._world.loop.outside(0.0, self._world.dies, self._process)
        await asyncio.get_running_loop().create_future()

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        """Yield what is there, a while later; some of it again."""
        world, plan, subject = self._world, self._world.plan, self._subject
        dice = plan.dice(f"{subject}/reading")
        async for batch in world.core.batches(partition, after, batch_max=batch_max):
            await asyncio.sleep(dice.uniform(0.0001, 0.001))
            if partition != ORGANIZATIONS and plan.strikes("log-lag", subject, 0.04):
                world.story.danger("a reader lagged behind")
                await asyncio.sleep(dice.choice((0.2, 2.0, 8.0)) * dice.random())
            while (left_s := world.stalled_until_s - world.loop.true()) > 0:
                await asyncio.sleep(left_s + 1e-4)
            first = batch[0].position - 1
            if first and plan.strikes("redeliver", subject, 0.05):
                yield await world.core.read(partition, max(0, first - 3), 3)
            self._note(batch)
            yield batch

    def _note(self, batch: Sequence[Recorded]) -> None:
        """Note when this process has had each record, by its own clock."""
        given, who = self._world.given, self._process.name
        boot_s = self._process.clock.boottime()
        for recorded in batch:
            if isinstance(recorded.envelope, Envelope):
                given.setdefault((who, recorded.envelope.id), boot_s)

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return a stretch of the log."""
        await self._answer()
        return await self._world.core.read(partition, after, limit)

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the read index."""
        await self._answer()
        return await self._world.core.ends(partitions)

    async def _answer(self) -> None:
        world, subject = self._world, self._subject
        await asyncio.sleep(world.plan.dice(subject).uniform(0.0002, 0.001))
        stalled = world.stalled_until_s > world.loop.true()
        if stalled or world.plan.strikes("log-away", f"{subject}/ends", 0.03):
            await asyncio.sleep(ENDS_WITHIN_S)
            raise LogUnavailableError("simulated: no answer")
