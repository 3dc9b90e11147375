"""A whole installation: its level and its skipped records. State, fold, decisions. Pure.

Every part folds all of installation.records before it follows anything else (ADR-0014): it has only
tens of records, so no checkpoint of it is kept. Each store is compared with it (`unlike`), so that
a skipped record counts in no store either (ADR-0015).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import orjson

from campaigns.domain.facts import AnyInstallationFact, HomeChosen, LevelRaised, RecordSkipped
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST
from campaigns.domain.values.stream_names import installation_stream
from campaigns.process.errors import LevelBeyondError, LogCutError
from campaigns.records.json_reader import beyond
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import AppendCondition, Envelope
from campaigns.records.topics import Partition

Skipped = Mapping[int, RecordSkipped]  # By position.


@dataclass
class Installation:
    """What was decided for all processes on one log, as of a position of installation.records."""

    level: int = LEVEL_OLDEST  # What may be written: every process reads it.
    position: int = 0
    skipped: dict[Partition, dict[int, RecordSkipped]] = field(default_factory=dict)
    home: HomeChosen | None = None  # None: it has none, since no level 4 was written (ADR-0040).
    records: set[str] = field(default_factory=set)  # The ids of those that count.
    _ledger: Ledger = field(default_factory=Ledger)

    def take(self, recorded: Recorded) -> tuple[AnyInstallationFact, ...]:
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
        decided = tuple(fact for fact in recorded.facts if isinstance(fact, AnyInstallationFact))
        for fact in decided:
            match fact:
                case LevelRaised():
                    self.level = max(self.level, fact.level)
                case RecordSkipped():
                    place = Partition(fact.topic, fact.partition)
                    self.skipped.setdefault(place, {}).setdefault(fact.position, fact)
                case HomeChosen():
                    self.home = fact
        if self.level > LEVEL_NEWEST:
            raise LevelBeyondError(f"{recorded.where}: {beyond(self.level)}")
        return decided

    @property
    def marks(self) -> bytes:
        """Return which records are skipped, in the form that a store keeps."""
        return orjson.dumps(sorted(map(list, self._marks())))

    def _marks(self) -> set[tuple[str, int, int, str]]:
        return {
            (fact.topic, fact.partition, fact.position, fact.digest)
            for some in self.skipped.values()
            for fact in some.values()
        }

    def unlike(self, marks: bytes, positions: Mapping[Partition, int]) -> bool:
        """Say whether a store has passed a record that was skipped since. `marks`: what it kept.

        Raises:
            LogCutError: the store knows of a decision that the log has lost.

        """
        known = {tuple(mark) for mark in orjson.loads(marks)}
        if lost := known - self._marks():
            raise LogCutError(
                f"expected that {min(lost)} is skipped, found no such decision:"
                " installation.records was cut, or is of another log"
            )
        return any(
            position <= positions.get(Partition(topic, number), 0)
            for topic, number, position, _ in self._marks() - known
        )

    def condition(self) -> AppendCondition:
        """Return the condition of a decision that rests on what is folded."""
        return self._ledger.condition([installation_stream()])


def raise_level(installation: Installation, level: int, now: datetime) -> LevelRaised | None:
    """Decide that this level may be written; None: it may already."""
    assert level <= LEVEL_NEWEST, "who raises a level knows it"
    return LevelRaised(level=level, raised_at=now) if installation.level < level else None


def confirm(skipped: RecordSkipped, recorded: Recorded) -> None:
    """Check that a record is the one that was skipped.

    Raises:
        LogCutError: another record is at its position.

    """
    if (found := digest_of(recorded)) != skipped.digest:
        raise LogCutError(
            f"{recorded.where}: expected the record that was skipped ({skipped.digest[:12]}…),"
            f" found another ({found[:12]}…): the log was cut"
        )


def digest_of(recorded: Recorded) -> str:
    """Return the digest that identifies a record's bytes."""
    return sha256(recorded.raw or b"").hexdigest()


def skip_record(
    installation: Installation, recorded: Recorded, reason: str, now: datetime
) -> RecordSkipped | None:
    """Decide that a record counts for no reader; None: it is so already."""
    place = recorded.partition
    if recorded.position in installation.skipped.get(place, {}):
        return None
    return RecordSkipped(
        topic=place.topic,
        partition=place.number,
        position=recorded.position,
        digest=digest_of(recorded),
        reason=reason,
        skipped_at=now,
    )
