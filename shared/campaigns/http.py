"""What both HTTP services share: who asks, error bodies, limits, correlation ids."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

import orjson
from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from campaigns.api_keys import ApiKeys, Caller, key_hash
from campaigns.campaign import Campaign
from campaigns.decider import Reason, Rejected
from campaigns.errors import OperatingError
from campaigns.facts import Scope
from campaigns.observing import Sparingly, correlation_id
from campaigns.rate_limits import RateLimits

log = logging.getLogger(__name__)
log.addFilter(Sparingly())  # An outage is answered so to everybody.

RETRY_AFTER_S = 1  # Whole seconds: the public SDK fails on a date or a decimal.
ID_MAX = 2**53 - 1  # JSON numbers are exact up to here.
UNAUTHORIZED = "Invalid or missing API key"  # Source: public contract, 'decided' 11.
TOO_OFTEN = "This key asks too often"
POSITION = "Dialgate-Position"  # partition@position: what an answer shows at least.

CampaignId = Annotated[int, Path(ge=1, le=ID_MAX)]

# Every way of saying no, as a status. Source: public contract, section 1.3 and 'decided'.
STATUS: Mapping[Reason, int] = {
    Reason.UNKNOWN_CAMPAIGN: 404,
    Reason.UNKNOWN_IMPORT: 404,
    Reason.NOT_RUNNING: 400,
    Reason.ALREADY_PAUSED: 400,
    Reason.ALREADY_RUNNING: 400,
    Reason.WRONG_STATUS: 400,
    Reason.TIME_PAST: 400,
    Reason.SCHEDULE_UNUSABLE: 400,
    Reason.NO_CONTACTS: 400,
    Reason.ALL_PROCESSED: 400,
    Reason.IMPORT_IN_PROGRESS: 400,
    Reason.MESSAGES_UNSUPPORTED: 400,
    Reason.NO_USABLE_ROW: 400,
    Reason.VERSION_LOST: 412,
    Reason.UNKNOWN_KEY: 404,
    Reason.TOO_MANY_KEYS: 400,
    Reason.KEY_REUSED: 422,
    Reason.CONTACT_DONE: 400,
    Reason.ATTEMPTS_SPENT: 400,
    Reason.OUTSIDE_HOURS: 400,
    Reason.TOO_SOON: 400,
}


class RefusedError(HTTPException):
    """A business no that says more than its text."""

    def __init__(self, no: Rejected) -> None:
        super().__init__(STATUS[no.reason], no.detail)
        self.more = no.more or {}


def refusal(no: Rejected) -> HTTPException:
    """Return a business no as an HTTP error with its documented text."""
    return RefusedError(no)


def etag(campaign: Campaign) -> str:
    """Return a campaign's version, for If-Match. Counters move on without it.

    Source: public contract, section 10.
    """
    return f'"{campaign.version}"'


CallerOf = Callable[[Request], Awaitable[Caller]]
CALLER = "dialgate.caller"  # In a request's scope, once its key has been looked at.
_RANK = {scope: rank for rank, scope in enumerate(Scope)}


class Door:
    """The dependency that knows who asks. _Edge has it looked at before a body is read."""

    def __init__(self, keys: ApiKeys, limits: RateLimits, needed: Scope) -> None:
        self._keys, self._limits, self._needed = keys, limits, needed

    async def __call__(self, request: Request) -> Caller:
        """Return who asks; a request is counted once, however often this is called."""
        if (known := request.scope.get(CALLER)) is not None:
            assert isinstance(known, Caller), "set here alone"
            return known
        scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
        found = (
            self._keys.callers.get(key_hash(key)) if scheme.lower() == "bearer" and key else None
        )
        if found is None:
            raise HTTPException(401, UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
        if (wait_s := self._limits.wait_s(found)) > 0:
            raise HTTPException(429, TOO_OFTEN, {"Retry-After": str(wait_s)})
        needed = self._needed
        if _RANK[found.scope] < _RANK[needed]:
            raise HTTPException(403, f"This key may not do that: it needs the scope '{needed}'")
        request.scope[CALLER] = found
        return found


def caller_of(keys: ApiKeys, limits: RateLimits, needed: Scope = Scope.OPERATE) -> Door:
    """Return the dependency that knows who asks.

    Raises 401 for nobody we know, 403 for a key without the scope, 429 for one that asks too often.
    """
    return Door(keys, limits, needed)


def door_of(route: object) -> CallerOf | None:
    """Return what looks at the key of a route's requests. None: it asks for none."""
    dependant = getattr(route, "dependant", None)
    dependencies = dependant.dependencies if dependant else ()
    return next((one.call for one in dependencies if isinstance(one.call, Door)), None)


def json_response(
    shape: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON that is not looked at again."""
    return Response(orjson.dumps(shape), status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be."""

    body_max_bytes: int
    upload_max_bytes: int  # For paths that end in UPLOAD.
    head_max_bytes: int = 64 * 1024  # Of its line and headers.


UPLOAD = "/import-data"


def install(app: FastAPI, limits: Limits) -> None:
    """Give an application our error bodies, body limits and correlation ids."""
    app.add_exception_handler(OperatingError, _unavailable)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_middleware(_Edge, limits=limits)


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, OperatingError), "installed for nothing else"
    log.warning("answered 503: %s", error)
    return JSONResponse(
        {"detail": str(error), "may_still_take_effect": error.may_still_take_effect},
        503,
        {"Retry-After": str(RETRY_AFTER_S)},
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError), "installed for nothing else"
    return JSONResponse({"detail": error.detail, **error.more}, error.status_code)


async def _unprocessable(request: Request, error: Exception) -> Response:
    """Answer 422 in FastAPI's shape, without `input`: what was sent need not be JSON or Unicode."""
    assert isinstance(error, RequestValidationError), "installed for nothing else"
    detail = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()]
    # Escaped, so that a lone surrogate in the name of a key can be said.
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")


class _Edge:
    """Plain ASGI: a correlation id for each request, and a bound on its headers and body."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if len(scope["path"]) > 1 and scope["path"].endswith("/"):  # Served without a redirect.
            scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        given, head_max_bytes = dict(scope["headers"]), self._limits.head_max_bytes
        request_id = given.get(b"x-request-id", b"").decode("ascii", "ignore")[:100] or uuid4().hex
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
        await self._app(scope, _bounded(_opened(scope, receive), most), sending)


def head_too_large(most: int) -> str:
    """Say that a request's line and headers are more than the limit."""
    return f"The request's line and headers are over {most} bytes"


def _head_bytes(scope: AsgiScope) -> int:
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    return fields + len(scope["query_string"]) + len(scope["path"])


def _too_large(most: int) -> str:
    return f"The body is over {most} bytes"


def _opened(scope: AsgiScope, receive: Receive) -> Receive:
    """Take nothing of a body in before its sender's key, rate and scope have been looked at."""
    looked = False

    async def receiving() -> Message:
        nonlocal looked
        if not looked:
            looked = True
            if (door := door_of(scope.get("route"))) is not None:
                await door(Request(scope))  # An HTTPException goes up as from a dependency.
        return await receive()

    return receiving


def _bounded(receive: Receive, most: int) -> Receive:
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:  # An HTTPException, which FastAPI lets through where it reads bodies.
            raise HTTPException(413, _too_large(most))
        return message

    return receiving
