"""What a command comes with besides its body: its headers, and whether it is a dry run."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.exceptions import RequestValidationError

from campaigns.domain.api_keys import Caller
from campaigns.log.writer import Origin
from campaigns.process.observability import correlation_id
from campaigns.records.record import Idempotency
from command_api.http.bodies import key_unusable
from command_api.http.json_body import LARGE_BYTES
from command_api.idempotency import request_digest

if TYPE_CHECKING:
    from command_api.service import CommandApi

PREFIX = "/api/v1/campaigns"
Lines = Annotated[list[str], Header()]  # A list may be spread over several header lines.
DryRun = Annotated[bool, Query(description="Say what would be answered, and change nothing.")]
_VERSION = re.compile(r'"([0-9]{1,16})"', re.ASCII)
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')  # A comma in quotes does not separate.


@dataclass(frozen=True, slots=True)
class Options:
    """What a command came with besides its body."""

    keyed: Idempotency | None
    asynchronous: bool  # Prefer: respond-async.
    if_match: frozenset[int] | None
    dry_run: bool


NO_OPTIONS = Options(None, asynchronous=False, if_match=None, dry_run=False)
OPTIONAL = frozenset({b"idempotency-key", b"prefer", b"if-match"})  # Headers that set an option.
KeyedOf = Callable[[Request, str | None], Awaitable[Idempotency | None]]
OptionsOf = Callable[[Request, str | None, list[str], list[str], bool], Awaitable[Options]]


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
        request_parts = request.method, request.url.path, body
        if len(body) <= LARGE_BYTES:
            return Idempotency(idempotency_key, request_digest(*request_parts))
        # In a thread: hashing releases the interpreter lock.
        return Idempotency(idempotency_key, await asyncio.to_thread(request_digest, *request_parts))

    return keyed


def options_of(service: "CommandApi") -> OptionsOf:
    """Return the dependency that reads a command's headers, and whether it is a dry run."""
    keyed_known = idempotency_of(service)

    async def options(
        request: Request,
        idempotency_key: Annotated[str | None, Header()] = None,
        prefer: Lines = [],  # noqa: B006  (FastAPI's way to declare none; never mutated)
        if_match: Lines = [],  # noqa: B006
        dry_run: DryRun = False,
    ) -> Options:
        keyed = await keyed_known(request, idempotency_key)
        return Options(keyed, asynchronous(prefer), versions(if_match), dry_run)

    return options


async def never_tried(dry_run: Annotated[bool, Query(include_in_schema=False)] = False) -> None:
    """Refuse a dry run of a command that has none: it would be done.

    Raises:
        RequestValidationError: `dry_run` was given.

    """
    if dry_run:
        message = "dry_run is not supported here"
        raise RequestValidationError(
            [{"loc": ("query", "dry_run"), "msg": message, "type": "value_error"}]
        )


InEarnest = Annotated[None, Depends(never_tried)]


def asynchronous(prefer: Sequence[str]) -> bool:
    """Say whether the lines of Prefer ask for `respond-async`, among other preferences.

    Source: RFC 7240, sections 2 and 4.1.
    """
    for preference in _PREFERENCE.findall(",".join(prefer)):
        name, _, value = preference.split(";")[0].partition("=")
        if name.strip().lower() == "respond-async" and value.strip() in ("", '""'):
            return True
    return False


def versions(if_match: Sequence[str]) -> frozenset[int] | None:
    """Read the lines of If-Match: the versions that they name, or None for any (no line, or `*`).

    An entity tag of another form matches no version. Source: RFC 9110, section 13.1.1.
    """
    named = [one.strip() for line in if_match for one in line.split(",")]
    if not if_match or named == ["*"]:
        return None
    found = (_VERSION.fullmatch(one) for one in named)
    return frozenset(int(match[1]) for match in found if match)


def origin_of(caller: Caller, keyed: Idempotency | None) -> Origin:
    """Return the origin of a command: its caller, and the request."""
    return Origin(caller.actor, correlation_id.get(), idempotency=keyed)
