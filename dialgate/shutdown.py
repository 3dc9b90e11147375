"""ASGI middleware: answers the requests that a stop cuts off, such as a pause that still waits."""

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns.http.door import RETRY_AFTER_S
from campaigns.process.observability import correlation_id

DETAIL = "The server is stopping, and could not finish this request: send it again"


class Shutdown:
    """An application whose unfinished requests are answered 503 when the server stops.

    By itself the server cancels their tasks and answers 500, as if something had broken.
    """

    def __init__(self, app: ASGIApp, ends: Callable[[], bool]) -> None:
        """Wrap `app`. `ends` says whether the server stops."""
        self._app, self._ends = app, ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if began or not self._ends():
                raise
            # Not swallowed: it was cancelled to end the request, which this answer does.
            may_still = scope["method"] not in ("GET", "HEAD")
            headers = {"Retry-After": str(RETRY_AFTER_S), "X-Request-ID": correlation_id.get()}
            shape = {"detail": DETAIL, "may_still_take_effect": may_still}
            await JSONResponse(shape, 503, headers)(scope, receive, send)
