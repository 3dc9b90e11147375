"""What is asked of the carrier, and what it says, as inputs: bounded in time, looked at first."""

import asyncio
import logging
from collections.abc import Callable

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from dialer.calls.call import Call
from dialer.calls.lease import may_begin
from dialer.calls.ticks import Answered, Input, LookedUp, NotHanded, Reported
from dialer.carrier import testimony
from dialer.carrier.port import CallOrder, Carrier, Elsewhere, Ended, Found, Placed
from dialer.carrier.testimony import ImplausibleError

logger = logging.getLogger(__name__)


class Conversation:
    """One dialer's talk with its carrier. `tell` takes what comes of it."""

    def __init__(
        self, carrier: Carrier, clock: Clock, timeout_s: float, tell: Callable[[Input], None]
    ) -> None:
        self._carrier, self._clock, self._timeout_s, self._tell = carrier, clock, timeout_s, tell

    async def place(self, order: CallOrder, call: Call, sent_at: float) -> None:
        """Have a call rung, unless its lease is over."""
        # The last look at the clock: nothing is awaited between it and the request.
        if not may_begin(sent_at, call.lease_s, self._clock.boottime()):
            self._tell(NotHanded(order.call_id))
            return
        if call.carrier != self._carrier.id:  # Exchanged since it was asked for.
            self._tell(Answered(order.call_id, Elsewhere()))
            return
        answer: Placed | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await self._carrier.place(order, call.ring_by)
            answer = testimony.placed(said, self._clock.now(), earliest=call.ring_by)
        except ImplausibleError as exc:
            logger.warning("the carrier's answer to an order cannot be used: %s", exc)
        except (TimeoutError, CarrierUnavailableError):
            pass  # Silence is asked about.
        self._tell(Answered(order.call_id, answer))

    async def look_up(self, call_id: str, call: Call | None) -> None:
        """Ask what became of a call."""
        asked_at, carrier, nonsense = self._clock.boottime(), self._carrier.id, False
        found: Found | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await self._carrier.look_up(call_id)
            earliest = call.ring_by if call else None
            found = testimony.found(said, self._clock.now(), earliest=earliest)
        except (ImplausibleError, CarrierNonsenseError) as exc:
            logger.warning("the carrier's answer about a call cannot be used: %s", exc)
            nonsense = True
        except (TimeoutError, CarrierUnavailableError):
            pass  # It is asked again.
        self._tell(LookedUp(call_id, asked_at, found, carrier, nonsense))

    async def hang_up(self, call_id: str) -> None:
        """End a call that should not be, once."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._carrier.hang_up(call_id)
        except (TimeoutError, CarrierUnavailableError):
            return  # CallLate stands in the log whatever becomes of the line.

    def reported(self, call_id: str, ended: Ended, call: Call | None) -> None:
        """Take a report of a call's end; what cannot be so is asked about in its time."""
        try:
            earliest = call.ring_by if call else None
            believed = testimony.ended(ended, self._clock.now(), earliest=earliest)
        except ImplausibleError as exc:
            logger.warning("the carrier's report cannot be used: %s", exc)
            return
        self._tell(Reported(call_id, believed))
