"""What the carrier that answers has declared of itself. None of it holds for another carrier."""

import asyncio
import logging

import httpx
from pydantic import ValidationError

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.http.carrier_clock import CarrierClock
from dialer.carrier.http.carrier_response import unavailable
from dialer.carrier.http.connections import CarrierConnections
from dialer.carrier.http.wire import About

UNAUTHORIZED = 401

logger = logging.getLogger(__name__)


class Declaration:
    """One carrier's id and terms. Before the first `About` they are the weakest."""

    def __init__(self, clock: CarrierClock, silence_s: float) -> None:
        self.clock = clock  # Its clock, compared with ours.
        self.id: str | None = None  # Of the carrier that answered last. None: not known.
        self.lookup_lag_s: float | None = None
        self.silence_s = silence_s
        self._refuses_late = False
        self.exchanged = asyncio.Event()  # Another carrier answers: ask for its terms at once.

    @property
    def refuses_late(self) -> bool:
        """Say whether it refuses late rings, by a clock that can be relied on."""
        return self._refuses_late and self.clock.agrees

    async def ask(self, connections: CarrierConnections, clock: Clock) -> None:
        """Ask for the carrier's terms, and compare clocks.

        Raises:
            CarrierUnavailableError: it does not answer, or asks for its secret.

        """
        try:
            async with connections.one() as connection:
                before = clock.boottime()
                async with connection.stream("GET", "/") as response:
                    said = await response.aread()
            after = clock.boottime()
            if response.status_code == UNAUTHORIZED:
                raise CarrierUnavailableError(
                    "the carrier asks for its secret: expected DIALGATE_CARRIER_SECRET to be the"
                    " same at both ends"
                )
            if not response.is_success:
                unavailable("GET", "/", response.status_code)
            about = About.model_validate_json(said)
        except (httpx.HTTPError, ValidationError) as exc:
            unavailable("GET", "/", exc)
        if about.id != self.id:
            self._switch_to(about.id)
            self.exchanged.clear()
        self._refuses_late, self.lookup_lag_s = about.refuses_late, about.lookup_lag_s
        self.silence_s = about.silence_s
        self.clock.compare(about.now, before, after)

    def is_of(self, meant: str | None, who: str | None) -> bool:
        """Say whether the carrier `meant` has answered; another that did replaces it."""
        if who is not None and who not in (meant, self.id):
            self._switch_to(who)
        return who == meant

    def _switch_to(self, who: str | None) -> None:
        """Switch to another carrier; the terms of the one before do not hold for it."""
        if self.id is not None:
            logger.warning(
                "carrier %s answers where carrier %s did: it is not asked about the other's calls,"
                " which end as unknown unless the other reports them",
                who,
                self.id,
            )
        self.id, self._refuses_late, self.lookup_lag_s = who, False, None
        self.clock.forget()
        self.exchanged.set()
