"""What all command routes share: how a command is decided, waited for and answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

from fastapi import Response
from prometheus_client import Counter, Histogram

from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.http.campaign_json import campaign_shape
from campaigns.http.door import POSITION, etag, json_response, refusal
from campaigns.log.writer import Handled, Reread
from campaigns.process.errors import OperatingError
from campaigns.process.metrics import BARRIER_S, COMMAND_S, COMMANDS
from command_api.barrier import Settled
from command_api.commands.lifecycle import M
from command_api.commands.verb import Verb
from command_api.http.bodies import key_unusable
from command_api.http.options import Options, origin_of

if TYPE_CHECKING:
    from command_api.service import CommandApi


@dataclass(frozen=True, slots=True)
class Tried:
    """The outcome of a dry run: the command would be done."""


async def decided(
    service: "CommandApi",
    verb: Verb[M],
    command: M,
    caller: Caller,
    options: Options,
    reread: Reread[M] | None = None,
) -> Handled | Unchanged | Tried:
    """Decide a command, or try it in a dry run.

    Raises:
        HTTPException: it was rejected.
        RequestValidationError: its Idempotency-Key was used with another request before.

    """
    if options.dry_run:
        if isinstance(no := await service.preview(verb, command, reread), Rejected):
            raise refused(verb.name, no)
        return Tried()
    with counted(verb.name):
        done = await service.move(verb, command, origin_of(caller, options.keyed), reread)
    if isinstance(done, Rejected):
        if done.reason in verb.settled_reasons:
            await service.settled(command.campaign_id)  # Then this 400 is as true as a 200.
        raise refused(verb.name, done)
    return done


async def settle(
    service: "CommandApi", campaign: Campaign, handled: Handled, options: Options
) -> Settled | None:
    """Wait at the barrier; None when the client prefers not to. Source: RFC 7240."""
    if options.asynchronous:
        return None
    settled = await service.settled(campaign.campaign_id, handled.ruling.position)
    BARRIER_S.observe(settled.settled_in_ms / 1000)
    return settled


def halted(
    campaign: Campaign, handled: Handled, settled: Settled | None, shape: dict[str, object]
) -> Response:
    """Answer a command that ends calling, with its receipt."""
    if handled.ruling.position == campaign.halted_position:
        abandoned = campaign.abandoned
    else:  # Resumed and paused again meanwhile: count what this wait saw.
        abandoned = settled.permissions_abandoned if settled else 0
    receipt = receipt_shape(campaign, handled.ruling.at, abandoned)
    headers = headers_of(campaign, handled)
    if settled is None:
        headers["Preference-Applied"] = "respond-async"
        return json_response({**shape, "receipt": receipt}, 202, headers)
    receipt["settled_in_ms"] = round(settled.settled_in_ms, 3)
    return json_response({**shape, "receipt": receipt}, 200, headers)


def tried(campaign: Campaign, verb: Verb[M]) -> Response:
    """Answer a dry run: the campaign as it is, and what the receipt would rest on."""
    shape = campaign_shape(campaign)
    shape |= {
        "message": f"Campaign would be {verb.done}",
        "dry_run": True,
        "receipt": receipt_shape(campaign, None),
    }
    return json_response(shape, 200, {"ETag": etag(campaign)})


def headers_of(campaign: Campaign, handled: Handled | Unchanged) -> dict[str, str]:
    """Return the headers of an answer: the campaign's version, and the record's position."""
    headers = {"ETag": etag(campaign)}
    if isinstance(handled, Handled):
        headers[POSITION] = handled.ruling.at
    return headers


@contextmanager
def counted(verb: str) -> Iterator[None]:
    """Count a command that is answered 503, by whether it may still take effect."""
    try:
        yield
    except OperatingError as exc:
        outcome = "unknown" if exc.may_still_take_effect else "unavailable"
        COMMANDS.labels(verb, outcome).inc()
        raise


def refused(verb: str, no: Rejected) -> Exception:
    """Count a rejection, and return it as an HTTP error."""
    COMMANDS.labels(verb, no.reason.value).inc()
    if no.reason is Reason.KEY_REUSED:
        return key_unusable(no.detail)
    return refusal(no)


def count(verb: str, began: float) -> None:
    """Count a command that was done. `began`: when, by perf_counter."""
    done, seconds = _metrics(verb)
    done.inc()
    seconds.observe(perf_counter() - began)


@cache
def _metrics(verb: str) -> tuple[Counter, Histogram]:
    """Return a verb's own metrics. Kept, because to look them up by labels takes longer."""
    return COMMANDS.labels(verb, "done"), COMMAND_S.labels(verb)
