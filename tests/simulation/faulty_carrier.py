"""A carrier as carriers are: behind a network, slow, silent, forgetful. It rings as often as asked.

One carrier for all dialers. It keeps its own record of every ring, which is what the auditor
believes; a second request for the same call rings a second time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from campaigns.domain.facts import Disposition
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.port import (
    CallOrder,
    Elsewhere,
    Ended,
    Found,
    NoRing,
    NotFound,
    Placed,
    RefusedLate,
    Report,
    Rung,
    Taken,
)
from tests.simulation.clocks import SimClock
from tests.simulation.plan import Plan
from tests.simulation.processes import Process, SimLoop
from tests.simulation.story import Story
from tests.simulation.terms import CHECK_S, KINDS, Known, Terms
from tests.simulation.told_again import tell_again

RING_MAX_S = 6.0  # Ringing and talk together.
SILENCE_S = 8.0
POISONED = 0.08  # Of all calls, where there is poison.
OPEN_AGAIN_S = 0.2  # Who opens asks for terms until there is an answer.
DISPOSITIONS = (
    *[Disposition.ANSWERED] * 6,
    Disposition.NO_ANSWER,
    Disposition.BUSY,
    Disposition.VOICEMAIL,
    Disposition.FAILED,
)


@dataclass(eq=False)
class Placement:
    """One request that reached the carrier, and what became of it."""

    call: CallOrder
    ring_by: datetime
    by: Process
    taken_at_s: float  # True time, as all that end in _s.
    found_from_s: float  # Look-ups do not see it before.
    state: Found = field(default_factory=Taken)
    began_at_s: float | None = None  # None: it never rang.
    ended_at_s: float = float("inf")
    hung_up: bool = False
    carrier: str = "sim"  # Who rings: it may have been exchanged since.


FAR = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
# What a carrier may say of a call instead of what is so.
NONSENSE: tuple[Callable[[datetime], Any], ...] = (
    lambda at: None,
    lambda at: "ringing",
    lambda at: Rung(FAR),
    lambda at: Rung(FAR.replace(tzinfo=timezone(timedelta(hours=-12)))),
    lambda at: Rung(at.replace(tzinfo=None)),
    lambda at: Ended(at, FAR, Disposition.BUSY, 0.0),
    lambda at: Ended(at, at, Disposition.ANSWERED, float("inf")),
    lambda at: Ended(at, at, Disposition.ANSWERED, 1e308),
    lambda at: Ended(at, at - timedelta(days=1), Disposition.BUSY, 0.0),
    lambda at: NoRing(7),  # type: ignore[arg-type]  # That is the case.
)


@dataclass(frozen=True)
class HeardAnswer:
    """An answer by which a dialer heard that a phone has rung."""

    call_id: str
    who: Process
    at_s: float
    boot_s: float  # By its own clock.
    rings: bool  # It rings now; else it has ended.


@dataclass
class SimCarrier:
    """The one carrier of a world."""

    loop: SimLoop
    plan: Plan
    story: Story
    clock: SimClock
    id: str = "sim"  # Who answers now.
    placements: dict[str, list[Placement]] = field(default_factory=dict)  # By call id.
    told: list[HeardAnswer] = field(default_factory=list)
    asked_to_hang_up: set[str] = field(default_factory=set)
    asked: list[tuple[str, Process, float]] = field(default_factory=list)  # By its own boottime.

    def __post_init__(self) -> None:
        """Declare what the world's plan says."""
        shape, asked = self.plan.shape, not KINDS.isdisjoint(self.plan.kinds)
        self.terms = Terms(self, shape.refuses_late, shape.lookup_lag_s, asked)

    def nonsense(self, call_id: str, where: str, truth: Any) -> Any:  # Any: see NONSENSE.
        """Return what is said of a call: nonsense of some, always."""
        if not self.plan.marked("poison", call_id, POISONED):
            return truth
        self.plan.struck["poison"] += 1
        self.story.danger(f"the carrier spoke nonsense: {where}")
        return Random(f"{self.plan.seed}/{call_id}").choice(NONSENSE)(self.clock.now())

    def exchange(self) -> None:
        """Replace the carrier that answers by one that knows no call; phones ring on."""
        if self.plan.now() < self.plan.until_s:
            self.plan.struck["exchange"] += 1
            self.id += "+"
            self.story.tell("carrier", "is exchanged: now {} answers", self.id)

    def rings(self) -> list[Placement]:
        """Return every ring there was, in order."""
        rung = [p for each in self.placements.values() for p in each if p.began_at_s is not None]
        return sorted(rung, key=lambda one: one.began_at_s or 0.0)

    def arrive(
        self,
        call: CallOrder,
        ring_by: datetime,
        port: "CarrierPort",
        answer: "asyncio.Future[Placed]",
        whom: str,
    ) -> None:
        """Take a request; refuse one that is meant for another carrier, without a ring."""
        if whom != self.id:
            self.story.danger("a request arrived at another carrier than it was for")
            self._send(port, Elsewhere(), answer, call.call_id)
            return
        now, dice = self.loop.true(), self.plan.dice("carrier")
        lag_s = 0.0
        if self.plan.strikes("look-lag", "carrier", 0.5):
            lag_s = dice.uniform(0.0, self.terms.lag_max_s())
        placement = Placement(call, ring_by, port.process, now, now + lag_s, carrier=self.id)
        self.placements.setdefault(call.call_id, []).append(placement)
        if len(self.placements[call.call_id]) > 1:
            self.story.tell("carrier", "is asked AGAIN for {}", call.call_id)
        silent = self.plan.strikes("silent", "carrier", 0.05)
        if self.plan.marked("unplaceable", f"{call.campaign_id}/{call.contact_id}", 0.15):
            self.plan.struck["unplaceable"] += 1
            silent = True
        set_up_s = dice.uniform(0.005, 0.05)
        slow = dice.choice((0.5, 4.0)) * dice.random()
        if self.plan.strikes("place-slow", "carrier/set-up", 0.1):
            set_up_s += slow
        if silent:
            self.placements[call.call_id].remove(placement)
            self.story.danger("the carrier was silent")
            self.story.tell("carrier", "is silent about {}", call.call_id)
            return
        self.loop.outside(set_up_s, self._begin, placement, port, answer)

    def _begin(
        self, placement: Placement, port: "CarrierPort", answer: "asyncio.Future[Placed]"
    ) -> None:
        call_id, now = placement.call.call_id, self.clock.now()
        if placement.hung_up:
            placement.state = NoRing("hung up before it rang")
        elif self.plan.strikes("refuse", "carrier", 0.05):
            placement.state = NoRing("refused")
            self.story.danger("the carrier refused a call")
        elif self.terms.refuses_late and now > placement.ring_by:
            placement.state = RefusedLate()
            self.story.danger("a ring was refused as late")
        else:
            placement.began_at_s = self.loop.true()
            placement.state = Rung(now)
            dice = self.plan.dice("carrier/talk")
            lasts_s, how = dice.uniform(0.2, RING_MAX_S), dice.choice(DISPOSITIONS)
            self.loop.outside(lasts_s, self._end, placement, port, how, lasts_s)
        self.story.tell("carrier", "{} {}", type(placement.state).__name__, call_id)
        self._send(port, placement.state, answer, call_id)

    def _send(
        self,
        port: "CarrierPort",
        said: Found | Elsewhere,
        answer: "asyncio.Future[Placed]",
        call_id: str,
    ) -> None:
        after_s = self.plan.dice("carrier/net").uniform(0.001, 0.01)
        slow_s = self.plan.dice("carrier/net").uniform(0.1, 8.0)
        if self.plan.strikes("answer-lost", "carrier", 0.08):
            self.story.danger("a carrier's answer was lost")
            return
        if self.plan.strikes("answer-slow", "carrier", 0.08):
            after_s += slow_s
        self.loop.outside(after_s, self._deliver, port, said, answer, call_id)

    def _deliver(
        self,
        port: "CarrierPort",
        said: Found | Elsewhere,
        answer: "asyncio.Future[Placed]",
        call_id: str,
    ) -> None:
        if not answer.done() and isinstance(said, Rung | NoRing | RefusedLate | Elsewhere):
            spoken = self.nonsense(call_id, "an order", said)
            answer.set_result(spoken)
            if spoken is said:
                self.tell(port.process, said, call_id)

    def tell(self, who: Process, said: Found | Elsewhere, call_id: str) -> None:
        """Note which process has heard of a ring."""
        if isinstance(said, Rung | Ended):
            self.told.append(
                HeardAnswer(
                    call_id, who, self.loop.true(), who.clock.boottime(), isinstance(said, Rung)
                )
            )

    def _end(
        self, placement: Placement, port: "CarrierPort", how: Disposition, lasts_s: float
    ) -> None:
        if not isinstance(placement.state, Rung):
            return
        call_id = placement.call.call_id
        began_at = placement.state.began_at
        ended_at = max(began_at, self.clock.now())  # Its clock may have been set back.
        placement.state = Ended(began_at, ended_at, how, lasts_s / 2)
        placement.ended_at_s = self.loop.true()
        self.story.tell("carrier", "ended {} {}", how.value, call_id)
        if self.plan.strikes("report-lost", "carrier", 0.15):
            self.story.danger("a report was lost")
            return
        after_s = self.plan.dice("carrier/net").uniform(0.001, 0.02)
        self.loop.outside(after_s, self._report, port, call_id, placement.state)

    def _report(self, port: "CarrierPort", call_id: str, ended: Ended) -> None:
        if port.report is not None and not port.process.dead:
            spoken = self.nonsense(call_id, "a report", ended)
            self.loop.call_soon(port.report, call_id, spoken, context=port.process.context.copy())
            if spoken is ended:
                self.tell(port.process, ended, call_id)

    def look(self, call_id: str) -> Found:
        """Say what is known of a call by now: of its latest ring."""
        now = self.loop.true()
        for placement in reversed(self.placements.get(call_id, ())):
            if placement.carrier == self.id and placement.found_from_s <= now:
                return placement.state
        return NotFound()

    def end(self, call_id: str) -> None:
        """Hang up."""
        self.story.tell("carrier", "hangs up {}", call_id)
        for placement in self.placements.get(call_id, ()):
            if placement.carrier != self.id:
                continue  # It rings at another carrier, which alone can end it.
            placement.hung_up = True
            if isinstance(placement.state, Rung):
                began_at = placement.state.began_at
                ended_at = max(began_at, self.clock.now())
                placement.state = Ended(began_at, ended_at, Disposition.FAILED, 0.0)
                placement.ended_at_s = self.loop.true()


class CarrierPort:
    """The carrier as one dialer has it."""

    name = "simulated"
    placing_max = 20
    silence_s = SILENCE_S

    def __init__(
        self, carrier: SimCarrier, process: Process, *, lease_s: float, timeout_s: float
    ) -> None:
        self._carrier, self.process = carrier, process
        self.known = Known(carrier.terms, process, lease_s=lease_s, timeout_s=timeout_s)
        self.report: Report | None = None
        self._checking: asyncio.Task[None] | None = None

    @property
    def refuses_late(self) -> bool:
        """Say whether it is known to refuse late rings."""
        return self.known.refuses_late

    @property
    def lookup_lag_s(self) -> float | None:
        """Return after how long "not found" is the truth."""
        return self.known.lookup_lag_s

    @property
    def clocks_agree(self) -> bool:
        """Say whether the clocks are known to agree."""
        return self.known.clocks_agree

    @property
    def clock_difference_s(self) -> float | None:
        """Return its clock minus the dialer's."""
        return self.known.difference_s

    @property
    def id(self) -> str:
        """Return the id of the carrier that answers now."""
        return self._carrier.id

    async def open(self, report: Report) -> None:
        """Receive reports of ended calls; return once the terms are known."""
        self.report = report
        tell_again(self._carrier, report)
        if self._carrier.terms.asked:
            while not await self._check():
                await asyncio.sleep(OPEN_AGAIN_S)
            self._checking = asyncio.create_task(self._keep_checking())

    async def close(self) -> None:
        """Hear of nothing more."""
        self.report = None
        if self._checking is not None:
            self._checking.cancel()

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            await self._check()

    async def _check(self) -> bool:
        """Ask for terms and time; say whether there was an answer."""
        asked_boot_s = self.process.clock.boottime()
        try:
            await self._travel("terms")
        except CarrierUnavailableError:
            return False
        if (said := self._carrier.terms.say()) is None:
            return False
        await asyncio.sleep(self._carrier.plan.dice("carrier/terms").uniform(0.001, 0.01))
        self.known.take(said, asked_boot_s)
        return True

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        """Send the request: it arrives even if its sender dies."""
        carrier, plan, loop = self._carrier, self._carrier.plan, self._carrier.loop
        answer: asyncio.Future[Placed] = loop.create_future()
        whom = carrier.id  # As the request says.
        after_s = plan.dice("carrier/place").uniform(0.001, 0.01)
        slow_s = (
            plan.dice("carrier/place").choice((1.0, 5.0, 20.0))
            * plan.dice("carrier/place").random()
        )
        carrier.story.tell(self.process.name, "places {}", call.call_id)
        carrier.asked.append((call.call_id, self.process, self.process.clock.boottime()))
        if plan.strikes("place-lost", "carrier", 0.05):
            carrier.story.danger("a request to the carrier was lost")
            return await answer  # Never.
        if plan.strikes("place-slow", "carrier", 0.1):
            after_s += slow_s
            carrier.story.danger("a request to the carrier was slow")
        late = plan.marked("die-telling", call.call_id, 0.12)
        if late and plan.now() < plan.until_s:  # So that a CallLate is due.
            after_s += plan.dice("carrier/late").uniform(4.0, 20.0)
        loop.outside(after_s, carrier.arrive, call, ring_by, self, answer, whom)
        return await answer

    async def look_up(self, call_id: str) -> Found:
        """Ask what became of a call."""
        carrier, plan = self._carrier, self._carrier.plan
        asked = carrier.id
        await self._travel("look")
        if carrier.id != asked:  # As HttpCarrier does: no answer is another's than was asked.
            raise CarrierUnavailableError("simulated: another one answers")
        found = carrier.look(call_id)
        carrier.story.tell(self.process.name, "looks up {}: {}", call_id, type(found).__name__)
        carrier.story.danger(f"a look-up found: {type(found).__name__}")
        await asyncio.sleep(plan.dice("carrier/look").uniform(0.001, 0.01))
        spoken: Found = carrier.nonsense(call_id, "a look-up", found)
        if spoken is found:
            carrier.tell(self.process, found, call_id)
        return spoken

    async def hang_up(self, call_id: str) -> None:
        """End a call."""
        self._carrier.asked_to_hang_up.add(call_id)
        await self._travel("hang")
        self._carrier.end(call_id)

    async def _travel(self, what: str) -> None:
        plan = self._carrier.plan
        after_s = plan.dice(f"carrier/{what}").uniform(0.001, 0.01)
        slow_s = plan.dice(f"carrier/{what}").uniform(0.1, 6.0)
        if plan.strikes("look-lost", f"carrier/{what}", 0.1):
            await asyncio.sleep(slow_s)
            raise CarrierUnavailableError("simulated: lost")
        if plan.strikes("look-lost", f"carrier/{what}/slow", 0.05):
            after_s += slow_s
        await asyncio.sleep(after_s)
