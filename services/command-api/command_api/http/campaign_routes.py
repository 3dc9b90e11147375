"""Create, start, pause, resume, stop: parse, decide, wait, answer."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.http.campaign_json import at, campaign_shape
from campaigns.http.door import POSITION, CampaignId, caller_of, etag, json_response
from campaigns.http.responses import ERRORS, OUTDATED, accepted, ok
from campaigns.log.writer import Handled
from campaigns.records.record import Idempotency
from command_api.commands.create import CreateCampaign
from command_api.commands.lifecycle import MoveCampaign
from command_api.commands.pause import PAUSE
from command_api.commands.schedule import schedule_rejection
from command_api.commands.start import RESUME, START
from command_api.commands.stop import STOP
from command_api.commands.verb import Verb
from command_api.http.bodies import CreateBody, ReasonBody
from command_api.http.json_route import JsonRoute
from command_api.http.options import (
    PREFIX,
    InEarnest,
    Options,
    idempotency_of,
    options_of,
    origin_of,
)
from command_api.http.plain_route import PlainRoutes
from command_api.http.replies import (
    Tried,
    count,
    counted,
    decided,
    halted,
    headers_of,
    refused,
    settle,
    tried,
)
from command_api.http.settings_body import refuse_until, schedule_of, settings_of
from command_api.imports.rows import parse_contacts, variables_of
from command_api.slices import in_slices

if TYPE_CHECKING:
    from command_api.service import CommandApi

QUIET = frozenset({Reason.ALREADY_PAUSED, Reason.NOT_RUNNING, Reason.WRONG_STATUS})
_START, _RESUME = Verb("start", START, "started"), Verb("resume", RESUME, "started")
_PAUSE, _STOP = Verb("pause", PAUSE, "paused", QUIET), Verb("stop", STOP, "stopped", QUIET)

STARTED = "Campaign execution started immediately"  # Source: contract 1.3 row 6.
BEGUN = ERRORS | OUTDATED | ok("CampaignBegun", "CampaignTried")
HALTED = ERRORS | OUTDATED | accepted("CampaignHalted") | ok("CampaignHalted", "CampaignTried")


def router(service: "CommandApi") -> APIRouter:
    """Return the routes of the lifecycle commands, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"], route_class=JsonRoute)
    caller_known, options_known = caller_of(service.keys, service.limits), options_of(service)
    who = Annotated[Caller, Depends(caller_known)]
    key = Annotated[Idempotency | None, Depends(idempotency_of(service))]
    with_what = Annotated[Options, Depends(options_known)]

    @routes.post("", responses=ERRORS | ok("CampaignAnswer"))
    async def create(body: CreateBody, caller: who, keyed: key, in_earnest: InEarnest) -> Response:
        """Create a campaign, with its contacts if it has any: a draft, or scheduled."""
        return await _create(service, body, caller, keyed)

    async def start(
        campaign_id: CampaignId, caller: who, options: with_what, body: ReasonBody | None = None
    ) -> Response:
        """Start a campaign, or resume a paused one; a scheduled one is confirmed."""
        return await _start(service, _START, campaign_id, caller, options, body)

    async def resume(
        campaign_id: CampaignId, caller: who, options: with_what, body: ReasonBody | None = None
    ) -> Response:
        """Resume a paused campaign where it left off: there is nothing to prefer."""
        return await _start(service, _RESUME, campaign_id, caller, options, body)

    async def pause(
        campaign_id: CampaignId, caller: who, options: with_what, body: ReasonBody | None = None
    ) -> Response:
        """Stop new calls. Answers once no call permitted before the pause can still begin."""
        return await _halt(service, _PAUSE, campaign_id, caller, options, body)

    async def stop(
        campaign_id: CampaignId, caller: who, options: with_what, body: ReasonBody | None = None
    ) -> Response:
        """Stop a campaign for good; pending contacts are cancelled. Waits as a pause does."""
        return await _halt(service, _STOP, campaign_id, caller, options, body)

    plain = PlainRoutes(routes, caller_known, options_known)
    plain.post("/{campaign_id}/start", start, BEGUN)
    plain.post("/{campaign_id}/resume", resume, BEGUN)
    plain.post("/{campaign_id}/pause", pause, HALTED)
    plain.post("/{campaign_id}/stop", stop, HALTED)
    plain.post("/{campaign_id}/cancel", stop, HALTED)
    return routes


async def _create(
    service: "CommandApi", body: CreateBody, caller: Caller, keyed: Idempotency | None
) -> Response:
    began, now = perf_counter(), service.clock.now()
    schedule = schedule_of(body, now)
    if schedule is not None and (no := schedule_rejection(schedule, body.campaign_type, now)):
        raise refused("create", no)
    settings, welcome, agenda = settings_of(body)
    if body.contacts and len(body.contacts) > service.settings.contacts_max:
        raise HTTPException(413, f"More than {service.settings.contacts_max} contacts")
    rows = await in_slices(parse_contacts(body.contacts or (), service.settings.phone_country))
    named = await in_slices(variables_of(rows))
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
        available_variables=tuple(body.available_variables or named),
        settings=settings,
        phone_number_id=body.phone_number_id,
        pending_import=body.pending_import,
        now=now,
        schedule=schedule,
    )
    with counted("create"):
        made = await service.creator.create(command, rows, origin_of(caller, keyed))
    if isinstance(made, Rejected):
        raise refused("create", made)
    campaign, ruling = made
    count("create", began)
    headers = {"ETag": etag(campaign)} | ({POSITION: ruling.at} if ruling else {})
    return json_response(campaign_shape(campaign), 200, headers)


def _command(
    service: "CommandApi",
    campaign_id: int,
    caller: Caller,
    options: Options,
    body: ReasonBody | None,
) -> MoveCampaign:
    return MoveCampaign(
        campaign_id,
        caller.organization_id,
        service.clock.now(),
        refuse_until(body),
        options.if_match,
    )


async def _start(
    service: "CommandApi",
    verb: Verb[MoveCampaign],
    campaign_id: int,
    caller: Caller,
    options: Options,
    body: ReasonBody | None,
) -> Response:
    began = perf_counter()
    command = _command(service, campaign_id, caller, options, body)
    done = await decided(service, verb, command, caller, options)
    campaign = service.campaigns.by_id[campaign_id]
    task_id, later = campaign.changed.at if campaign.changed else "", None
    match done:
        case Tried():
            return tried(campaign, verb)
        case Handled():
            task_id = done.record_id
        case Unchanged():  # It is scheduled, and begins by itself.
            later = campaign.next_at
    count(verb.name, began)
    message = f"Campaign scheduled for {later:%Y-%m-%d %H:%M:%S} UTC" if later else STARTED
    shape = campaign_shape(campaign) | {
        "success": True,
        "message": message,
        # Always a text: of the record made now, or of the one that will begin it.
        "task_id": task_id,
        "campaign_id": campaign_id,
        "scheduled_time": at(later),
    }
    return json_response(shape, 200, headers_of(campaign, done))


async def _halt(
    service: "CommandApi",
    verb: Verb[MoveCampaign],
    campaign_id: int,
    caller: Caller,
    options: Options,
    body: ReasonBody | None,
) -> Response:
    began = perf_counter()
    command = _command(service, campaign_id, caller, options, body)
    handled = await decided(service, verb, command, caller, options)
    campaign = service.campaigns.by_id[campaign_id]
    if isinstance(handled, Tried):
        return tried(campaign, verb)
    assert isinstance(handled, Handled), "where nothing runs already the answer is a no"
    settled = await settle(service, campaign, handled, options)
    count(verb.name, began)
    shape = campaign_shape(campaign) | {"message": f"Campaign {verb.done} successfully"}
    return halted(campaign, handled, settled, shape)
