"""What operators do in a world: they raise its level, and skip a record.

A stranger writes one record. No service reads it, and all stop at it; or all read it, as a newer
build may. Then an operator skips it, and it must have counted nowhere.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from campaigns.domain.facts import AnyInstallationFact, ContactsAdded, RecordSkipped
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.rows import Row
from campaigns.process.errors import ContractError, SkippedMeanwhileError
from campaigns.records.installation import Installation, raise_level, skip_record
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import INSTALLATION, Partition, campaign_partitions
from campaigns.testing.sample_records import NOON
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import Slot, World

SKIPPED_WITHIN_S = (0.3, 3.0)  # Sooner than a world is looked at once its faults have ended.
AGAIN_S = (0.05, 0.5)  # A supervisor starts again what has ended.
STOPS_MAX = 200  # With more of them in one world no service gets past the record.
UNREADABLE = "is not as agreed"


class Operators:
    """Those of one world. What they do is drawn by dice of their own."""

    def __init__(self, world: "World") -> None:
        self._world, self._dice = world, Random(f"{world.seed}/operators")
        self.raised_at_s = 0.0  # Records may be of the newest level from this time on.
        self.skipped: dict[Partition, dict[int, RecordSkipped]] = {}  # They count for none.
        self._stops = 0
        self._draw()

    def _draw(self) -> None:
        """Draw what will be decided, and when: before any service begins."""
        world, dice = self._world, self._dice
        until_s = max(1.0, world.plan.until_s)
        old, poison = dice.random() < 0.3, dice.random() < 0.25
        raised_s, poisoned_s = dice.uniform(0.0, until_s), dice.uniform(0.3, until_s)
        if old:  # Something stands in it, and it does not say which level it is of.
            world.log.core.append_bytes(INSTALLATION, b"{}")
            self.raised_at_s = float("inf")
            world.loop.outside(raised_s, self._raise)
        if poison:
            world.loop.outside(poisoned_s, self._poison)

    def _decide(
        self, decide: Callable[[Installation], AnyInstallationFact | None]
    ) -> AnyInstallationFact:
        installation = Installation()
        for recorded in self._world.log.core._records[INSTALLATION]:
            installation.take(recorded)
        fact = decide(installation)
        assert fact is not None, "it is not so already"
        made = Record(fact.TYPE, NOON, "t", "t", "t", None, installation.condition(), (fact,))
        self._world.log.core.append_bytes(INSTALLATION, made.encode())
        return fact

    def _raise(self) -> None:
        self._decide(lambda now: raise_level(now, LEVEL_NEWEST, NOON))
        self.raised_at_s = self._world.loop.true()
        self._world.story.danger("the level was raised under way")

    def _poison(self) -> None:
        world, dice = self._world, self._dice
        partition = dice.choice(campaign_partitions(world.plan.shape.partitions))
        number = UUID(int=dice.getrandbits(128)).hex
        rows = (Row(phone_number="+15550001000"),)
        fact = ContactsAdded(import_id=number, first_row=1, rows=rows)
        raw = Record(number, NOON, "t", "t", "t", None, {fact.stream: 0}, (fact,)).encode()
        if unreadable := dice.random() < 0.5:
            raw = raw.replace(b'"rows":', b'"lines":')
        recorded = world.log.core.append_bytes(partition, raw)
        kind = "that nobody reads" if unreadable else "that this build reads"
        world.story.tell("stranger", "{}: a record {}", recorded.where, kind)
        world.story.danger(f"a stranger's record {kind}")
        world.loop.outside(dice.uniform(*SKIPPED_WITHIN_S), self._skip, recorded)

    def _skip(self, recorded: Recorded) -> None:
        self._world.story.tell("operator", "skips {}", recorded.where)
        fact = self._decide(lambda now: skip_record(now, recorded, "it stops us", NOON))
        assert isinstance(fact, RecordSkipped), "as decided"
        self.skipped.setdefault(recorded.partition, {})[recorded.position] = fact

    # -- services that end because of it --------------------------------------------------------

    def foreseen(self, no: BaseException) -> bool:
        """Say whether a service ends as it should: at the record, or since it was skipped."""
        if isinstance(no, BaseExceptionGroup):
            return all(map(self.foreseen, no.exceptions))
        if isinstance(no, SkippedMeanwhileError):
            self._world.story.danger("a service began anew since a record was skipped")
            return True
        return isinstance(no, ContractError) and UNREADABLE in str(no) and self._stopped()

    def _stopped(self) -> bool:
        self._stops += 1
        self._world.story.danger("a service stopped at a record that nobody reads")
        return self._stops <= STOPS_MAX

    def again(self, slot: "Slot", process: Process) -> None:
        """Have a service begun again after a while, as a supervisor does."""
        self._world.loop.outside(self._dice.uniform(*AGAIN_S), self._again, slot, process)

    def _again(self, slot: "Slot", process: Process) -> None:
        if slot.process is process and not process.dead:
            if not process.running:  # Its machine is held, and the supervisor with it.
                self.again(slot, process)
                return
            self._world._kill(slot)
            self._world._begin(slot)
