"""Authentication, error bodies and limits of both HTTP services."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import orjson
from fastapi import HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Address

from campaigns.domain.api_keys import ApiKeys, Caller, key_hash
from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import Scope
from campaigns.http.rate_limits import RateLimits
from campaigns.http.session_cookie import foreign_origin, key_given
from campaigns.process.errors import OperatingError
from campaigns.process.metrics import KEYS_REFUSED, SHARES_SPENT
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)  # During an outage every request logs the same.

RETRY_AFTER_S = 1  # An integer: the public SDK fails on a date or a decimal.
ID_MAX = 2**53 - 1  # JSON numbers are exact up to here.
UNAUTHORIZED = "Invalid or missing API key"  # Source: contract 9.11.
TOO_OFTEN = "This key asks too often"
TOO_MANY_AT_ONCE = "Too many requests of this organization, or key, at once"
TOO_HEAVY_AT_ONCE = "This organization's requests in progress are too large together"
TOO_HEAVY = "All requests in progress are too large together"
TOO_MANY_WRONG = "Too many requests without a valid API key"
# Keys of a request's ASGI scope.
CALLER = "dialgate.caller"  # The caller, once the key is verified.
ENDED = "dialgate.ended"  # The callbacks to call when the request is over.
TOLD = "dialgate.told"  # The callback that tells the connection its caller.
UNKNOWN = "dialgate.unknown"  # Set once the key was found to be unknown.

POSITION = "Dialgate-Position"  # partition@position: an answer shows at least this much.

CampaignId = Annotated[int, Path(ge=1, le=ID_MAX)]

# The HTTP status of each reason. Source: contract 1.3 and 9.
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
    Reason.UNKNOWN_WEBHOOK: 404,
    Reason.TOO_MANY_WEBHOOKS: 400,
    Reason.NO_MASTER_KEY: 409,
    Reason.KEY_REUSED: 422,
    Reason.LEVEL_BELOW: 400,
    Reason.CONTACT_DONE: 400,
    Reason.ERASED: 400,
    Reason.KEY_MISSING: 400,
    Reason.ATTEMPTS_SPENT: 400,
    Reason.OUTSIDE_HOURS: 400,
    Reason.RESTING: 400,
    Reason.ALL_LINES_BUSY: 400,
    Reason.RATE: 400,
    Reason.CARRIER_FULL: 400,
    Reason.LOG_SLOW: 400,
    Reason.AWAITS_DIALER: 400,
    Reason.ALL_RESTING: 400,
    Reason.OTHERS_FIRST: 400,
    Reason.NO_CONTACTS_LEFT: 400,
    Reason.TOO_SOON: 400,
}


class RefusedError(HTTPException):
    """A rejection, whose body may have more fields than `detail`."""

    def __init__(self, no: Rejected) -> None:
        super().__init__(STATUS[no.reason], no.detail)
        self.more = no.more or {}


def refusal(no: Rejected) -> HTTPException:
    """Return a rejection as an HTTP error with its documented text."""
    return RefusedError(no)


def etag(campaign: Campaign) -> str:
    """Return a campaign's version, for If-Match. Counters change without changing it.

    Source: contract 10.
    """
    return f'"{campaign.version}"'


CallerOf = Callable[[Request], Awaitable[Caller]]
_RANK = {scope: rank for rank, scope in enumerate(Scope)}


class Door:
    """The dependency that authenticates a request. Edge calls it before a body is read."""

    def __init__(self, keys: ApiKeys, limits: RateLimits, needed: Scope) -> None:
        self._keys, self._limits, self._needed = keys, limits, needed

    async def __call__(self, request: Request) -> Caller:
        """Return the caller; a request is counted once, however often this is called."""
        if (known := request.scope.get(CALLER)) is not None:
            assert isinstance(known, Caller), "only this method sets it"
            return known
        key, by_cookie = key_given(request)
        found = self._keys.callers.get(key_hash(key)) if key else None
        if found is None:
            raise self._refused(request)
        if by_cookie and (foreign := foreign_origin(request)) is not None:
            raise HTTPException(403, foreign)
        if (wait_s := self._limits.wait_s(found)) > 0:
            raise HTTPException(429, TOO_OFTEN, {"Retry-After": str(wait_s)})
        needed = self._needed
        if _RANK[found.scope] < _RANK[needed]:
            raise HTTPException(403, f"This key may not do that: it needs the scope '{needed}'")
        self._count(request, found)
        request.scope[CALLER] = found
        if (told := request.scope.get(TOLD)) is not None:
            told(found)
        return found

    def _count(self, request: Request, caller: Caller) -> None:
        """Count this request against the caller's share until Edge sees its end."""
        if (ended := request.scope.get(ENDED)) is None:
            return
        give_back = self._limits.at_once.take(caller)
        if give_back is None:
            SHARES_SPENT.labels("requests").inc()
            raise HTTPException(429, TOO_MANY_AT_ONCE, {"Retry-After": str(RETRY_AFTER_S)})
        ended.append(give_back)

    def _refused(self, request: Request) -> HTTPException:
        """Count a request without a known key; once, however often this is called."""
        no = HTTPException(401, UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
        if UNKNOWN in request.scope:
            return no
        request.scope[UNKNOWN] = True
        return wrong_key(self._limits, request.client) or no


def wrong_key(limits: RateLimits, client: Address | None) -> HTTPException | None:
    """Count a request without a known key, and log it at a bounded rate.

    Returns the 429 for an address that sends too many; its requests with known keys still pass.
    """
    KEYS_REFUSED.inc()
    address = client.host if client else ""
    logger.warning("a request without a known key, from %s", address)
    if (wait_s := limits.wrong_wait_s(address)) > 0:
        return HTTPException(429, TOO_MANY_WRONG, {"Retry-After": str(wait_s)})
    return None


def caller_of(keys: ApiKeys, limits: RateLimits, needed: Scope = Scope.OPERATE) -> Door:
    """Return the dependency that authenticates a request.

    Raises 401 without a known key, 403 without the scope, 429 over the key's rate or share.
    """
    return Door(keys, limits, needed)


def door_of(route: object) -> CallerOf | None:
    """Return the dependency that authenticates a route's requests. None: it needs no key."""
    dependant = getattr(route, "dependant", None)
    dependencies = dependant.dependencies if dependant else ()
    return next((one.call for one in dependencies if isinstance(one.call, Door)), None)


def json_response(
    shape: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response without validating it."""
    return JsonAnswer(orjson.dumps(shape), status, headers)


class JsonAnswer(Response):
    """A response of JSON, with headers of our own: none of them says a length or a type."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Encode the headers."""
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        raw.append((b"content-length", b"%d" % len(self.body)))
        raw.append((b"content-type", b"application/json"))
        self.raw_headers = raw


def head_too_large(most: int) -> str:
    """Return the message for a request whose line and headers are over the limit."""
    return f"The request's line and headers are over {most} bytes"


async def unavailable(request: Request, error: Exception) -> Response:
    """Answer 503: nothing was done, or the outcome is unknown."""
    assert isinstance(error, OperatingError), "registered for this class only"
    logger.warning("answered 503: %s", error)
    return JSONResponse(
        {"detail": str(error), "may_still_take_effect": error.may_still_take_effect},
        503,
        {"Retry-After": str(RETRY_AFTER_S)},
    )


async def refused(request: Request, error: Exception) -> Response:
    """Answer a rejection, with its additional fields."""
    assert isinstance(error, RefusedError), "registered for this class only"
    return JSONResponse({"detail": error.detail, **error.more}, error.status_code)


async def unprocessable(request: Request, error: Exception) -> Response:
    """Answer 422 in FastAPI's shape, without `input`, which need not be JSON or Unicode."""
    assert isinstance(error, RequestValidationError), "registered for this class only"
    detail = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()]
    # Escaped, so that a lone surrogate in a field's name can be encoded.
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
