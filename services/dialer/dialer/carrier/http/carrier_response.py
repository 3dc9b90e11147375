"""One HTTP response of a carrier process: its request, its size limit, its meaning."""

from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from dialer.carrier.home_keeper import HOME, DialingHome
from dialer.carrier.http.connections import CarrierConnection, CarrierConnections
from dialer.carrier.http.wire import ANSWER, CARRIER, NotFoundAnswer
from dialer.carrier.port import Found
from dialer.carrier.validation import ImplausibleError

ANSWER_BYTES_MAX = 65_536  # About one call: more is nonsense.


@dataclass(frozen=True, slots=True)
class CarrierResponse:
    """A response, read to its end."""

    verb: str
    call_id: str
    status: int
    carrier: str | None  # The id of the carrier that answers.
    body: bytes


async def send(
    connection: CarrierConnection,
    verb: str,
    call_id: str,
    meant: str | None,
    content: str | None = None,
    home: DialingHome | None = None,
) -> CarrierResponse:
    """Send one request for the carrier `meant`; read its response up to the limit.

    `home`: for which home of a log a call is placed.
    """
    headers = {"content-type": "application/json"} if content else {}
    if home is not None:
        headers[HOME] = home.spelt()
    if meant is not None:
        headers[CARRIER] = meant
    async with connection.stream(verb, path(call_id), headers, content) as response:
        body = b""
        async for some in response.aiter_raw():
            body += some
            if len(body) > ANSWER_BYTES_MAX:
                raise CarrierNonsenseError(
                    f"carrier, {verb} {call_id}: expected at most {ANSWER_BYTES_MAX} bytes"
                )
    who = response.headers.get(CARRIER)
    return CarrierResponse(verb, call_id, response.status_code, who, body)


async def ask(
    connections: CarrierConnections,
    verb: str,
    call_id: str,
    meant: str | None,
    content: str | None = None,
    home: DialingHome | None = None,
) -> CarrierResponse:
    """Send one request, as `send`, as soon as a connection is free.

    Raises:
        CarrierUnavailableError: no whole response.

    """
    try:
        async with connections.one() as connection:
            return await send(connection, verb, call_id, meant, content, home)
    except httpx.HTTPError as exc:
        unavailable(verb, call_id, exc)


def parsed(answer: CarrierResponse) -> Found:
    """Parse a response. A 404 counts only with the carrier's body: a proxy answers 404 too."""
    if answer.status not in (200, 404):
        unavailable(answer.verb, answer.call_id, answer.status)
    try:
        what = ANSWER.validate_json(answer.body)
    except ValidationError as exc:
        if answer.status == 404:
            unavailable(answer.verb, answer.call_id, exc)
        raise ImplausibleError(f"{answer.body[:100]!r}, {exc.error_count()} errors") from exc
    if isinstance(what, NotFoundAnswer) is not (answer.status == 404):
        unavailable(answer.verb, answer.call_id, answer.status)
    return what.found()


def path(call_id: str) -> str:
    """Return a call's path."""
    return f"/calls/{quote(call_id, safe='')}"


def unavailable(verb: str, what: str, why: object) -> NoReturn:
    """Raise CarrierUnavailableError: the phone may ring or not."""
    cause = why if isinstance(why, Exception) else None
    raise CarrierUnavailableError(f"carrier, {verb} {what}: {why!r}") from cause
