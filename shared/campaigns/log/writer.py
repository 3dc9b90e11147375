"""handle(): read, decide, append, retry. The only way for a command's facts into the log."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, assert_never

from campaigns.domain.decider import (
    C,
    Decider,
    Decision,
    Facts,
    Reason,
    Rejected,
    S,
    Stale,
    Unchanged,
)
from campaigns.domain.levels import needed
from campaigns.log.reader import Reader, Ruling
from campaigns.process.clock import Clock
from campaigns.process.errors import LogUnavailableError, OutcomeUnknownError, TooContendedError
from campaigns.process.identifiers import random_id
from campaigns.records.record import AppendCondition, Idempotency, Record
from campaigns.records.topics import Partition

W = TypeVar("W")  # The state that the service folds.


@dataclass(frozen=True, slots=True)
class Origin:
    """The actor that a command comes from, and what caused it."""

    actor: str
    correlation_id: str
    causation_id: str | None = None
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """A recorded command: its place in the log, and whether this try recorded it."""

    ruling: Ruling
    record_id: str
    repeated: bool = False  # An earlier try with the same Idempotency-Key recorded it.


Answer = Handled | Rejected | Unchanged  # How a command ended.
Reread = Callable[[], Awaitable[C | Answer]]  # The command after a new reading, or its answer.


@dataclass
class Tries:
    """The time limit on retries, counted from the first refusal.

    An instance that has just started learns of a refusal only after reading all records before
    it, so it always gets at least one more try, based on what it has read by then.
    """

    clock: Clock
    tries_s: float
    _give_up_at: float | None = None

    def refused(self) -> None:
        """Start the time limit, unless it has started already."""
        if self._give_up_at is None:
            self._give_up_at = self.clock.monotonic() + self.tries_s

    def more(self) -> bool:
        """Say whether one more try is allowed."""
        return self._give_up_at is None or self.clock.monotonic() < self._give_up_at


def unreadable(facts: Facts, level: int) -> Rejected | None:
    """Reject facts that need a higher level than the installation has; None: all can read them.

    Source: ADR-0014.
    """
    if (most := max(map(needed, facts))) <= level:
        return None
    return Rejected(
        Reason.LEVEL_BELOW,
        f"This needs level {most} of the installation, which is at level {level}: an operator"
        " raises it with `dialgate upgrade`, once every process runs this version",
    )


@dataclass
class Writer(Generic[W]):
    """Appends one service's decisions and learns their rulings from the service's own reader."""

    reader: Reader
    folded: W  # The state that decisions read.
    clock: Clock
    source: str
    tries_s: float = 5.0  # How long refused tries are repeated. Source: architecture "commands".
    ruling_s: float = 10.0  # How long to wait for one ruling; then the outcome is unknown.
    catch_up_s: float = 10.0  # How long a rejection may wait for the log's end.
    rereads_s: float = 10.0  # How long a stale command is read again.

    def record(self, facts: Facts, condition: AppendCondition, origin: Origin) -> Record:
        """Return a record of these facts; its time is now."""
        return Record(
            id=random_id(),
            time=self.clock.now(),
            source=self.source,
            actor=origin.actor,
            correlation_id=origin.correlation_id,
            causation_id=origin.causation_id,
            condition=condition,
            facts=facts,
            idempotency=origin.idempotency,
            level=self.reader.installation.level,
        )

    async def append(self, partition: Partition, record: Record, key: int) -> Ruling:
        """Append a record and wait for its ruling.

        Raises:
            LogUnavailableError: the log did not take it, or refused it, or was not asked; the
                record will never be in the log.
            ReadOnlyError: the log is a copy, and takes no changes.
            OutcomeUnknownError: it was not read back in time; it may still take effect.

        """
        if self.reader.torn:  # The condition may count a fact that the decision did not see.
            raise LogUnavailableError(f"{partition}: this process is stopping and decides no more")
        self.reader.home.refuse_copy()
        ruled: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        self.reader.on_ruling[record.id] = lambda ruling: (
            None if ruled.done() else ruled.set_result(ruling)
        )

        def refused(error: LogUnavailableError) -> None:
            if not ruled.done():
                ruled.set_exception(error)

        try:
            async with asyncio.timeout(self.ruling_s):
                await self.reader.log.append(partition, record, key, refused)
                return await ruled
        except TimeoutError as exc:
            raise OutcomeUnknownError(
                f"{partition}: record {record.id} was not read back within {self.ruling_s} s"
            ) from exc
        finally:
            self.reader.on_ruling.pop(record.id, None)

    async def handle(
        self,
        decider: Decider[W, C, S],
        command: C,
        origin: Origin,
        *,
        partition: Partition,
        key: int,
        repeated: Callable[[W], Handled | Rejected | None] = lambda _: None,
        reread: Reread[C] | None = None,
    ) -> Answer:
        """Read, decide and append; repeat for a bounded time while the record is refused.

        Returns the decision's place in the log. `Unchanged` and `Rejected` are returned only if
        they were decided on all that the partition held when the command arrived. `repeated`
        looks in the folded state for an earlier try with the same Idempotency-Key. `reread` reads
        the command's basis again, for deciders that may return `Stale`.

        Raises:
            TooContendedError: every record of the last `tries_s` seconds was refused, or the
                command was stale for `rereads_s` seconds.
            OutcomeUnknownError: the record was not read back in time; it may still take effect.
            LogUnavailableError, NotFreshError: nothing was recorded.

        """
        caught_up = False
        tries, rereads = Tries(self.clock, self.tries_s), None
        while tries.more():
            if (earlier := repeated(self.folded)) is not None:
                return earlier
            # No await between reading and decision: state and versions are of one instant.
            condition = self.reader.ledger(partition).condition(decider.streams(command))
            match self._decide(decider, command):
                case tuple() as facts:
                    record = self.record(facts, condition, origin)
                    ruling = await self.append(partition, record, key)
                    if ruling.accepted:
                        return Handled(ruling, record.id)
                    tries.refused()
                case _ if not caught_up:  # The state may be old: decide again at the log's end.
                    await self.reader.catch_up([partition], within_s=self.catch_up_s)
                    caught_up = True
                case Rejected() | Unchanged() as answer:
                    return answer
                case Stale():
                    rereads = rereads or Tries(self.clock, self.rereads_s)
                    again = await self._reread(decider, command, reread, rereads)
                    if isinstance(again, Answer):
                        return again
                    command, tries = again, Tries(self.clock, self.tries_s)
                case never:
                    assert_never(never)
        raise TooContendedError(f"{partition}: refused for {self.tries_s} s")

    async def preview(
        self,
        decider: Decider[W, C, S],
        command: C,
        *,
        partition: Partition,
        reread: Reread[C] | None = None,
    ) -> Facts | Answer:
        """Return the facts that a command would record now, or its answer.

        Nothing is recorded, and an earlier try is not looked for.

        Raises:
            TooContendedError: the command was stale for `rereads_s` seconds.
            LogUnavailableError, NotFreshError: the log's end could not be reached.

        """
        await self.reader.catch_up([partition], within_s=self.catch_up_s)
        rereads = Tries(self.clock, self.rereads_s)
        while isinstance(decision := self._decide(decider, command), Stale):
            again = await self._reread(decider, command, reread, rereads)
            if isinstance(again, Answer):
                return again
            command = again
        return decision

    def _decide(self, decider: Decider[W, C, S], command: C) -> Decision:
        decision = decider.decide(decider.read(self.folded, command), command)
        if isinstance(decision, tuple):
            return unreadable(decision, self.reader.installation.level) or decision
        return decision

    async def _reread(
        self,
        decider: Decider[W, C, S],
        command: C,
        reread: Reread[C] | None,
        rereads: Tries,
    ) -> C | Answer:
        assert reread is not None, "a decider that may return Stale is handled with `reread`"
        rereads.refused()
        if not rereads.more():
            basis = ", ".join(decider.streams(command))
            raise TooContendedError(f"{basis}: kept changing for {self.rereads_s} s")
        return await reread()
