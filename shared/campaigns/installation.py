"""What holds for a whole installation: its level. State, fold and decisions. Pure.

Every part folds all of installation.records before it follows anything else (ADR-0014): they are
tens of records, and nobody keeps a checkpoint of them.
"""

from dataclasses import dataclass, field
from datetime import datetime

from campaigns.errors import LevelBeyondError
from campaigns.facts import InstallationEvent, LevelRaised, installation_stream
from campaigns.ledger import Ledger
from campaigns.levels import LEVEL_NEWEST, LEVEL_OLDEST
from campaigns.record import AppendCondition, Envelope, Recorded, beyond


@dataclass
class Installation:
    """What was decided for all processes on one log, as of a position of installation.records."""

    level: int = LEVEL_OLDEST  # What may be written: every process reads it.
    position: int = 0
    records: set[str] = field(default_factory=set)  # The ids of those that count.
    _ledger: Ledger = field(default_factory=Ledger)

    def take(self, recorded: Recorded) -> tuple[InstallationEvent, ...]:
        """Rule on the next record and fold it; return what it has changed.

        Raises:
            LevelBeyondError: this build is too old for the level of the installation.
            ContractError: a decision that this build does not know.

        """
        if recorded.position <= self.position:
            return ()
        envelope = recorded.envelope
        self.position = recorded.position
        if not isinstance(envelope, Envelope) or not self._ledger.admit(envelope):
            return ()
        self.records.add(envelope.id)
        decided = tuple(fact for fact in recorded.facts if isinstance(fact, InstallationEvent))
        for fact in decided:
            self.level = max(self.level, fact.level)
        if self.level > LEVEL_NEWEST:
            raise LevelBeyondError(f"{recorded.where}: {beyond(self.level)}")
        return decided

    def condition(self) -> AppendCondition:
        """Return the condition of a decision that rests on what is folded."""
        return self._ledger.condition([installation_stream()])


def raise_level(installation: Installation, level: int, now: datetime) -> LevelRaised | None:
    """Decide that this level may be written from now on; None: it may already."""
    assert level <= LEVEL_NEWEST, "who raises a level knows it"
    return LevelRaised(level=level, raised_at=now) if installation.level < level else None
