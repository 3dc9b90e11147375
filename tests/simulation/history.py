"""What the log says of campaigns and calls, as the auditor needs it beside answers and true times.

Whether the log itself keeps the promises is judged by the judge of `dialgate verify`: evidence.py.
"""

from collections import Counter
from dataclasses import dataclass, field

from campaigns.domain.facts import (
    AnyCallFact,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignStopped,
    CampaignUpdated,
    ContactExhausted,
)
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition
from tests.simulation.faulty_carrier import Placement

CYCLES = "pause/resume cycles"


@dataclass
class Entry:
    """One record as the rule finds it."""

    partition: Partition
    position: int
    at_s: float
    envelope: Envelope
    accepted: bool
    tags: frozenset[str]
    facts: tuple[AnyFact, ...] = ()


def rang_late(entry: Entry) -> set[int]:
    """Return the campaigns of which a late ring is recorded here."""
    return {fact.campaign_id for fact in entry.facts if isinstance(fact, CallLate)}


@dataclass
class Permission:
    """One accepted CallRequested, and all that became of it."""

    request: CallRequested
    entry: Entry
    facts: list[tuple[AnyCallFact, Entry]] = field(default_factory=list)
    rings: list[Placement] = field(default_factory=list)

    def of(self, *kinds: type[AnyCallFact]) -> list[tuple[AnyCallFact, Entry]]:
        """Return its facts of some kinds."""
        return [(fact, entry) for fact, entry in self.facts if isinstance(fact, kinds)]


class History:
    """The accepted facts, taken in one after the other."""

    def __init__(self, dangers: Counter[str]) -> None:
        self.dangers = dangers
        self.permissions: dict[str, Permission] = {}
        self.limits: dict[int, list[int]] = {}  # Campaign → max_attempts, the last one counts.
        self.resumed: dict[int, list[Entry]] = {}  # Campaign → where it was.
        self.rearmed: dict[int, list[int]] = {}  # Campaign → where its runs were over.
        self._paused: set[int] = set()

    def take(self, entry: Entry) -> None:
        """Take one record in; those that were refused say nothing."""
        for fact in entry.facts:
            match fact:
                case CampaignCreated():
                    self.limits[fact.campaign_id] = [fact.settings.max_attempts]
                case CampaignUpdated():
                    if fact.settings is not None:
                        self.limits[fact.campaign_id].append(fact.settings.max_attempts)
                case ContactExhausted():
                    self.dangers["a contact was given up: fewer attempts"] += 1
                case CallRequested():
                    self.permissions[fact.call_id] = Permission(fact, entry)
                case CallStarted() | CallAbandoned() | CallEnded() | CallLate():
                    self._call(fact, entry)
                case _:
                    self._moved(fact, entry)

    def _moved(self, fact: AnyFact, entry: Entry) -> None:
        """Take in what changes a campaign's status."""
        match fact:
            case CampaignDue():
                self.dangers["a campaign began by itself"] += 1
                if fact.rearms:
                    self.rearmed.setdefault(fact.campaign_id, []).append(entry.position)
            case CampaignRearmed():
                self.rearmed.setdefault(fact.campaign_id, []).append(entry.position)
            case CampaignPaused():
                self._paused.add(fact.campaign_id)
            case CampaignStopped() | CampaignDeleted() | CampaignCompleted():
                self._paused.discard(fact.campaign_id)
            case CampaignResumed():
                self.resumed.setdefault(fact.campaign_id, []).append(entry)
                self.dangers[CYCLES] += fact.campaign_id in self._paused
                self._paused.discard(fact.campaign_id)

    def _call(self, fact: AnyCallFact, entry: Entry) -> None:
        if (permission := self.permissions.get(fact.call_id)) is None:
            return
        permission.facts.append((fact, entry))
        if entry.envelope.source != permission.entry.envelope.source:
            self.dangers[f"{type(fact).__name__} by another dialer"] += 1
        if isinstance(fact, CallLate):
            self.dangers["recorded as late"] += 1
        elif isinstance(fact, CallAbandoned):
            self.dangers[f"abandoned: {fact.reason.value}"] += 1
        elif isinstance(fact, CallEnded):
            self.dangers[f"ended: {fact.disposition.value}"] += 1
