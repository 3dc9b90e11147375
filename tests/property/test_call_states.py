"""The states of a call: every combination in the table is reached, and no other."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    Disposition,
)
from dialer.calls.call import Names
from dialer.calls.call_states import Late, Logged, Said, combinations
from dialer.calls.inputs import Answered, LookedUp, Reported
from dialer.carrier.port import Elsewhere, Ended, Found, NoRing, NotFound, Placed, RefusedLate, Rung
from dialer.carrier.validation import DAY_S
from tests.unit.dialer.rig import CARRIER_TIMEOUT_S, LEASE_S, Rig

OVER_S = LEASE_S + CARRIER_TIMEOUT_S
Stand = tuple[Logged, Said, Late]


class Case:
    """One call of a real reactor, and what the log and the carrier say of it, whatever it wants."""

    def __init__(self) -> None:
        self.rig = Rig(refuses_late=False)
        (self.offer,) = self.rig.running()
        (self.call,) = self.rig.state.calls.values()

    @property
    def stands(self) -> Stand:
        return self.call.logged, self.call.said, self.call.late


Step = Callable[[Case], object]


def folded(facts: Callable[[Names, datetime], Sequence[AnyFact]]) -> Step:
    """Let the log have facts of the call, from any dialer."""

    def step(case: Case) -> object:
        case.rig.write(*facts(case.call.names(), case.rig.now))
        return case.rig.react()

    return step


def abandoned(reason: Abandonment) -> Step:
    return folded(lambda of, at: [CallAbandoned(**of, reason=reason, abandoned_at=at)])


def ended(how: Disposition) -> Step:
    return folded(
        lambda of, at: [
            CallEnded(**of, disposition=how, duration_s=0, error=None, retry_at=None, ended_at=at)
        ]
    )


def late(of: Names, at: datetime) -> Sequence[AnyFact]:
    return [CallLate(**of, attempts=1, detail="late", late_at=at)]


def rang_late(of: Names, at: datetime) -> Sequence[AnyFact]:
    back = CallAbandoned(**of, reason=Abandonment.RANG_LATE, abandoned_at=at)
    return [back, *late(of, at)]


def looked_up(found: Found | None) -> Step:
    return lambda case: case.rig.react(LookedUp(case.call.call_id, case.rig.boot, found, "ours"))


def answered(answer: Placed | None) -> Step:
    return lambda case: case.rig.react(Answered(case.call.call_id, answer))


def rings(late_s: float) -> Step:
    """Let the carrier say, when both clocks are past it, that a phone rings since then."""

    def step(case: Case) -> object:
        case.rig.passes(max(late_s, 0.0) + OVER_S)
        began_at = case.call.ring_by + timedelta(seconds=late_s)
        return looked_up(Rung(began_at))(case)

    return step


def over(late_s: float) -> Step:
    def step(case: Case) -> object:
        case.rig.passes(max(late_s, 0.0) + OVER_S)
        at = case.call.ring_by + timedelta(seconds=late_s)
        return case.rig.react(Reported(case.call.call_id, Ended(at, at, Disposition.ANSWERED, 0.0)))

    return step


def a_day(case: Case) -> object:
    case.rig.passes(DAY_S + 1)
    return looked_up(None)(case)


WORDS: dict[str, Step] = {
    "rings in time": rings(-1.0),
    "rings too late": rings(60.0),
    "over, in time": over(-1.0),
    "over, too late": over(60.0),
    "no ring": looked_up(NoRing("no")),
    "no ring, by its answer": answered(NoRing("no")),
    "refused late": looked_up(RefusedLate()),
    "not found": looked_up(NotFound()),
    "elsewhere": answered(Elsewhere()),
    "silent": answered(None),
    "silent for a day": a_day,
}
FACTS: dict[Logged, dict[str, Step]] = {  # What the rule lets through.
    Logged.ASKED: {"CallRequested": lambda case: case.rig.accept(case.offer)},
    Logged.PERMITTED: {
        "CallStarted": folded(lambda of, at: [CallStarted(**of, started_at=at)]),
        "CallAbandoned": abandoned(Abandonment.NOT_PLACED),
        "CallAbandoned and CallLate": folded(rang_late),
        "CallEnded, failed": ended(Disposition.FAILED),
        "CallEnded, unknown": ended(Disposition.UNKNOWN),
    },
    Logged.STARTED: {
        "CallEnded, answered": ended(Disposition.ANSWERED),
        "CallEnded, unknown": ended(Disposition.UNKNOWN),
    },
    Logged.ENDED: {},
    Logged.UNRUNG: {"CallLate": folded(late)},
    Logged.UNKNOWN: {"CallLate": folded(late)},
}


def steps(stands: Stand) -> dict[str, Step]:
    logged = stands[0]
    return FACTS[logged] if logged is Logged.ASKED else FACTS[logged] | WORDS


def reached() -> dict[Stand, list[str]]:
    """Return where calls come to stand, by whatever may happen, and one way to get there."""
    first = Case().stands
    ways: dict[Stand, list[str]] = {first: []}
    paths: dict[Stand, list[Step]] = {first: []}
    left = [first]
    while left:
        before = left.pop(0)
        for name, step in steps(before).items():
            case = Case()
            for earlier in (*paths[before], step):
                earlier(case)
            if case.stands not in ways:
                ways[case.stands] = [*ways[before], name]
                paths[case.stands] = [*paths[before], step]
                left.append(case.stands)
    return ways


def test_a_call_can_stand_as_the_table_says_and_not_otherwise() -> None:
    ways = reached()
    legal = set(combinations())
    assert {stand: way for stand, way in ways.items() if stand not in legal} == {}
    assert legal - set(ways) == set(), "what nothing leads to is not in the table"
