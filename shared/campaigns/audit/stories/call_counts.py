"""Calls of a stretch of time, counted: a story tells of them in one line. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from campaigns.audit.stories.fact_texts import WHY_ABANDONED
from campaigns.audit.stories.phrases import counted
from campaigns.domain.facts import (
    AnyCallFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    ContactExhausted,
    ContactSkipped,
)


@dataclass(slots=True)
class CallCounts:
    """What became of calls, and how many. As small for a million of them as for one."""

    permitted: int = 0
    begun: int = 0
    late: int = 0  # Should be 0.
    exhausted: int = 0  # Contacts whose attempts were spent when max_attempts was lowered.
    skipped: int = 0  # Contacts that were not called since they were erased.
    ended: Counter[str] = field(default_factory=Counter)  # By disposition.
    abandoned: Counter[str] = field(default_factory=Counter)  # By reason.

    def take(self, fact: AnyCallFact | ContactExhausted | ContactSkipped) -> None:
        """Count one accepted fact."""
        match fact:
            case CallRequested():
                self.permitted += 1
            case CallStarted():
                self.begun += 1
            case CallEnded():
                self.ended[fact.disposition.value] += 1
            case CallAbandoned():
                self.abandoned[fact.reason.value] += 1
            case CallLate():
                self.late += 1
            case ContactExhausted():
                self.exhausted += 1
            case ContactSkipped():
                self.skipped += 1

    def add(self, other: "CallCounts") -> None:
        """Count what another has counted as well."""
        self.permitted += other.permitted
        self.begun += other.begun
        self.late += other.late
        self.exhausted += other.exhausted
        self.skipped += other.skipped
        self.ended.update(other.ended)
        self.abandoned.update(other.abandoned)

    def shape(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "permitted": self.permitted,
            "begun": self.begun,
            "ended": dict(sorted(self.ended.items())),
            "abandoned": dict(sorted(self.abandoned.items())),
            "late": self.late,
            "exhausted": self.exhausted,
            "skipped": self.skipped,
        }

    def text(self) -> str:
        """Return the counts as a sentence."""
        told = []
        if self.permitted:
            told.append(f"{counted(self.permitted, 'call')} permitted")
        if self.begun:
            told.append(f"{self.begun:,} begun")
        if self.ended:
            how = ", ".join(f"{n:,} {name.replace('-', ' ')}" for name, n in _most(self.ended))
            told.append(f"{self.ended.total():,} ended ({how})")
        for name, number in _most(self.abandoned):
            told.append(f"{number:,} not called because {_WHY[name]}")
        if self.exhausted:
            contacts = counted(self.exhausted, "contact")
            told.append(f"{contacts} without a further attempt, max_attempts having been lowered")
        if self.skipped:
            told.append(f"{counted(self.skipped, 'contact')} not called, having been erased")
        if self.late:
            told.append(f"{counted(self.late, 'phone')} rang that should not have")
        sentence = "; ".join(told) or "no call"
        return f"{sentence[0].upper()}{sentence[1:]}."


_WHY = {reason.value: why for reason, why in WHY_ABANDONED.items()}


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the counts, the greatest first; of equal ones, in the order of their names."""
    return sorted(counts.items(), key=lambda named: (-named[1], named[0]))
