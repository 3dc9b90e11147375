"""The requests to the simulated carrier that wait for an answer."""

import asyncio

from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.port import Ended, NoRing, Placed, RefusedLate, Rung
from dialer.carrier.simulated.outcome import CarrierTerms
from dialer.carrier.simulated.rings import Fates, Ring, RingState

HOLD_S = 60.0  # A silent carrier raises after this: every wait has an end.


class Waiters:
    """Who waits for the answer to a `place`: by ring, or for a carrier that is silent."""

    def __init__(self, terms: CarrierTerms, fates: Fates) -> None:
        self._terms, self._fates = terms, fates
        self._by_ring: dict[int, asyncio.Future[Placed]] = {}
        self._silent: set[asyncio.Future[Placed]] = set()

    def expect(self, ring: Ring) -> "asyncio.Future[Placed]":
        """Return the future answer to a ring's `place`."""
        waiter: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._by_ring[ring.number] = waiter
        return waiter

    async def hold(self) -> Placed:
        """Wait in vain.

        Raises:
            CarrierUnavailableError: HOLD_S are over, or the carrier closes.

        """
        waiter: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._silent.add(waiter)
        try:
            async with asyncio.timeout(HOLD_S):
                return await waiter
        except TimeoutError as exc:
            raise CarrierUnavailableError("the carrier does not answer") from exc
        finally:
            self._silent.discard(waiter)

    def answer(self, ring: Ring) -> None:
        """Answer the `place` of a ring, once it has begun or never will."""
        if (
            ring.state is RingState.TAKEN
            or (waiter := self._by_ring.pop(ring.number, None)) is None
        ):
            return
        lost = self._fates(ring.call).answer_lost
        found = ring.found()
        placed = Rung(found.began_at) if isinstance(found, Ended) else found
        assert isinstance(placed, Rung | NoRing | RefusedLate), "taken has no answer yet"
        if self._terms.answer_latency_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self._terms.answer_latency_s, _tell, waiter, placed, lost)
        else:
            _tell(waiter, placed, lost)

    def close(self) -> None:
        """End every wait: the carrier closes."""
        for waiter in (*self._by_ring.values(), *self._silent):
            if not waiter.done():
                waiter.set_exception(CarrierUnavailableError("the carrier closes"))
        self._by_ring.clear()
        self._silent.clear()


def _tell(waiter: "asyncio.Future[Placed]", placed: Placed, lost: bool) -> None:
    if waiter.done():  # Cancelled.
        return
    if lost:
        waiter.set_exception(CarrierUnavailableError("the answer was lost"))
    else:
        waiter.set_result(placed)
