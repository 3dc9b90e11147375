"""The auditor finds each kind of violation, in invented runs."""

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


def permit_while_paused(run: Run) -> None:
    run.drop("campaign-resumed.v1")


def ring_without_a_permission(run: Run) -> None:
    run.rings.append(replace(run.rings[0], call_id="nobody's", contact_id=3, to="+3"))


def ring_for_another(run: Run) -> None:
    run.rings[1] = replace(run.rings[1], contact_id=3)


def ring_after_its_time(run: Run) -> None:
    run.rings[1] = replace(run.rings[1], began_at_ns=run.rings[1].began_at_ns + 2 * 10**9)


def ring_twice(run: Run) -> None:
    run.rings.append(run.rings[0])


def call_one_contact_again(run: Run) -> None:
    completed = run.lines.pop()
    run.call(2, call_id="again")
    run.lines.append(completed)


def lose_an_end(run: Run) -> None:
    run.drop("call-ended.v1")


def end_twice(run: Run) -> None:
    run.lines.append(run.lines[4])


def give_back_what_rang(run: Run) -> None:
    run.drop("call-ended.v1")
    run.accept("call-abandoned", call_id="c2", contact_id=2)


def begin_what_rang_nowhere(run: Run) -> None:
    run.rings.pop()


def lose_a_contact(run: Run) -> None:
    run.lines[0]["facts"][0]["data"]["rows"] = 3


def never_complete(run: Run) -> None:
    run.drop("campaign-completed.v1")


def ring_late_on_the_record(run: Run) -> None:
    run.accept("call-late", call_id="c2", contact_id=2)


def test_a_run_that_went_well_is_clean() -> None:
    report = well().judged()
    report.assert_clean(rings=2, pauses=1)
    assert (report.permissions, report.ended, report.completed) == (2, 2, 1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (ring_while_paused, "after the pause's 200"),
        (ring_after_the_last_pause, "after the pause's 200"),
        (permit_while_paused, "permitted while campaign 1 is paused"),
        (ring_without_a_permission, "rung without a permission"),
        (ring_for_another, "rung for (1, 3, 1, 1), permitted for (1, 2, 1, 1)"),
        (ring_after_its_time, "rung after 2030"),
        (ring_twice, "rung 2 times"),
        (call_one_contact_again, "contact 1/2 has ended 2 times"),
        (lose_an_end, "call c2 was resolved as {'call-started.v1': 1}"),
        (end_twice, "call c1 was resolved as"),
        (give_back_what_rang, "call c2 rang and was given back"),
        (begin_what_rang_nowhere, "call c2 began in the log and rang nowhere"),
        (lose_a_contact, "contact 1/3 has ended 0 times"),
        (never_complete, "campaign 1 is resumed in the end"),
        (ring_late_on_the_record, "1 calls rang late"),
    ],
)
def test_a_run_that_was_spoilt_is_not(spoil: Callable[[Run], None], says: str) -> None:
    run = well()
    spoil(run)
    report = run.judged()
    assert any(says in violation for violation in report.violations), report.violations
    with pytest.raises(AssertionError, match="violations in"):
        report.assert_clean()


def test_a_run_in_which_nothing_happened_fails_as_vacuous() -> None:
    with pytest.raises(AssertionError, match="vacuous"):
        judge([], [], []).assert_clean()
