"""Plain ASGI: answers the requests that a stop cuts off, such as a pause that still waits."""

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns.http.door import RETRY_AFTER_S
from campaigns.process.observability import correlation_id

DETAIL = "The server stops, and could not wait for the end of this: ask again"


class Ending:
    """The application, and what it owes to those who wait when the server has no time left.

    Without it their task is cancelled, and they are told 500, as if something had broken.
    """

    def __init__(self, app: ASGIApp, ends: Callable[[], bool]) -> None:
        """Wrap `app`. `ends` says whether the server stops."""
        self._app, self._ends = app, ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if begun or not self._ends():
                raise
            # Not swallowed: who cancelled it wants the request to end, and it ends with this.
            may_still = scope["method"] not in ("GET", "HEAD")
            headers = {"Retry-After": str(RETRY_AFTER_S), "X-Request-ID": correlation_id.get()}
            shape = {"detail": DETAIL, "may_still_take_effect": may_still}
            await JSONResponse(shape, 503, headers)(scope, receive, send)
