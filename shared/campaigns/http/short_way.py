"""The short way to a plain command: past the framework's own middlewares and its routing.

FastAPI's layers and its solving of dependencies take longer than a pause does (bench/pause.py). So
the usual request of a plain command (a number in its path, no query, no body) is answered before
them. Any other request goes through FastAPI, and so does every error: the route raises it again
there, and the framework's handlers answer it as they always do. Both ways thus give one answer.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

from fastapi import Request, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from campaigns.http.door import ID_MAX

Plain = Callable[[Request, int], Awaitable[Response]]  # Answers a request with its path's number.
RAISED = "dialgate.raised"  # Of a scope: what the short way raised; its route raises it again.
_PATH = re.compile(r"(.*/)([1-9][0-9]{0,15})(/[a-z]+)", re.ASCII)


class ShortWay:
    """ASGI middleware. A route that has `plain` takes the short way."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """`routes` is read at the first request, when all of them are there."""
        self._app = app
        self._plain: dict[str, Plain] = {}  # By path, without its number.
        for route in routes:
            if (plain := getattr(route, "plain", None)) is not None:
                prefix, _, suffix = route.path.partition("{campaign_id}")  # type: ignore[attr-defined]  # An APIRoute.
                self._plain[prefix + suffix] = plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or scope["query_string"]
            or (parts := _PATH.fullmatch(scope["path"])) is None
            or (plain := self._plain.get(parts[1] + parts[3])) is None
            or (number := int(parts[2])) > ID_MAX
            or _has_body(scope)
        ):
            await self._app(scope, receive, send)
            return
        try:
            answer = await plain(Request(scope, receive), number)
        except Exception as exc:  # Not handled here: the route raises it again.
            scope[RAISED] = exc
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    """Say whether the request announces a body. Source: RFC 9112, section 6."""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
