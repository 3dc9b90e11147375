"""The edge of an application: bounds requests, checks keys before bodies, assigns request ids."""

from collections.abc import Callable, Iterable

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from campaigns.domain.api_keys import Caller
from campaigns.http.door import (
    CALLER,
    ENDED,
    RETRY_AFTER_S,
    TOO_HEAVY,
    TOO_HEAVY_AT_ONCE,
    RefusedError,
    door_of,
    head_too_large,
    refused,
    unavailable,
    unprocessable,
)
from campaigns.http.short_way import ShortWay
from campaigns.http.size_limits import Limits
from campaigns.http.weight import Spent, Weight
from campaigns.process.errors import OperatingError
from campaigns.process.identifiers import random_id
from campaigns.process.metrics import SHARES_SPENT
from campaigns.process.observability import correlation_id

UPLOAD = "/import-data"
PIECE_BYTES = 64  # Python's overhead for each piece of a body.


def install(app: FastAPI, limits: Limits, routers: Iterable[APIRouter] = ()) -> None:
    """Give an application our routes, error bodies, body limits and correlation ids."""
    for router in routers:
        app.router.routes.extend(router.routes)  # Including it would match each path twice.
    app.add_exception_handler(OperatingError, unavailable)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, unprocessable)
    app.add_middleware(ShortWay, routes=app.router.routes)
    app.add_middleware(Edge, limits=limits)  # Outside it: the bounds come first.


class Edge:
    """Plain ASGI: a correlation id for each request, and a bound on its headers and body."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._weight = Weight(limits.bodies_max_bytes, limits.bodies_of_organization_max_bytes)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if len(scope["path"]) > 1 and scope["path"].endswith("/"):  # Served without a redirect.
            scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        given, head_max_bytes = dict(scope["headers"]), self._limits.head_max_bytes
        request_id = given.get(b"x-request-id", b"").decode("ascii", "ignore")[:100] or random_id()
        correlation_id.set(request_id)
        limits = self._limits
        upload = scope["path"].endswith(UPLOAD)
        most = limits.upload_max_bytes if upload else limits.body_max_bytes

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        if _head_bytes(scope) > head_max_bytes:
            detail = {"detail": head_too_large(head_max_bytes)}
            await JSONResponse(detail, 431)(scope, receive, sending)
            return
        length = given.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            await JSONResponse({"detail": _too_large(most)}, 413)(scope, receive, sending)
            return
        ended = scope[ENDED] = list[Callable[[], None]]()
        receive = _opened(scope, receive)
        if not upload:  # An upload is written to a file.
            receive = _weighed(scope, receive, self._weight)
        try:
            await self._app(scope, _bounded(receive, most), sending)
        finally:
            for one in ended:
                one()


def _head_bytes(scope: AsgiScope) -> int:
    total = len(scope["query_string"]) + len(scope["path"])
    for name, value in scope["headers"]:
        total += len(name) + len(value)
    return total


def _too_large(most: int) -> str:
    return f"The body is over {most} bytes"


def _opened(scope: AsgiScope, receive: Receive) -> Receive:
    """Read nothing of a body before its sender's key, rate and scope are checked."""
    looked = False

    async def receiving() -> Message:
        nonlocal looked
        if not looked:
            looked = True
            if (door := door_of(scope.get("route"))) is not None:
                await door(Request(scope))  # An HTTPException propagates as from a dependency.
        return await receive()

    return receiving


def _weighed(scope: AsgiScope, receive: Receive, weight: Weight) -> Receive:
    """Count the memory of a request's body until the request ends; refuse what is over a bound."""
    held = 0

    async def receiving() -> Message:
        nonlocal held
        message = await receive()
        count, caller = len(message.get("body", b"")), scope.get(CALLER)
        if not count or not isinstance(caller, Caller):
            return message
        count += PIECE_BYTES
        if (spent := weight.take(caller.organization_id, count)) is not None:
            SHARES_SPENT.labels("bodies").inc()
            retry = {"Retry-After": str(RETRY_AFTER_S)}
            if spent is Spent.SHARE:
                raise HTTPException(429, TOO_HEAVY_AT_ONCE, retry)
            raise HTTPException(503, TOO_HEAVY, retry)
        if not held:
            scope[ENDED].append(lambda: weight.give_back(caller.organization_id, held))
        held += count
        return message

    return receiving


def _bounded(receive: Receive, most: int) -> Receive:
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:  # FastAPI propagates an HTTPException where it reads bodies.
            raise HTTPException(413, _too_large(most))
        return message

    return receiving
