"""What the log says of campaigns and calls, as the auditor folds it: invariants 2 and 5."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.domain.facts import (
    AnyCallFact,
    AnyCampaignFact,
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
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactExhausted,
    RunEnded,
)
from campaigns.domain.moves import Status
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition
from tests.simulation.faulty_carrier import Placement

BECOMES: dict[type[AnyCampaignFact], Status] = {
    CampaignCreated: Status.DRAFT,
    CampaignScheduled: Status.SCHEDULED,
    CampaignUnscheduled: Status.DRAFT,
    CampaignDue: Status.RUNNING,
    CampaignStarted: Status.RUNNING,
    CampaignPaused: Status.PAUSED,
    CampaignResumed: Status.RUNNING,
    CampaignStopped: Status.CANCELLED,
    CampaignDeleted: Status.CANCELLED,
    CampaignCompleted: Status.COMPLETED,
    CampaignFailed: Status.FAILED,
    CampaignRearmed: Status.DRAFT,
    RunEnded: Status.SCHEDULED,
}
CYCLES = "pause/resume cycles"
Who = tuple[int, int]  # Campaign and contact.


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

    def __init__(self, find: Callable[[int, str], None], dangers: Counter[str]) -> None:
        self.find, self.dangers = find, dangers
        self.permissions: dict[str, Permission] = {}
        self.limits: dict[int, list[int]] = {}  # Campaign → max_attempts, the last one counts.
        self.resumed: dict[int, list[Entry]] = {}  # Campaign → where it was.
        self._status: dict[int, Status] = {}
        self._calling: dict[Who, str] = {}
        self._done: set[Who] = set()
        self._spent: Counter[Who] = Counter()  # Attempts of this run.
        self.rearmed: dict[int, list[int]] = {}  # Campaign → where its runs were over.

    def take(self, entry: Entry) -> None:
        """Take one record in; those that were refused say nothing."""
        for fact in entry.facts:
            match fact:
                case CampaignUpdated():
                    if fact.settings is not None:
                        self.limits[fact.campaign_id].append(fact.settings.max_attempts)
                case ContactExhausted():
                    self._done.add((fact.campaign_id, fact.contact_id))
                    self.dangers["a contact was given up: fewer attempts"] += 1
                case CallRequested():
                    self._requested(fact, entry)
                case CallStarted() | CallAbandoned() | CallEnded() | CallLate():
                    self._call(fact, entry)
                case _:
                    self._moved(fact, entry)

    def _moved(self, fact: AnyFact, entry: Entry) -> None:
        """Take in what changes a campaign's status."""
        if not isinstance(fact, AnyCampaignFact) or (becomes := BECOMES.get(type(fact))) is None:
            return
        campaign_id = fact.campaign_id
        before, self._status[campaign_id] = self._status.get(campaign_id), becomes
        if isinstance(fact, CampaignCreated):
            self.limits[campaign_id] = [fact.settings.max_attempts]
        elif isinstance(fact, CampaignDue):
            self.dangers["a campaign began by itself"] += 1
            if before is not Status.SCHEDULED:
                self.find(2, f"{campaign_id} began, and was not scheduled")
            if fact.started_at < fact.due_at:
                self.find(2, f"{campaign_id} began before its time")
            if fact.rearms:
                self._start_over(campaign_id, entry)
        elif isinstance(fact, CampaignRearmed):
            self._start_over(campaign_id, entry)
        elif isinstance(fact, CampaignResumed):
            self.resumed.setdefault(campaign_id, []).append(entry)
            self.dangers[CYCLES] += before is Status.PAUSED
        if isinstance(fact, CampaignCompleted | RunEnded) and any(
            campaign == campaign_id for campaign, _ in self._calling
        ):
            self.find(5, f"{campaign_id} was over with calls open")

    def _start_over(self, campaign_id: int, entry: Entry) -> None:
        self.rearmed.setdefault(campaign_id, []).append(entry.position)
        self._done = {who for who in self._done if who[0] != campaign_id}
        for who in [who for who in self._spent if who[0] == campaign_id]:
            del self._spent[who]

    def _requested(self, fact: CallRequested, entry: Entry) -> None:
        who = (fact.campaign_id, fact.contact_id)
        if self._status.get(fact.campaign_id) is not Status.RUNNING:
            self.find(2, f"{fact.call_id} was permitted while not running")
        if who in self._calling:
            self.find(5, f"{fact.call_id}: {self._calling[who]} was open")
        if who in self._done:
            self.find(5, f"{fact.call_id}: contact {who} was done")
        if self._spent[who] >= self.limits[fact.campaign_id][-1]:
            self.find(5, f"{fact.call_id}: {who} had {self._spent[who]} attempts")
        self._calling[who] = fact.call_id
        self.permissions[fact.call_id] = Permission(fact, entry)

    def _call(self, fact: AnyCallFact, entry: Entry) -> None:
        who = (fact.campaign_id, fact.contact_id)
        permission = self.permissions.get(fact.call_id)
        if permission is None:
            self.find(5, f"{type(fact).__name__} of {fact.call_id}, never permitted")
            return
        permission.facts.append((fact, entry))
        if entry.envelope.source != permission.entry.envelope.source:
            self.dangers[f"{type(fact).__name__} by another dialer"] += 1
        if isinstance(fact, CallLate):  # Of an earlier run it spends nothing of this one.
            self.dangers["recorded as late"] += 1
            self._spent[who] += (
                permission.entry.position > self.rearmed.get(fact.campaign_id, [0])[-1]
            )
            return
        if self._calling.get(who) != fact.call_id:
            self.find(5, f"{type(fact).__name__} of {fact.call_id}, which is not open")
        if isinstance(fact, CallStarted):
            return
        self._calling.pop(who, None)
        if isinstance(fact, CallAbandoned):
            self.dangers[f"abandoned: {fact.reason.value}"] += 1
        elif isinstance(fact, CallEnded):
            self._spent[who] += 1
            self.dangers[f"ended: {fact.disposition.value}"] += 1
            if fact.retry_at is None:
                self._done.add(who)
