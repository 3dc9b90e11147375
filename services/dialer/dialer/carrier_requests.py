"""Requests to the carrier, bounded in time; its validated answers become inputs of the reactor."""

import asyncio
import logging
from collections.abc import Callable

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from dialer.calls.call import Call
from dialer.calls.inputs import Answered, Input, LookedUp, NotHanded, Reported
from dialer.calls.lease import may_begin
from dialer.carrier import validation
from dialer.carrier.port import CallOrder, Carrier, Elsewhere, Ended, Found, Placed
from dialer.carrier.validation import ImplausibleError

logger = logging.getLogger(__name__)


class CarrierRequests:
    """One dialer's requests to its carrier. `tell` takes the inputs that come of them.

    `may_place`: asked before each order; a copy of a log places none (ADR-0040).
    """

    def __init__(
        self,
        carrier: Carrier,
        clock: Clock,
        timeout_s: float,
        tell: Callable[[Input], None],
        may_place: Callable[[], bool] = lambda: True,
    ) -> None:
        self._carrier, self._clock, self._timeout_s, self._tell = carrier, clock, timeout_s, tell
        self._may_place = may_place

    async def place(self, order: CallOrder, call: Call, sent_at: float) -> None:
        """Place a call, unless its lease is over, another carrier answers by now, or we may not."""
        # The last look at the clock: nothing is awaited between it and the request.
        in_time = may_begin(sent_at, call.lease_s, self._clock.boottime())
        if not (in_time and self._may_place()):
            self._tell(NotHanded(order.call_id))
            return
        if call.carrier != self._carrier.id:  # The carrier was exchanged since the request.
            self._tell(Answered(order.call_id, Elsewhere()))
            return
        answer: Placed | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await self._carrier.place(order, call.ring_by)
            answer = validation.placed(said, self._clock.now(), earliest=call.ring_by)
        except ImplausibleError as exc:
            logger.warning("the carrier's answer to an order cannot be used: %s", exc)
        except (TimeoutError, CarrierUnavailableError):
            pass  # Without an answer, the call is looked up.
        self._tell(Answered(order.call_id, answer))

    async def look_up(self, call_id: str, call: Call | None) -> None:
        """Ask what became of a call."""
        asked_at, carrier, nonsense = self._clock.boottime(), self._carrier.id, False
        found: Found | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                said = await self._carrier.look_up(call_id)
            earliest = call.ring_by if call else None
            found = validation.found(said, self._clock.now(), earliest=earliest)
        except (ImplausibleError, CarrierNonsenseError) as exc:
            logger.warning("the carrier's answer about a call cannot be used: %s", exc)
            nonsense = True
        except (TimeoutError, CarrierUnavailableError):
            pass  # It is looked up again.
        self._tell(LookedUp(call_id, asked_at, found, carrier, nonsense))

    async def hang_up(self, call_id: str) -> None:
        """Hang up a call; one try."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._carrier.hang_up(call_id)
        except (TimeoutError, CarrierUnavailableError):
            return  # CallLate is recorded whether or not the phone still rings.

    def reported(self, call_id: str, ended: Ended, call: Call | None) -> None:
        """Take a report of a call's end. An implausible one is dropped."""
        try:
            earliest = call.ring_by if call else None
            believed = validation.ended(ended, self._clock.now(), earliest=earliest)
        except ImplausibleError as exc:
            logger.warning("the carrier's report cannot be used: %s", exc)
            return
        self._tell(Reported(call_id, believed))
