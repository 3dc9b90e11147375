"""Create, start, pause, resume, stop: parse, decide, wait, answer."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response

from campaigns.api_keys import Caller
from campaigns.campaign import Campaign
from campaigns.decider import Decider, Reason, Rejected
from campaigns.folding import Campaigns
from campaigns.handling import Handled, Origin
from campaigns.http import (
    ERRORS,
    POSITION,
    CampaignId,
    caller_of,
    json_response,
    refusal,
)
from campaigns.observing import BARRIER_S, COMMAND_S, COMMANDS, correlation_id
from campaigns.public import campaign_shape
from campaigns.record import Idempotency
from command_api.bodies import (
    CreateBody,
    ReasonBody,
    guarantee,
    key_unusable,
    refuse_schedule,
    refuse_until,
    settings_of,
)
from command_api.create import CreateCampaign
from command_api.idempotency import request_digest
from command_api.moves import MoveCampaign
from command_api.pause import PAUSE
from command_api.resume import RESUME
from command_api.routes.plain import KeyedOf, plain_route
from command_api.rows import parse_contacts
from command_api.settling import Settled
from command_api.start import START
from command_api.stop import STOP

if TYPE_CHECKING:
    from command_api.service import CommandApi

PREFIX = "/api/v1/campaigns"
Prefer = Annotated[str, Header()]
Move = Decider[Campaigns, MoveCampaign, Campaign | None]


def router(service: "CommandApi") -> APIRouter:
    """Return the commands of a campaign's life, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"])
    caller_known, keyed_known = caller_of(service.keys), idempotency_of(service)
    who = Annotated[Caller, Depends(caller_known)]
    key = Annotated[Idempotency | None, Depends(keyed_known)]

    async def create(body: CreateBody, caller: who, keyed: key) -> Response:
        """Create a campaign as a draft, with its contacts if it has any."""
        return await _create(service, body, caller, keyed)

    for path in ("", "/"):
        routes.add_api_route(
            path, create, methods=["POST"], responses=ERRORS, include_in_schema=path == ""
        )
    routes.route_class = plain_route(caller_known, keyed_known)

    @routes.post("/{campaign_id}/start", responses=ERRORS)
    async def start(
        campaign_id: CampaignId,
        caller: who,
        keyed: key,
        body: ReasonBody | None = None,
        prefer: Prefer = "",
    ) -> Response:
        """Start a campaign, or resume it when it is paused: there is nothing to prefer."""
        return await _start(service, START, campaign_id, caller, keyed, body)

    @routes.post("/{campaign_id}/resume", responses=ERRORS)
    async def resume(
        campaign_id: CampaignId,
        caller: who,
        keyed: key,
        body: ReasonBody | None = None,
        prefer: Prefer = "",
    ) -> Response:
        """Resume a paused campaign where it left off: there is nothing to prefer."""
        return await _start(service, RESUME, campaign_id, caller, keyed, body)

    @routes.post("/{campaign_id}/pause", responses=ERRORS | _ACCEPTED)
    async def pause(
        campaign_id: CampaignId,
        caller: who,
        keyed: key,
        body: ReasonBody | None = None,
        prefer: Prefer = "",
    ) -> Response:
        """Stop new calls. Answers once no call permitted before the pause can still begin."""
        message = "Campaign paused successfully"
        return await _halt(service, PAUSE, campaign_id, caller, keyed, body, prefer, message)

    async def stop(
        campaign_id: CampaignId,
        caller: who,
        keyed: key,
        body: ReasonBody | None = None,
        prefer: Prefer = "",
    ) -> Response:
        """Stop a campaign for good; who is pending is cancelled. Waits as a pause does."""
        message = "Campaign stopped successfully"
        return await _halt(service, STOP, campaign_id, caller, keyed, body, prefer, message)

    for verb in ("stop", "cancel"):
        routes.add_api_route(
            f"/{{campaign_id}}/{verb}", stop, methods=["POST"], name=verb,
            responses=ERRORS | _ACCEPTED,
        )  # fmt: skip
    return routes


_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"description": "Prefer: respond-async. It counts; calls on their way may still begin"}
}


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


def origin_of(caller: Caller, keyed: Idempotency | None) -> Origin:
    """Return who asks, on behalf of which request."""
    return Origin(caller.actor, correlation_id.get(), idempotency=keyed)


async def _create(
    service: "CommandApi", body: CreateBody, caller: Caller, keyed: Idempotency | None
) -> Response:
    began = perf_counter()
    refuse_schedule(body)
    settings, welcome, agenda = settings_of(body)
    if body.contacts and len(body.contacts) > service.settings.contacts_max:
        raise HTTPException(413, f"More than {service.settings.contacts_max} contacts")
    rows = parse_contacts(body.contacts) if body.contacts else []
    named = dict.fromkeys(name for row in rows for name in row.variables)
    command = CreateCampaign(
        organization_id=caller.organization_id,
        assistant_id=body.assistant_id,
        name=body.name,
        description=body.description,
        campaign_type=body.campaign_type,
        welcome_message_template=welcome,
        agenda_template=agenda,
        end_call_message_template=body.end_call_message_template,
        sms_message_template=body.sms_message_template,
        fallback_values=body.fallback_values or {},
        variable_mappings=body.variable_mappings or {},
        available_variables=tuple(body.available_variables or list(named)[:100]),
        settings=settings,
        phone_number_id=body.phone_number_id,
        pending_import=body.pending_import,
        now=service.clock.now(),
    )
    made = await service.creating.create(command, rows, origin_of(caller, keyed))
    if isinstance(made, Rejected):
        raise _refused("create", made)
    campaign, ruling = made
    _count("create", began)
    return json_response(campaign_shape(campaign), 200, {POSITION: ruling.at} if ruling else None)


async def _move(
    service: "CommandApi",
    decider: Move,
    command: MoveCampaign,
    caller: Caller,
    keyed: Idempotency | None,
    verb: str,
) -> Handled:
    match await service.move(decider, command, origin_of(caller, keyed)):
        case Rejected(reason=Reason.ALREADY_PAUSED) as no:
            await service.settled(command.campaign_id)  # So that this 400 misleads nobody either.
            raise _refused(verb, no)
        case Rejected() as no:
            raise _refused(verb, no)
        case handled:
            return handled


async def _start(
    service: "CommandApi",
    decider: Move,
    campaign_id: int,
    caller: Caller,
    keyed: Idempotency | None,
    body: ReasonBody | None,
) -> Response:
    began = perf_counter()
    verb = "start" if decider is START else "resume"
    command = MoveCampaign(
        campaign_id, caller.organization_id, service.clock.now(), refuse_until(body)
    )
    handled = await _move(service, decider, command, caller, keyed, verb)
    campaign = service.campaigns.by_id[campaign_id]
    _count(verb, began)
    shape = campaign_shape(campaign) | {
        "success": True,
        "message": "Campaign execution started immediately",
        "task_id": handled.record_id,
        "campaign_id": campaign_id,
        "scheduled_time": None,
    }
    return json_response(shape, 200, _at(handled))


async def _halt(
    service: "CommandApi",
    decider: Move,
    campaign_id: int,
    caller: Caller,
    keyed: Idempotency | None,
    body: ReasonBody | None,
    prefer: str,
    message: str,
) -> Response:
    began = perf_counter()
    verb = "pause" if decider is PAUSE else "stop"
    command = MoveCampaign(
        campaign_id, caller.organization_id, service.clock.now(), refuse_until(body)
    )
    handled = await _move(service, decider, command, caller, keyed, verb)
    assert handled.ruling is not None, "these commands are never already so"
    campaign = service.campaigns.by_id[campaign_id]
    headers, settled = _at(handled), None
    status = 202 if _asynchronous(prefer) else 200
    if status == 202:  # RFC 7240: the ruling stands; the barrier is not waited for.
        headers["Preference-Applied"] = "respond-async"
    else:
        settled = await service.settled(campaign_id, handled.ruling.position)
        BARRIER_S.observe(settled.settled_in_ms / 1000)
    _count(verb, began)
    shape = campaign_shape(campaign)
    shape["message"] = message
    shape["receipt"] = _receipt(campaign, handled, settled)
    return json_response(shape, status, headers)


def _receipt(campaign: Campaign, handled: Handled, settled: Settled | None) -> dict[str, object]:
    """Say how the answer is known."""
    receipt: dict[str, object] = {
        "position": handled.ruling.at if handled.ruling else None,
        "calls_in_progress": len(campaign.calling()),
        "permissions_abandoned": settled.permissions_abandoned if settled else 0,
        "contacts_pending": campaign.counters.pending,
        "guarantee": guarantee(campaign),
    }
    if settled is not None:
        receipt["settled_in_ms"] = round(settled.settled_in_ms, 3)
    return receipt


def _asynchronous(prefer: str) -> bool:
    return any(
        preference.split(";")[0].strip().lower() == "respond-async"
        for preference in prefer.split(",")
    )


def _at(handled: Handled) -> dict[str, str]:
    return {POSITION: handled.ruling.at} if handled.ruling else {}


def _refused(verb: str, no: Rejected) -> Exception:
    COMMANDS.labels(verb, no.reason.value).inc()
    if no.reason is Reason.KEY_REUSED:
        return key_unusable(no.detail)
    return refusal(no)


def _count(verb: str, began: float) -> None:
    COMMANDS.labels(verb, "done").inc()
    COMMAND_S.labels(verb).observe(perf_counter() - began)
