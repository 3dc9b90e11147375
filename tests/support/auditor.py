"""An independent auditor: it judges a run by the carrier's record, the log and the answers.

    report = audit(system, client)        # after the run; processes may run or not
    report.assert_clean(rings=100, pauses=3)

Log and ring log are judged by `dialgate verify --rings`, a process of its own. Here is what that
cannot know: when clients had their answers, that every contact was to be called once, and by which
number; and counts, for tests that must not be vacuous. Nothing is taken from a service's store.
`finished=False` when the run was not to end: then what is still open is no violation.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.client import Client, Pause
from tests.support.system import System

Json = dict[str, Any]  # Any: JSON.
LIST_OPEN = "list-still-open"  # A list that a killed process has left is closed after minutes.


@dataclass(frozen=True)
class Ring:
    """One line of the carrier's record."""

    call_id: str
    campaign_id: int
    contact_id: int
    run: int
    attempt: int
    to: str
    began_at_ns: int


@dataclass
class Report:
    """What was found: violations of the promise, and how much there was to judge."""

    violations: list[str] = field(default_factory=list)
    rings: int = 0
    pauses: int = 0  # Answered 200.
    rings_between: int = 0  # … pauses of a campaign: neither before the first nor after the last.
    permissions: int = 0
    abandoned: int = 0
    ended: int = 0
    unknown: int = 0  # … of these: the carrier could not say.
    late: int = 0  # CallLate: a broken promise on the record.
    after_a_pause: int = 0  # Rings between a pause's 200 and the next resume.
    rung_twice: int = 0  # For one attempt.
    lost: int = 0  # Contacts without a final outcome.
    refused: int = 0  # Records that were decided too late.
    foreign: int = 0
    completed: int = 0  # Campaigns.

    def assert_clean(self, *, rings: int = 1, pauses: int = 0) -> None:
        """Fail with what was violated, or when there was too little to judge."""
        shown = "\n".join(self.violations[:20])
        assert not self.violations, f"{len(self.violations)} violations in {self}:\n{shown}"
        assert self.rings >= rings, f"vacuous: expected {rings} rings: {self}"
        assert self.pauses >= pauses, f"vacuous: expected {pauses} pauses: {self}"

    def __str__(self) -> str:
        counts = {n: v for n, v in vars(self).items() if n != "violations"}
        return ", ".join(f"{name} {value}" for name, value in counts.items())


def audit(system: System, client: Client | Sequence[Pause], *, finished: bool = True) -> Report:
    """Judge a run."""
    pauses = client.pauses if isinstance(client, Client) else client
    replayed = system.run("replay", "--json")
    assert replayed.returncode == 0, replayed.stderr
    lines = [json.loads(line) for line in replayed.stdout.splitlines()]
    verified = verify(system, finished=finished)
    return judge(lines, rings_of(system.rings), pauses, verified, finished=finished)


def verify(system: System, *, finished: bool) -> Sequence[str]:
    """Return what `dialgate verify` finds in log and ring log."""
    given = ["--rings", str(system.rings)] if system.rings.exists() else []
    said = system.run("verify", "--json", *given, *(["--at-rest"] if finished else []))
    assert said.returncode in (0, 1), said.stderr
    found = json.loads(said.stdout)
    assert found["ok"] is (said.returncode == 0) is (found["violations_found"] == 0), found
    return [
        f"{one['at']}: invariant {one['invariant']}, call {one['call_id']}: {one['what']}"
        for one in found["violations"]
        if one["kind"] != LIST_OPEN
    ]


def rings_of(path: Path) -> list[Ring]:
    """Read the carrier's record; a line that a kill has cut off is no ring."""
    rings = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        rings.append(Ring(**{name: found[name] for name in Ring.__annotations__}))
    return rings


def judge(
    lines: Iterable[Json],
    rings: Sequence[Ring],
    pauses: Sequence[Pause],
    verified: Sequence[str] = (),
    *,
    finished: bool = True,
) -> Report:
    """Judge by the log as it was replayed, the rings, the pauses, and what `verify` has found."""
    report, log = Report(rings=len(rings), pauses=len(pauses)), _Log()
    for line in lines:
        if line["ruling"] == "accepted":
            for fact in line["facts"]:
                log.fold(fact["type"], fact["data"])
        elif line["ruling"] == "refused":
            report.refused += 1
        else:
            report.foreign += 1
    report.violations += verified
    _count(report, log)
    _judge_rings(report, log, rings)
    _judge_pauses(report, rings, pauses)
    if finished:
        _judge_contacts(report, log)
    return report


class _Log:
    """The accepted facts of calls and lifecycles, folded without the product's own state."""

    def __init__(self) -> None:
        self.requested = 0
        self.of_call: dict[str, list[str]] = defaultdict(list)  # Call → types after its request.
        self.dispositions: dict[str, str] = {}
        self.contacts: Counter[int] = Counter()  # Campaign → how many.
        self.attempts_max: dict[int, int] = {}
        self.ended: Counter[tuple[int, int]] = Counter()  # (campaign, contact) → CallEnded.
        self.skipped: set[tuple[int, int]] = set()  # … that was forgotten while it waited.
        self.running: dict[int, bool] = {}
        self.status: dict[int, str] = {}
        self.paused: Counter[int] = Counter()

    def fold(self, kind: str, fact: Json) -> None:
        """Take one accepted fact in."""
        campaign = int(fact.get("campaign_id", 0))
        match kind:
            case "campaign-created.v1":
                self.contacts[campaign] += fact["rows"]
                self.attempts_max[campaign] = fact["settings"]["max_attempts"]
                self.status[campaign] = "draft"
            case "import-completed.v1":
                self.contacts[campaign] += fact["rows"]
            case (
                "campaign-started.v1"
                | "campaign-resumed.v1"
                | "campaign-paused.v1"
                | "campaign-stopped.v1"
                | "campaign-completed.v1"
                | "campaign-scheduled.v1"
                | "campaign-unscheduled.v1"
                | "campaign-failed.v1"
                | "campaign-rearmed.v1"
                | "campaign-deleted.v1"
            ):
                self.status[campaign] = kind.removeprefix("campaign-").removesuffix(".v1")
            case "campaign-due.v1":
                self.status[campaign] = "started"
            case "run-ended.v1":
                self.status[campaign] = "scheduled"
            case "campaign-updated.v1" if fact["settings"]:
                most = max(self.attempts_max[campaign], fact["settings"]["max_attempts"])
                self.attempts_max[campaign] = most
            case "contact-skipped.v1":
                self.skipped.add((campaign, fact["contact_id"]))
            case "call-requested.v1":
                self.requested += 1
            case "call-started.v1" | "call-abandoned.v1" | "call-ended.v1" | "call-late.v1":
                self.of_call[fact["call_id"]].append(kind)
                if kind == "call-ended.v1":
                    self.ended[campaign, fact["contact_id"]] += 1
                    self.dispositions[fact["call_id"]] = fact["disposition"]


def _count(report: Report, log: _Log) -> None:
    kinds = Counter(kind for of_call in log.of_call.values() for kind in of_call)
    report.permissions = log.requested
    report.abandoned = kinds["call-abandoned.v1"]
    report.ended = kinds["call-ended.v1"]
    report.late = kinds["call-late.v1"]
    report.unknown = Counter(log.dispositions.values())["unknown"]
    report.completed = Counter(log.status.values())["completed"]


def _judge_rings(report: Report, log: _Log, rings: Sequence[Ring]) -> None:
    """Nobody is rung twice for one attempt, and no number more often than contacts may be."""
    attempts = Counter((r.campaign_id, r.contact_id, r.run, r.attempt) for r in rings)
    twice = [f"rung {n} times: {who}" for who, n in attempts.items() if n > 1]
    report.rung_twice, report.violations = len(twice), report.violations + twice
    numbers = Counter((ring.campaign_id, ring.to, ring.run) for ring in rings)
    for (campaign, to, _), count in numbers.items():
        if count > log.attempts_max.get(campaign, 0):
            report.violations.append(f"campaign {campaign}: {to} was rung {count} times")


def _judge_pauses(report: Report, rings: Sequence[Ring], pauses: Sequence[Pause]) -> None:
    """No ring between a pause's answer and the next resume."""
    for pause in pauses:
        for ring in rings:
            if ring.campaign_id != pause.campaign_id or ring.began_at_ns < pause.answered_at_ns:
                continue
            if pause.until_ns is None or ring.began_at_ns < pause.until_ns:
                report.after_a_pause += 1
                after_ms = (ring.began_at_ns - pause.answered_at_ns) / 1e6
                report.violations.append(f"rung {after_ms:.3f} ms after the pause's 200: {ring}")
    for campaign in {pause.campaign_id for pause in pauses}:
        times = [pause.answered_at_ns for pause in pauses if pause.campaign_id == campaign]
        report.rings_between += sum(
            ring.campaign_id == campaign and min(times) < ring.began_at_ns < max(times)
            for ring in rings
        )


def _judge_contacts(report: Report, log: _Log) -> None:
    """Nobody is lost: with one attempt each, every contact's call has ended exactly once.

    Whoever was forgotten while waiting has none.
    """
    for campaign, count in log.contacts.items():
        if log.status[campaign] != "completed":
            report.violations.append(f"campaign {campaign} is {log.status[campaign]} in the end")
        if log.attempts_max[campaign] != 1:
            continue
        for contact in range(1, count + 1):
            wanted = 0 if (campaign, contact) in log.skipped else 1
            if (ends := log.ended[campaign, contact]) != wanted:
                report.lost += not ends
                report.violations.append(f"contact {campaign}/{contact} has ended {ends} times")
