"""The adapter for a carrier that is a process of its own (app.py). Nothing is sent twice.

Ends of calls come as callbacks to the dialer's HTTP port (`callback_router`). If one is lost, the
dialer looks up the call after `silence_s`.
"""

import asyncio
import logging
import secrets
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

import httpx
from fastapi import APIRouter, HTTPException, Request
from pydantic import SecretStr, ValidationError

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from campaigns.process.watch import Watch
from dialer.carrier import validation
from dialer.carrier.http.carrier_clock import CarrierClock
from dialer.carrier.http.carrier_response import CarrierResponse, parsed, send, unavailable
from dialer.carrier.http.connections import Connections
from dialer.carrier.http.wire import CALLBACK_PATH, About, EndedEvent, Order
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
UNAUTHORIZED, MISDIRECTED = 401, 421
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
        self.id: str | None = None  # Of the carrier that answered last. None: not known.
        self.lookup_lag_s: float | None = None
        self.silence_s = timeout_s
        self.placing_max = placing_max
        self.token = secrets.token_urlsafe(24)  # Of this process; a callback must carry it.
        self._declares_refusal = False
        self._check_s = check_s
        self._comparison = CarrierClock(
            clock, lease_s=lease_s, timeout_s=timeout_s, check_s=check_s
        )
        self._callback_url = (
            f"{callback_url.rstrip('/')}{CALLBACK_PATH}{self.token}" if callback_url else None
        )
        self._clock, self._open_s = clock, open_s
        self._report: Report | None = None
        self._watch = Watch()
        self._checking: asyncio.Task[None] | None = None
        self._exchanged = asyncio.Event()  # Another carrier answers: ask for its terms at once.
        self._placing = Connections(base_url, timeout_s, placing_max, secret)
        self._asking = Connections(base_url, timeout_s, QUESTIONS_MAX, secret)

    @property
    def clock_difference_s(self) -> float | None:
        """Return the carrier's clock minus ours. None: not known."""
        return self._comparison.difference_s

    @property
    def clocks_agree(self) -> bool:
        """Say whether the clocks surely differ by less than the carrier timeout."""
        return self._comparison.agrees

    @property
    def refuses_late(self) -> bool:
        """Say whether it refuses late rings, by a clock that can be relied on."""
        return self._declares_refusal and self.clocks_agree

    async def open(self, report: Report) -> None:
        """Ask for the carrier's terms, which permissions will name.

        Raises:
            CarrierUnavailableError: no carrier answers within `open_s`; open again later.

        """
        self._report = report
        deadline = self._clock.monotonic() + self._open_s
        while True:
            try:
                await self._check()
                break
            except CarrierUnavailableError:
                if self._clock.monotonic() >= deadline:
                    raise
                await asyncio.sleep(OPEN_RETRY_S)
        if self._checking is None:
            self._checking = asyncio.create_task(self._keep_checking(), name="carrier checks")
            self._watch.keep(self._checking)

    async def watch(self) -> NoReturn:
        """Wait until the checks fail, and raise the exception."""
        await self._watch.wait()

    async def close(self) -> None:
        """Close the connections for good. Calls under way go on."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        await self._placing.close()
        await self._asking.close()

    def _known(self, meant: str | None, who: str | None) -> bool:
        """Say whether the carrier `meant` answers; another that does replaces it."""
        if who is not None and who not in (meant, self.id):
            self._take_for(who)
        return who == meant

    def _take_for(self, who: str | None) -> None:
        """Switch to another carrier; the terms of the one before do not hold for it."""
        if self.id is not None:
            logger.warning(
                "carrier %s answers where carrier %s did: it is not asked about the other's calls,"
                " which end as unknown unless the other reports them",
                who,
                self.id,
            )
        self.id, self._declares_refusal, self.lookup_lag_s = who, False, None
        self._comparison.forget()
        self._exchanged.set()

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
        try:
            async with self._placing.one() as connection:
                said = await send(connection, "PUT", call.call_id, meant, order.model_dump_json())
        except httpx.HTTPError as exc:
            unavailable("PUT", call.call_id, exc)
        known = self._known(meant, said.carrier)
        if said.status == MISDIRECTED and said.carrier is not None:
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
        try:
            async with self._asking.one() as connection:
                said = await send(connection, "GET", call_id, meant)
        except httpx.HTTPError as exc:
            unavailable("GET", call_id, exc)
        if not self._known(meant, said.carrier):
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
        try:
            async with self._asking.one() as connection:
                said = await send(connection, "DELETE", call_id, meant)
        except httpx.HTTPError as exc:
            unavailable("DELETE", call_id, exc)
        if not (self._known(meant, said.carrier) and said.status in (200, 204)):
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
                    await self._exchanged.wait()
            self._exchanged.clear()
            try:
                await self._check()
            except CarrierUnavailableError as exc:
                logger.warning("the carrier does not say its terms: %s", exc)

    async def _check(self) -> None:
        """Ask for the carrier's terms, and compare clocks."""
        try:
            async with self._asking.one() as connection:
                before = self._clock.boottime()
                response = await connection.get("/")
            after = self._clock.boottime()
            if response.status_code == UNAUTHORIZED:
                raise CarrierUnavailableError(
                    "the carrier asks for its secret: expected DIALGATE_CARRIER_SECRET to be the"
                    " same at both ends"
                )
            about = About.model_validate_json(response.raise_for_status().content)
        except (httpx.HTTPError, ValidationError) as exc:
            unavailable("GET", "/", exc)
        if about.id != self.id:
            self._take_for(about.id)
            self._exchanged.clear()
        self._declares_refusal, self.lookup_lag_s = about.refuses_late, about.lookup_lag_s
        self.silence_s = about.silence_s
        self._comparison.compare(about.now, before, after)


def callback_router(carrier: HttpCarrier) -> APIRouter:
    """Return the route that takes the carrier's callbacks."""
    router = APIRouter()

    @router.post(f"{CALLBACK_PATH}{{token}}", status_code=204, include_in_schema=False)
    async def ended(token: str, request: Request) -> None:
        """Take a call's end; 404 unless the token is this process's own, 422 if implausible."""
        if not secrets.compare_digest(token.encode(), carrier.token.encode()):
            raise HTTPException(404)
        try:
            carrier.reported(EndedEvent.model_validate_json(await request.body()))
        except ValidationError as exc:  # Without the input: it may be no JSON.
            said = exc.errors(include_url=False, include_context=False, include_input=False)
            raise HTTPException(422, said) from exc
        except ImplausibleError as exc:
            raise HTTPException(422, str(exc)) from exc

    return router
