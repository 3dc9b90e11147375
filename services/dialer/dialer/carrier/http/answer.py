"""One answer of a carrier process: how it is asked for, how far it is read, what it says."""

from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from dialer.carrier.http.wire import ANSWER, CARRIER, NotFoundAnswer
from dialer.carrier.port import Found
from dialer.carrier.testimony import ImplausibleError

ANSWER_BYTES_MAX = 65_536  # About one call: more is nonsense.


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    verb: str
    call_id: str
    status: int
    carrier: str | None  # Who answers, as it says.
    body: bytes


async def asked(
    connection: httpx.AsyncClient,
    verb: str,
    call_id: str,
    meant: str | None,
    content: str | None = None,
) -> Answered:
    """Send one request to the carrier that is meant; read its answer as far as one may go."""
    headers = {"content-type": "application/json"} if content else {}
    if meant is not None:
        headers[CARRIER] = meant
    async with connection.stream(verb, path(call_id), content=content, headers=headers) as response:
        body = b""
        async for some in response.aiter_bytes():
            body += some
            if len(body) > ANSWER_BYTES_MAX:
                raise CarrierNonsenseError(
                    f"carrier, {verb} {call_id}: expected at most {ANSWER_BYTES_MAX} bytes"
                )
    who = response.headers.get(CARRIER)
    return Answered(verb, call_id, response.status_code, who, body)


def read(answer: Answered) -> Found:
    """Read an answer; a 404 is one only when it says so itself (a proxy has 404s too)."""
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
    """Return where a call is."""
    return f"/calls/{quote(call_id, safe='')}"


def unavailable(verb: str, what: str, why: object) -> NoReturn:
    """Raise that nothing is known: it may ring all the same, or not."""
    cause = why if isinstance(why, Exception) else None
    raise CarrierUnavailableError(f"carrier, {verb} {what}: {why!r}") from cause
