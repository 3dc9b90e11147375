"""A carrier whose every answer the test decides."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from campaigns.domain.facts import Disposition
from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.port import (
    CallOrder,
    Ended,
    Found,
    NoRing,
    NotFound,
    Placed,
    RefusedLate,
    Report,
    Rung,
)


@dataclass
class ScriptedCarrier:
    """A carrier whose every answer the test decides."""

    clock: Clock
    name: str = "scripted"
    id: str | None = field(default_factory=lambda: uuid4().hex)
    refuses_late: bool = True
    clocks_agree: bool = True
    clock_difference_s: float | None = 0.0
    lookup_lag_s: float | None = 0.0
    silence_s: float = 30.0
    placing_max: int = 100
    set_up_s: float = 0.02
    talk_s: float = 1.0
    outcome: Callable[[CallOrder], Disposition | NoRing | None] = lambda _: Disposition.ANSWERED
    rings: list[tuple[float, CallOrder]] = field(default_factory=list)
    calls: dict[str, Found] = field(default_factory=dict)
    hung_up: list[str] = field(default_factory=list)
    deaf: bool = False

    async def open(self, report: Report) -> None:
        self._report = report

    async def close(self) -> None:
        pass

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        await asyncio.sleep(self.set_up_s)
        if self.refuses_late and self.clock.now() > ring_by:
            self.calls[call.call_id] = RefusedLate()
            return RefusedLate()
        how = self.outcome(call)
        if isinstance(how, NoRing):
            self.calls[call.call_id] = how
            return how
        if how is None:
            raise CarrierUnavailableError("silent, and it never rings")
        began_at = self.clock.now()
        self.rings.append((self.clock.boottime(), call))
        self.calls[call.call_id] = Rung(began_at)
        asyncio.get_running_loop().call_later(self.talk_s, self._end, call, began_at, how)
        return Rung(began_at)

    def _end(self, call: CallOrder, began_at: datetime, how: Disposition) -> None:
        ended = Ended(began_at, self.clock.now(), how, self.talk_s)
        self.calls[call.call_id] = ended
        if not self.deaf:
            self._report(call.call_id, ended)

    async def look_up(self, call_id: str) -> Found:
        return self.calls.get(call_id, NotFound())

    async def hang_up(self, call_id: str) -> None:
        self.hung_up.append(call_id)
