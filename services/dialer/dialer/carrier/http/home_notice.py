"""What a carrier process is told of the home whose calls it places, and what it says to that."""

from collections.abc import Callable

import httpx
from pydantic import ValidationError

from dialer.carrier.home_keeper import HOME, DialingHome, Replaced
from dialer.carrier.http.carrier_response import CarrierResponse, unavailable
from dialer.carrier.http.connections import CarrierConnections
from dialer.carrier.http.wire import HomeRefusal

REPLACED = 409
KEEPS_NONE = (404, 405)  # A carrier that keeps no homes takes all orders.


class HomeNotice:
    """The home of one dialer. `replaced` is told when the carrier takes another's orders."""

    def __init__(self, now: Callable[[], DialingHome], replaced: Replaced) -> None:
        self.now, self._replaced = now, replaced

    async def give(self, connections: CarrierConnections) -> None:
        """Tell the carrier that a dialer begins.

        Raises:
            CarrierUnavailableError: no answer, or none that can be used.

        """
        headers = {HOME: self.now().spelt()}
        try:
            async with (
                connections.one() as connection,
                connection.stream("PUT", "/homes", headers) as response,
            ):
                body = await response.aread()
        except httpx.HTTPError as exc:
            unavailable("PUT", "/homes", exc)
        status = response.status_code
        said = CarrierResponse("PUT", "/homes", status, None, body)
        if not (response.is_success or status in KEEPS_NONE or self.refused(said)):
            unavailable("PUT", "/homes", status)

    def refused(self, said: CarrierResponse) -> bool:
        """Say whether the carrier has refused, because another home has taken over."""
        if said.status != REPLACED:
            return False
        try:
            refusal = HomeRefusal.model_validate_json(said.body)
        except ValidationError:
            return False  # A proxy's answer, perhaps.
        self._replaced(refusal.detail, refusal.generation)
        return True
