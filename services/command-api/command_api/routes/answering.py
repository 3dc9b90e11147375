"""What the routes of all commands have in common: what was asked besides the body, and answers."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from campaigns.api_keys import Caller
from campaigns.campaign import Campaign
from campaigns.decider import Reason, Rejected, Unchanged
from campaigns.errors import OperatingError
from campaigns.handling import Handled, Origin, Reread
from campaigns.http import POSITION, etag, json_response, refusal
from campaigns.observing import BARRIER_S, COMMAND_S, COMMANDS, correlation_id
from campaigns.public import campaign_shape, receipt_shape
from campaigns.record import Idempotency
from command_api.bodies import key_unusable
from command_api.idempotency import request_digest
from command_api.settling import Settled
from command_api.verb import M, Verb

if TYPE_CHECKING:
    from command_api.service import CommandApi

PREFIX = "/api/v1/campaigns"
Lines = Annotated[list[str], Header()]  # A list may stand in several lines of one name.
DryRun = Annotated[bool, Query(description="Say what would be answered, and change nothing.")]
_VERSION = re.compile(r'"([0-9]{1,16})"', re.ASCII)
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')  # A comma in quotes parts nothing.


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was asked with, besides its body."""

    keyed: Idempotency | None
    asynchronous: bool  # Prefer: respond-async.
    if_match: frozenset[int] | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """A command that was only tried, and would be done."""


KeyedOf = Callable[[Request, str | None], Awaitable[Idempotency | None]]
AskedOf = Callable[[Request, str | None, list[str], list[str], bool], Awaitable[Asked]]


def idempotency_of(service: "CommandApi") -> KeyedOf:
    """Return the dependency that reads the Idempotency-Key and digests the request."""
    longest = service.settings.idempotency_key_length_max

    async def keyed(
        request: Request, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Idempotency | None:
        if idempotency_key is None:
            return None
        if not 1 <= len(idempotency_key) <= longest:
            raise key_unusable(f"expected 1 to {longest} characters")
        body = await request.body()
        return Idempotency(idempotency_key, request_digest(request.method, request.url.path, body))

    return keyed


def asked_of(service: "CommandApi") -> AskedOf:
    """Return the dependency that reads a command's headers, and whether it is only tried."""
    keyed_known = idempotency_of(service)

    async def asked(
        request: Request,
        idempotency_key: Annotated[str | None, Header()] = None,
        prefer: Lines = [],  # noqa: B006  (FastAPI's way to say none; never changed)
        if_match: Lines = [],  # noqa: B006
        dry_run: DryRun = False,
    ) -> Asked:
        keyed = await keyed_known(request, idempotency_key)
        return Asked(keyed, asynchronous(prefer), versions(if_match), dry_run)

    return asked


async def never_tried(dry_run: Annotated[bool, Query(include_in_schema=False)] = False) -> None:
    """Refuse to try what cannot be tried: else it would be done in earnest.

    Raises:
        RequestValidationError: `dry_run` was asked for.

    """
    if dry_run:
        message = "dry_run is not supported here"
        raise RequestValidationError(
            [{"loc": ("query", "dry_run"), "msg": message, "type": "value_error"}]
        )


InEarnest = Annotated[None, Depends(never_tried)]


def asynchronous(prefer: Sequence[str]) -> bool:
    """Say whether Prefer's lines ask for `respond-async`, among whatever else they ask for.

    Source: RFC 7240, sections 2 and 4.1.
    """
    for preference in _PREFERENCE.findall(",".join(prefer)):
        name, _, value = preference.split(";")[0].partition("=")
        if name.strip().lower() == "respond-async" and value.strip() in ("", '""'):
            return True
    return False


def versions(if_match: Sequence[str]) -> frozenset[int] | None:
    """Read If-Match's lines: the versions that they name, or None for any (no line, or `*`).

    What is no version of ours matches none. Source: RFC 9110, section 13.1.1.
    """
    named = [one.strip() for line in if_match for one in line.split(",")]
    if not if_match or named == ["*"]:
        return None
    found = (_VERSION.fullmatch(one) for one in named)
    return frozenset(int(match[1]) for match in found if match)


def origin_of(caller: Caller, keyed: Idempotency | None) -> Origin:
    """Return who asks, on behalf of which request."""
    return Origin(caller.actor, correlation_id.get(), idempotency=keyed)


async def decided(
    service: "CommandApi",
    verb: Verb[M],
    command: M,
    caller: Caller,
    asked: Asked,
    reread: Reread[M] | None = None,
) -> Handled | Unchanged | Tried:
    """Decide a command, or only try it.

    Raises:
        HTTPException: it was rejected.
        RequestValidationError: its Idempotency-Key came with another request before.

    """
    if asked.dry_run:
        if isinstance(no := await service.preview(verb, command, reread), Rejected):
            raise refused(verb.name, no)
        return Tried()
    with counted(verb.name):
        done = await service.move(verb, command, origin_of(caller, asked.keyed), reread)
    if isinstance(done, Rejected):
        if done.reason in verb.quiet:
            await service.settled(command.campaign_id)  # So that this misleads nobody either.
        raise refused(verb.name, done)
    return done


async def settle(
    service: "CommandApi", campaign: Campaign, handled: Handled, asked: Asked
) -> Settled | None:
    """Wait at the barrier; None when the client prefers not to. Source: RFC 7240."""
    if asked.asynchronous:
        return None
    settled = await service.settled(campaign.campaign_id, handled.ruling.position)
    BARRIER_S.observe(settled.settled_in_ms / 1000)
    return settled


def halted(
    campaign: Campaign, handled: Handled, settled: Settled | None, shape: dict[str, object]
) -> Response:
    """Answer a command that ends calling: with its receipt, which says how the answer is known."""
    if handled.ruling.position == campaign.halted_position:
        abandoned = campaign.abandoned
    else:  # Somebody has resumed meanwhile, and paused again: what was seen by who waited.
        abandoned = settled.permissions_abandoned if settled else 0
    receipt = receipt_shape(campaign, handled.ruling.at, abandoned)
    headers = headers_of(campaign, handled)
    if settled is None:
        headers["Preference-Applied"] = "respond-async"
        return json_response({**shape, "receipt": receipt}, 202, headers)
    receipt["settled_in_ms"] = round(settled.settled_in_ms, 3)
    return json_response({**shape, "receipt": receipt}, 200, headers)


def tried(campaign: Campaign, verb: Verb[M]) -> Response:
    """Answer what was only tried: the campaign as it is, and what the receipt would rest on."""
    shape = campaign_shape(campaign)
    shape |= {
        "message": f"Campaign would be {verb.done}",
        "dry_run": True,
        "receipt": receipt_shape(campaign, None),
    }
    return json_response(shape, 200, {"ETag": etag(campaign)})


def headers_of(campaign: Campaign, handled: Handled | Unchanged) -> dict[str, str]:
    """Return the headers of an answer: the campaign's version, and where the record stands."""
    headers = {"ETag": etag(campaign)}
    if isinstance(handled, Handled):
        headers[POSITION] = handled.ruling.at
    return headers


@contextmanager
def counted(verb: str) -> Iterator[None]:
    """Count a command that is answered 503, by whether it may still take effect."""
    try:
        yield
    except OperatingError as no:
        outcome = "unknown" if no.may_still_take_effect else "unavailable"
        COMMANDS.labels(verb, outcome).inc()
        raise


def refused(verb: str, no: Rejected) -> Exception:
    """Count a no, and return it as an HTTP error."""
    COMMANDS.labels(verb, no.reason.value).inc()
    if no.reason is Reason.KEY_REUSED:
        return key_unusable(no.detail)
    return refusal(no)


def count(verb: str, began: float) -> None:
    """Count a command that was done. `began`: by perf_counter."""
    COMMANDS.labels(verb, "done").inc()
    COMMAND_S.labels(verb).observe(perf_counter() - began)
