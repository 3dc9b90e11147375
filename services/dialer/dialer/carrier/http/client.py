"""The adapter for a carrier that is a process of its own (app.py). Nothing is sent twice.

Ends of calls come as callbacks to the dialer's HTTP port (callback_route.py). If one is lost, the
dialer looks up the call after `silence_s`.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from pydantic import SecretStr

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from campaigns.process.watch import Watch
from dialer.carrier import validation
from dialer.carrier.home_keeper import DialingHome, Replaced
from dialer.carrier.http.carrier_clock import CarrierClock
from dialer.carrier.http.carrier_response import CarrierResponse, ask, parsed, unavailable
from dialer.carrier.http.connections import CarrierConnections
from dialer.carrier.http.declaration import Declaration
from dialer.carrier.http.home_notice import HomeNotice
from dialer.carrier.http.wire import CALLBACK_PATH, EndedEvent, Order
from dialer.carrier.port import (
    CallOrder,
    Elsewhere,
    Found,
    NoRing,
    Placed,
    RefusedLate,
    Report,
    Rung,
)
from dialer.carrier.validation import ImplausibleError

OPEN_S = 10.0  # How long `open` waits for an answer.
OPEN_RETRY_S = 0.2
CHECK_S = 10.0  # How often terms and clocks are compared.
MISDIRECTED = 421
QUESTIONS_MAX = 32  # Look-ups and hang-ups at once; they never queue behind placings.

logger = logging.getLogger(__name__)


class HttpCarrier:
    """The carrier port over HTTP.

    Until `open` has returned, its terms are the weakest: it may ring late, and "not found" means
    nothing.
    """

    name = "http"

    def __init__(
        self,
        base_url: str,
        callback_url: str | None,
        timeout_s: float,
        clock: Clock,
        *,
        lease_s: float,
        placing_max: int = 100,
        open_s: float = OPEN_S,
        check_s: float = CHECK_S,
        secret: SecretStr | None = None,
    ) -> None:
        """Connect to the carrier at `base_url`.

        `callback_url` is where it reaches this process (http://host:port); None: no callbacks, ends
        are looked up. `timeout_s` bounds each request; a clock difference is logged when it
        exceeds half of `lease_s`; terms and clock are checked every `check_s`.
        """
        self.placing_max = placing_max
        self.token = secrets.token_urlsafe(24)  # Of this process; a callback must carry it.
        self._check_s = check_s
        carrier_clock = CarrierClock(clock, lease_s=lease_s, timeout_s=timeout_s, check_s=check_s)
        self._declared = Declaration(carrier_clock, timeout_s)
        self._callback_url = (
            f"{callback_url.rstrip('/')}{CALLBACK_PATH}{self.token}" if callback_url else None
        )
        self._clock, self._open_s = clock, open_s
        self._report: Report | None = None
        self._home: HomeNotice | None = None
        self._watch = Watch()
        self._checking: asyncio.Task[None] | None = None
        self._placing = CarrierConnections(base_url, timeout_s, placing_max, secret)
        self._asking = CarrierConnections(base_url, timeout_s, QUESTIONS_MAX, secret)

    @property
    def id(self) -> str | None:
        """Return the id of the carrier that answered last. None: not known."""
        return self._declared.id

    @property
    def lookup_lag_s(self) -> float | None:
        """Return after how long "not found" is the truth. None: it never is."""
        return self._declared.lookup_lag_s

    @property
    def silence_s(self) -> float:
        """Return after how long without a report a call is looked up."""
        return self._declared.silence_s

    @property
    def clock_difference_s(self) -> float | None:
        """Return the carrier's clock minus ours. None: not known."""
        return self._declared.clock.difference_s

    @property
    def clocks_agree(self) -> bool:
        """Say whether the clocks surely differ by less than the carrier timeout."""
        return self._declared.clock.agrees

    @property
    def refuses_late(self) -> bool:
        """Say whether it refuses late rings, by a clock that can be relied on."""
        return self._declared.refuses_late

    async def open(self, report: Report) -> None:
        """Ask for the carrier's terms, which permissions will name.

        Raises:
            CarrierUnavailableError: no carrier answers within `open_s`; open again later.

        """
        self._report = report
        deadline = self._clock.monotonic() + self._open_s
        while True:
            try:
                await self._declared.ask(self._asking, self._clock)
                break
            except CarrierUnavailableError:
                if self._clock.monotonic() >= deadline:
                    raise
                await asyncio.sleep(OPEN_RETRY_S)
        if self._checking is None:
            self._checking = asyncio.create_task(self._keep_checking(), name="carrier checks")
            self._watch.keep(self._checking)

    async def announce(self, home: Callable[[], DialingHome], replaced: Replaced) -> None:
        """Say for which home of the log calls are placed. Raises: see `HomeKeeper`."""
        self._home = HomeNotice(home, replaced)
        await self._home.give(self._asking)

    async def watch(self) -> NoReturn:
        """Wait until the checks fail, and raise the exception."""
        await self._watch.wait()

    async def close(self) -> None:
        """Close the connections for good. Calls in progress continue."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        await self._placing.close()
        await self._asking.close()

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        """Place a call: one request, never repeated.

        `Elsewhere`: another carrier than the one known at that time has answered and refused it.

        Raises:
            CarrierUnavailableError: no answer that says what became of it; it may ring all the
                same.

        """
        order = Order(
            campaign_id=call.campaign_id,
            contact_id=call.contact_id,
            run=call.run,
            attempt=call.attempt,
            to=call.to,
            variables=dict(call.variables),
            ring_by=ring_by,
            callback_url=self._callback_url,
        )
        meant = self.id
        body = order.model_dump_json()
        home = self._home.now() if self._home else None
        said = await ask(self._placing, "PUT", call.call_id, meant, body, home)
        known = self._declared.is_of(meant, said.carrier)
        if said.carrier is not None and (
            said.status == MISDIRECTED or (self._home and self._home.refused(said))
        ):
            return Elsewhere()
        found = self._found(said)
        if not isinstance(found, Rung if not known else Rung | NoRing | RefusedLate):
            unavailable("PUT", call.call_id, found)
        return found

    async def look_up(self, call_id: str) -> Found:
        """Look up a call.

        Raises:
            CarrierUnavailableError: the carrier does not answer.

        """
        meant = self.id
        said = await ask(self._asking, "GET", call_id, meant)
        if not self._declared.is_of(meant, said.carrier):
            unavailable("GET", call_id, f"of carrier {said.carrier}, and {meant} was asked")
        return self._found(said)

    def _found(self, said: CarrierResponse) -> Found:
        try:
            return validation.found(parsed(said), self._clock.now())
        except ImplausibleError as exc:
            raise CarrierNonsenseError(f"carrier, {said.verb} {said.call_id}: {exc}") from exc

    async def hang_up(self, call_id: str) -> None:
        """Hang up a call.

        Raises:
            CarrierUnavailableError: the carrier does not answer.

        """
        meant = self.id
        said = await ask(self._asking, "DELETE", call_id, meant)
        if not (self._declared.is_of(meant, said.carrier) and said.status in (200, 204)):
            unavailable("DELETE", call_id, said.status)

    def reported(self, event: EndedEvent) -> None:
        """Pass a callback on. Before `open` it is dropped.

        Raises:
            ImplausibleError: it cannot be true, and is not passed on.

        """
        ended = validation.ended(event.found(), self._clock.now())
        if self._report is not None:
            self._report(event.call_id, ended)

    async def _keep_checking(self) -> None:
        while True:
            with suppress(TimeoutError):  # Time for the next check.
                async with asyncio.timeout(self._check_s):
                    await self._declared.exchanged.wait()
            self._declared.exchanged.clear()
            try:
                await self._declared.ask(self._asking, self._clock)
            except CarrierUnavailableError as exc:
                logger.warning("the carrier does not say its terms: %s", exc)
