"""The only read loop: follow, admit, fold, checkpoint. Each service brings its own fold.

It crashes rather than skips: an exception in a step ends the loop and the process, and a restart
resumes from the checkpoint. `step` is synchronous so that nothing interleaves with a fold.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from campaigns.domain.facts import RecordSkipped
from campaigns.log.counts import Counts
from campaigns.log.digest import Chain, check, compare, reread_after
from campaigns.log.installation_log import whole
from campaigns.log.lag import Behind
from campaigns.log.port import EventLog
from campaigns.log.residence import Residence
from campaigns.log.waiters import PositionWaiters
from campaigns.process.errors import LogUnavailableError, NotFreshError, SkippedMeanwhileError
from campaigns.process.watch import lasting
from campaigns.records.installation import Installation, confirm
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Foreign
from campaigns.records.steps import bounded
from campaigns.records.topics import INSTALLATION, Partition


class Fold(Protocol):
    """A service's state, built from the accepted facts."""

    def fold(self, recorded: Recorded) -> None:
        """Fold the facts of one accepted record. Total: what is recorded has happened."""
        ...

    def folded(self, partition: Partition, position: int) -> None:
        """Note the end of a batch: the time to store the state and to act on it."""
        ...


@dataclass(frozen=True, slots=True)
class Ruling:
    """How the rule decided on one of our records."""

    accepted: bool
    partition: Partition
    position: int

    @property
    def at(self) -> str:
        """Return the position in the form used in responses: `partition@position`."""
        return f"{self.partition.number}@{self.position}"


@dataclass
class Reader:
    """One service's progress through the log: ledgers, positions, digests and waiters."""

    log: EventLog
    fold: Fold
    ledgers: dict[Partition, Ledger] = field(default_factory=partial(defaultdict, Ledger))
    positions: dict[Partition, int] = field(default_factory=dict)
    chains: dict[Partition, Chain] = field(default_factory=partial(defaultdict, Chain))
    behind: Behind = field(default_factory=Behind)  # How far it is behind, for metrics.
    counts: Counts = field(default_factory=Counts)
    # A step failed midway: the state in memory must not be stored or decided on.
    torn: bool = False
    installation: Installation = field(default_factory=Installation)  # Read before all others.
    on_ruling: dict[str, Callable[[Ruling], None]] = field(default_factory=dict)  # By record id.
    # Awaited after each step of a partition; by then, the waiters that the step woke may run.
    rest: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
    # What waiters wait for: `positions` itself, unless the fold stores a batch after its step.
    visible: dict[Partition, int] = field(init=False)
    waiters: PositionWaiters = field(default_factory=PositionWaiters)
    home: Residence = field(default_factory=Residence)
    _begun: bool = False

    def __post_init__(self) -> None:
        self.visible = self.positions

    def stores_later(self) -> None:
        """Let `shown` say from now on which positions are visible, instead of the end of a step."""
        self.visible = dict(self.positions)

    def ledger(self, partition: Partition) -> Ledger:
        """Return the partition's ledger as of this reader's position."""
        return self.ledgers[partition]

    async def begin(self, installation: Installation | None = None) -> None:
        """Read the installation's level and skipped records, before restoring or following.

        `installation`: the result, if another part of this process has already read it.

        Raises:
            LevelBeyondError: this build is too old for this installation.
            LogUnavailableError: the log does not answer.

        """
        self.installation, self._begun = installation or await whole(self.log), True
        self.home.settle(self.installation, self.log)

    def chain(self, partition: Partition) -> Chain:
        """Return the partition's digest as of this reader's position."""
        return self.chains[partition]

    async def check(self) -> None:
        """Verify that the log still contains what was folded, before answering requests.

        Raises:
            LogCutError: the log was cut, and may have grown again.
            LogUnavailableError: it could not be read in time.

        """
        for one, position in self.positions.items():
            skipped = self.installation.skipped.get(one, {})
            await check(self.log, one, position, self.chain(one), self.ledger(one), skipped)

    async def follow(self, partitions: Collection[Partition]) -> None:
        """Follow these partitions indefinitely, each from its checkpoint.

        Raises:
            ContractError: a record has a fact that this version does not know.
            LevelBeyondError: the level was raised beyond what this version knows.
            SkippedMeanwhileError: a record was skipped that the fold may have counted.
            LogCutError: the log has lost records that were already folded.

        """
        if not self._begun:
            await self.begin()
        async with asyncio.TaskGroup() as tasks:
            watching = f"follow {INSTALLATION}"
            tasks.create_task(lasting(self._watch, watching), name=watching)
            for partition in partitions:
                name = f"follow {partition}"
                tasks.create_task(lasting(partial(self._follow, partition), name), name=name)

    async def _watch(self) -> None:
        async for batch in self.log.batches(INSTALLATION, self.installation.position):
            for recorded in batch:
                for fact in self.installation.take(recorded):
                    if isinstance(fact, RecordSkipped):
                        self.torn = True  # The fold may have counted it: decide nothing on it.
                        raise SkippedMeanwhileError(
                            f"{fact.topic}/{fact.partition}@{fact.position} was skipped: this"
                            " process restarts and passes over it"
                        )
                self.home.settle(self.installation, self.log)

    async def _follow(self, partition: Partition) -> None:
        self.positions.setdefault(partition, 0)
        after = reread_after(self.chain(partition), self.positions[partition])
        async for batch in self.log.batches(partition, after):
            for some in bounded(batch):
                self.step(partition, some)
                await self.rest()

    def step(self, partition: Partition, batch: Sequence[Recorded]) -> None:
        """Rule on a batch and fold the accepted records.

        Redelivery is normal: such a record is compared, as far as the state depends on it.

        Raises:
            LogCutError: a record that was accepted, or refused, has been replaced.
            ContractError: a record has a fact that this version does not know. The ledger may
                have counted it and the fold may be half done: the reader is `torn`.

        """
        try:
            self._step(partition, batch)
        except BaseException:
            self.torn = True
            raise

    def _step(self, partition: Partition, batch: Sequence[Recorded]) -> None:
        ledger, chain, counts = self.ledger(partition), self.chain(partition), self.counts
        skipped = self.installation.skipped.get(partition, {})
        done, on_ruling, fold = self.positions.get(partition, 0), self.on_ruling, self.fold.fold
        try:
            for recorded in batch:
                position = recorded.position
                if position <= done:
                    compare(chain, ledger, skipped, recorded)
                    continue
                if position in skipped:  # Treated as refused; it may be unreadable.
                    confirm(skipped[position], recorded)
                    counts.refused += 1
                elif type(envelope := recorded.envelope) is Foreign:  # Cheaper than `isinstance`.
                    counts.foreign += 1
                else:
                    if accepted := ledger.admit(envelope):
                        counts.accepted += 1
                        assert recorded.raw is not None, "a record with an envelope has bytes"
                        chain.accept(position, recorded.raw)
                        fold(recorded)
                    else:
                        counts.refused += 1
                    if on_ruling and (ruled := on_ruling.pop(envelope.id, None)):
                        self.positions[partition] = position  # Whoever is told finds it folded.
                        ruled(Ruling(accepted, partition, position))
                done = position
        finally:
            self.positions[partition] = done
        self.fold.folded(partition, done)
        if self.visible is self.positions:
            self.shown(partition, done)

    def shown(self, partition: Partition, position: int) -> None:
        """Make a position visible, and wake those who wait for it."""
        self.visible[partition] = position
        self.waiters.wake(partition, position)

    async def reached(self, partition: Partition, position: int) -> None:
        """Wait until a position is visible."""
        if self.visible.get(partition, 0) < position:
            await self.waiters.wait(partition, position)

    async def catch_up(self, partitions: Collection[Partition], *, within_s: float) -> None:
        """Wait until the fold includes all that the log held when this was called.

        Raises:
            LogUnavailableError: the log did not report its end in time.
            NotFreshError: the fold did not reach that end in time.

        """
        try:
            async with asyncio.timeout(within_s):
                ends = await self.log.ends(partitions)
                self.behind.ends.update(ends)
                for partition, end in ends.items():
                    await self.reached(partition, end)
        except TimeoutError as exc:
            behind = ", ".join(f"{p}@{self.visible.get(p, 0)}" for p in partitions)
            raise NotFreshError(f"not caught up within {within_s} s, at {behind}") from exc

    async def look(self) -> None:
        """Note the log's current ends and what waits there; raises as `Behind.look`."""
        visible = {one: self.visible.get(one, 0) for one in self.positions}
        await self.behind.look(self.log, visible)

    async def ready(self, partitions: Collection[Partition], *, within_s: float) -> bool:
        """Say whether the log answers and the fold keeps up with it."""
        try:
            await self.catch_up(partitions, within_s=within_s)
        except (LogUnavailableError, NotFreshError):
            return False
        return True
