"""The carrier process checks secret, size and addressed carrier before it parses a request.

Each response names the carrier's id. A request for another carrier gets 421, and nothing rings
(ADR-0018).
"""

import secrets

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.carrier.http.wire import CARRIER
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier

ORDER_MAX_BYTES = 1024 * 1024  # A contact's variables fill at most one record of the log.
OPEN = ("/health/live", "/health/ready")  # Without the secret.


class CarrierDoor:
    """The middleware in front of the carrier's application. No secret: any client may call."""

    def __init__(self, app: ASGIApp, carrier: SimulatedCarrier, secret: SecretStr | None) -> None:
        self._app, self._carrier = app, carrier
        self._expected = f"Bearer {secret.get_secret_value()}".encode() if secret else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start" and self._carrier.id is not None:
                MutableHeaders(scope=message)[CARRIER] = self._carrier.id
            await send(message)

        app = self._app
        if not (scope["path"] in OPEN or self._knows(headers)):
            app = JSONResponse(
                {"detail": "expected the carrier's secret as a bearer token"},
                401,
                {"www-authenticate": "Bearer"},
            )
        elif (whole := await _body(receive)) is None:
            app = JSONResponse(
                {"detail": f"The body is over {ORDER_MAX_BYTES} bytes"},
                413,
                {"connection": "close"},
            )
        elif headers.get(CARRIER, self._carrier.id) != self._carrier.id:
            app = JSONResponse({"detail": "the request names another carrier than this one"}, 421)
        else:
            receive = _replayed(whole, receive)
        await app(scope, receive, named)

    def _knows(self, headers: Headers) -> bool:
        if self._expected is None:
            return True
        given = headers.get("authorization", "").encode()
        return secrets.compare_digest(given, self._expected)


async def _body(receive: Receive) -> bytes | None:
    """Return a request's whole body; None when it is longer than any order."""
    whole = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(whole)  # The client waits for no response.
        whole += message.get("body", b"")
        if len(whole) > ORDER_MAX_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(whole)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first yields a body that was read already."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
