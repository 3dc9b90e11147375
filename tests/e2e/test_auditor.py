"""The auditor finds each kind of violation that `dialgate verify` cannot, in invented runs.

What `verify` finds has a log of its own each: tests/unit/campaigns/test_judge.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.auditor import Json, Report, Ring, judge
from tests.support.client import Pause

BEGAN = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Run:
    """One campaign of two contacts that went well, to be spoilt."""

    lines: list[Json] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)

    def accept(self, kind: str, **fact: Any) -> None:  # Any: JSON.
        data = {"campaign_id": 1, **fact}
        facts = [{"type": f"{kind}.v1", "stream": "", "data": data}]
        at = f"campaign.records/0@{len(self.lines) + 1}"
        record_id = fact.get("call_id", "") if kind == "call-requested" else ""
        self.lines.append({"at": at, "ruling": "accepted", "id": record_id, "facts": facts})

    def call(self, contact_id: int, *, call_id: str | None = None) -> None:
        named: Json = {"contact_id": contact_id, "call_id": call_id or f"c{contact_id}"}
        named |= {"run": 1, "attempt": 1}
        began_at = BEGAN + timedelta(seconds=contact_id)
        self.accept(
            "call-requested", **named, ring_by=(began_at + timedelta(seconds=1)).isoformat()
        )
        self.accept("call-started", **named)
        self.accept("call-ended", **named, disposition="answered")
        nanoseconds = int(began_at.timestamp()) * 10**9
        self.rings.append(
            Ring(named["call_id"], 1, contact_id, 1, 1, f"+{contact_id}", nanoseconds)
        )

    def drop(self, kind: str) -> None:
        """Take the last fact of a kind out."""
        last = max(n for n, line in enumerate(self.lines) if line["facts"][0]["type"] == kind)
        del self.lines[last]

    def judged(self) -> Report:
        return judge(self.lines, self.rings, self.pauses)


def well() -> Run:
    """Return a run in which contact 1 is called before a pause, and contact 2 after it."""
    run = Run()
    run.accept("campaign-created", rows=2, settings={"max_attempts": 1})
    run.accept("campaign-started")
    run.call(1)
    run.accept("campaign-paused")
    run.accept("campaign-resumed")
    run.call(2)
    run.accept("campaign-completed")
    first, second = (ring.began_at_ns for ring in run.rings)
    run.pauses.append(Pause(1, first + 1, second))
    return run


def ring_while_paused(run: Run) -> None:
    run.rings[1] = replace(run.rings[1], began_at_ns=run.rings[1].began_at_ns - 1)


def ring_after_the_last_pause(run: Run) -> None:
    run.pauses.append(Pause(1, run.rings[1].began_at_ns - 1))


def ring_twice(run: Run) -> None:
    run.rings.append(run.rings[0])


def call_one_contact_again(run: Run) -> None:
    completed = run.lines.pop()
    run.call(2, call_id="again")
    run.lines.append(completed)


def lose_an_end(run: Run) -> None:
    run.drop("call-ended.v1")


def lose_a_contact(run: Run) -> None:
    run.lines[0]["facts"][0]["data"]["rows"] = 3


def never_complete(run: Run) -> None:
    run.drop("campaign-completed.v1")


def test_a_run_that_went_well_is_clean() -> None:
    report = well().judged()
    report.assert_clean(rings=2, pauses=1)
    assert (report.permissions, report.ended, report.completed) == (2, 2, 1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (ring_while_paused, "after the pause's 200"),
        (ring_after_the_last_pause, "after the pause's 200"),
        (ring_twice, "rung 2 times"),
        (call_one_contact_again, "contact 1/2 has ended 2 times"),
        (lose_an_end, "contact 1/2 has ended 0 times"),
        (lose_a_contact, "contact 1/3 has ended 0 times"),
        (never_complete, "campaign 1 is resumed in the end"),
    ],
)
def test_a_run_that_was_spoilt_is_not(spoil: Callable[[Run], None], says: str) -> None:
    run = well()
    spoil(run)
    report = run.judged()
    assert any(says in violation for violation in report.violations), report.violations
    with pytest.raises(AssertionError, match="violations in"):
        report.assert_clean()


def test_what_verify_has_found_is_a_violation() -> None:
    run = well()
    report = judge(run.lines, run.rings, run.pauses, ["0@3: invariant 5, call c1: it rang twice"])
    with pytest.raises(AssertionError, match="1 violations in"):
        report.assert_clean()


def test_a_run_in_which_nothing_happened_fails_as_vacuous() -> None:
    with pytest.raises(AssertionError, match="vacuous"):
        judge([], [], []).assert_clean()
