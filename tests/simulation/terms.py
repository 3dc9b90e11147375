"""The terms that a carrier declares and changes, and what a dialer knows of them.

A dialer asks for terms and time every CHECK_S, as HttpCarrier does, and compares the clocks by its
own mechanism. What it claims in a permission is judged at that instant, by the true clocks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from campaigns.domain.facts import CallRequested
from dialer.carrier.http.carrier_clock import CHECKS_MISSED_MAX, CarrierClock
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.faulty_carrier import SimCarrier

KINDS = frozenset({"terms", "clocks-apart"})  # Of fault: without them the terms never change.
CHECK_S = 2.0
CHANGES_MAX = 4  # Of each kind, in one world.
WITHIN_S = 30.0  # When they begin.
AS_IF_NO_LAG_S = 3.0  # What a carrier lags that declares no lag.
SLACK_S = 0.01  # Clocks drift between two checks.


class Said(NamedTuple):
    """A carrier's answer to a request for its terms."""

    carrier: str
    refuses_late: bool
    lookup_lag_s: float | None
    now: datetime
    at_s: float  # True time.


@dataclass
class Terms:
    """What the carrier of a world declares by now."""

    carrier: "SimCarrier"
    refuses_late: bool
    lookup_lag_s: float | None
    asked: bool  # Dialers ask; else they know it from the beginning, and nothing changes.
    deaf_until_s: float = 0.0
    known: "list[Known]" = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # What permissions claimed, and was not so.
    _changes: list[tuple[float, bool]] = field(default_factory=list)  # When it refused, or not.

    def begin(self) -> None:
        """Have what is drawn happen in its time."""
        self._changes.append((0.0, self.refuses_late))
        self._some("terms", self._change)
        self._some("clocks-apart", self._set_apart)
        self._some("clocks-apart", self._go_deaf)

    def _some(self, kind: str, happens: Callable[[Random], None]) -> None:
        plan, loop = self.carrier.plan, self.carrier.loop
        dice = plan.dice(f"{kind} {happens.__name__}")

        def happen() -> None:
            if plan.now() < plan.until_s:
                plan.struck[kind] += 1
                happens(dice)

        for _ in range(dice.randint(1, CHANGES_MAX) if kind in plan.kinds else 0):
            loop.outside(dice.uniform(0.5, WITHIN_S), happen)

    def _change(self, dice: Random) -> None:
        """Change the declared terms; a shorter lag applies to earlier orders too."""
        story, now_s = self.carrier.story, self.carrier.loop.true()
        if dice.random() < 0.7:
            self.refuses_late = not self.refuses_late
            self._changes.append((now_s, self.refuses_late))
        else:
            others = [lag_s for lag_s in (0.0, 0.5, 6.0, None) if lag_s != self.lookup_lag_s]
            self.lookup_lag_s = dice.choice(others)
            seen_by_s = now_s + self.lag_max_s()
            for placement in (one for each in self.carrier.placements.values() for one in each):
                placement.found_from_s = min(placement.found_from_s, seen_by_s)
        story.tell(
            "carrier", "refuses late rings: {}; lags {} s", self.refuses_late, self.lookup_lag_s
        )
        story.danger("a carrier changed its terms")

    def _set_apart(self, dice: Random) -> None:
        """Set the carrier's clock wrong for a while: by more than some carrier timeouts."""
        carrier, loop = self.carrier, self.carrier.loop
        before_s, off_s = carrier.clock.ahead_s, dice.choice((-1, 1)) * dice.uniform(1.0, 9.0)

        def set_right() -> None:
            if carrier.plan.now() < carrier.plan.until_s:
                carrier.clock.set(before_s)

        carrier.clock.set(off_s)
        carrier.story.tell("carrier", "has its clock set, {:+.2f} s from the true time", off_s)
        loop.outside(dice.uniform(3.0, 15.0), set_right)

    def _go_deaf(self, dice: Random) -> None:
        """Leave requests for terms and time unanswered, for a while."""
        self.deaf_until_s = self.carrier.loop.true() + dice.uniform(4.0, 15.0)
        self.carrier.story.tell("carrier", "says no terms until {:.2f}", self.deaf_until_s)

    def lag_max_s(self) -> float:
        """Return how long look-ups may not see what is taken now: as everybody was told."""
        told = [known.lag_s for known in self.known if not known.process.dead]
        lags = (self.lookup_lag_s, *told)
        return min(AS_IF_NO_LAG_S if lag_s is None else lag_s for lag_s in lags)

    def say(self) -> Said | None:
        """Return the terms; None while such requests are not answered."""
        loop, plan = self.carrier.loop, self.carrier.plan
        if loop.true() < min(self.deaf_until_s, plan.until_s):
            return None
        now = self.carrier.clock.now()
        return Said(self.carrier.id, self.refuses_late, self.lookup_lag_s, now, loop.true())

    def refused_throughout(self, from_s: float, until_s: float) -> bool:
        """Say whether it has refused late rings all the time."""
        before = [refuses for at_s, refuses in self._changes if at_s <= from_s]
        meanwhile = [refuses for at_s, refuses in self._changes if from_s < at_s <= until_s]
        return all([*before[-1:], *meanwhile])

    def seen_weak(self, who: Process, since_boot_s: float, until_boot_s: float) -> bool:
        """Say whether a dialer saw in that time, by its clock, that it cannot rely on a refusal."""
        return any(
            since_boot_s < weak_boot_s <= until_boot_s
            for known in self.known
            if known.process is who
            for weak_boot_s in known.weak_since_boot_s
        )


class Known:
    """What one dialer knows of its carrier: what it was told last, and how the clocks compare."""

    def __init__(self, terms: Terms, process: Process, *, lease_s: float, timeout_s: float) -> None:
        self._terms, self.process, self._timeout_s = terms, process, timeout_s
        self._clock = CarrierClock(
            process.clock, lease_s=lease_s, timeout_s=timeout_s, check_s=CHECK_S
        )
        self._said: Said | None = None
        self._answered_boot_s = float("-inf")
        self._refused = False  # What it read last.
        self.weak_since_boot_s: list[float] = []  # When it read that a refusal is no longer sure.
        self.lag_s: float | None = terms.lookup_lag_s
        if terms.asked:
            terms.known.append(self)

    def take(self, said: Said, asked_boot_s: float) -> None:
        """Take an answer in."""
        self._said, self.lag_s = said, said.lookup_lag_s
        self._answered_boot_s = self.process.clock.boottime()
        self._clock.compare(said.now, asked_boot_s, self._answered_boot_s)

    def _told(self) -> Said | None:
        """Return what the carrier that answers now has said of itself."""
        said = self._said
        return said if said is not None and said.carrier == self._terms.carrier.id else None

    @property
    def refuses_late(self) -> bool:
        """Say whether late rings are refused, and by a clock that may be relied on."""
        if not self._terms.asked:
            return self._terms.refuses_late
        said = self._told()
        refuses = said is not None and said.refuses_late and self.clocks_agree
        if self._refused and not refuses:
            self.weak_since_boot_s.append(self.process.clock.boottime())
        self._refused = refuses
        return refuses

    @property
    def clocks_agree(self) -> bool:
        """Say whether the clocks are known to differ by less than the carrier timeout."""
        return not self._terms.asked or (self._told() is not None and self._clock.agrees)

    @property
    def difference_s(self) -> float | None:
        """Return the carrier's clock minus ours, as measured."""
        return self._clock.difference_s if self._terms.asked else 0.0

    @property
    def lookup_lag_s(self) -> float | None:
        """Return the look-up lag of the carrier that answers now, once it has said it."""
        return self.lag_s if not self._terms.asked or self._told() is not None else None

    def claim(self, request: CallRequested) -> None:
        """Judge what a permission says of the carrier when the dialer decides to ask for it."""
        terms, story = self._terms, self._terms.carrier.story
        if not terms.asked:
            return
        said, theirs, ours = self._told(), terms.carrier.clock, self.process.clock
        compared_at_s = said.at_s if said else float("-inf")
        apart_s = abs((theirs.now() - ours.now()).total_seconds())
        apart = (
            compared_at_s > max(theirs.stepped_at_s, ours.stepped_at_s)
            and apart_s >= self._timeout_s + SLACK_S
        )
        known_s = CHECKS_MISSED_MAX * CHECK_S + self._timeout_s
        unknown = ours.boottime() - self._answered_boot_s > known_s + SLACK_S
        why_not = {
            "a carrier that no longer refuses late rings": said is None or not said.refuses_late,
            "clocks that were measured to differ": apart,
            "clocks that were not compared for long": unknown,
        }
        for why, so in why_not.items():
            if so and request.refuses_late:
                terms.wrong.append(f"{request.call_id} claims to be strict, with {why}")
            elif so:
                story.danger(f"permitted as best effort: {why}")
        if request.refuses_late and not terms.carrier.plan.shape.refuses_late:
            story.danger("permitted as strict by a carrier that did not refuse late rings before")
