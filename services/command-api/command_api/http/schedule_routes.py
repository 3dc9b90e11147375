"""Save a schedule, or remove it: parse, decide, answer."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.http.campaign_json import campaign_shape
from campaigns.http.door import CampaignId, caller_of, json_response
from campaigns.http.responses import ERRORS, OUTDATED, ok
from campaigns.log.writer import Handled
from command_api.commands.lifecycle import M, MoveCampaign
from command_api.commands.schedule import SCHEDULE, UNSCHEDULE, ScheduleCampaign
from command_api.commands.verb import Verb
from command_api.http.json_route import JsonRoute
from command_api.http.options import PREFIX, Options, options_of
from command_api.http.replies import Tried, count, decided, headers_of, refused, tried
from command_api.http.schedule_bodies import UnusableScheduleError, parse_schedule

if TYPE_CHECKING:
    from command_api.service import CommandApi


_SCHEDULE = Verb("schedule", SCHEDULE, "scheduled")
_UNSCHEDULE = Verb("unschedule", UNSCHEDULE, "unscheduled")
ONCE = {
    "schedule_type": "scheduled",
    "scheduled_at": "2026-03-02T09:00:00",
    "timezone": "America/New_York",
}
WEEKLY = {
    "schedule_type": "recurring",
    "recurring_config": {
        "frequency": "weekly",
        "days_of_week": [1, 3],
        "time": "09:00",
        "time_zone": "America/New_York",
        "end_date": "2026-12-31",
    },
}
SCHEDULED = ERRORS | OUTDATED | ok("CampaignScheduledAnswer", "CampaignTried")

# Any: its errors are 400, not 422.
ScheduleBody = Annotated[
    dict[str, Any] | None, Body(examples=[ONCE, WEEKLY, {"schedule_type": "immediate"}])
]


def router(service: "CommandApi") -> APIRouter:
    """Return the schedule's commands, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits))]
    with_what = Annotated[Options, Depends(options_of(service))]

    @routes.post("/{campaign_id}/schedule", responses=SCHEDULED)
    async def schedule(
        campaign_id: CampaignId,
        caller: who,
        options: with_what,
        body: ScheduleBody = None,
    ) -> Response:
        """Say when a draft begins by itself; `immediate` removes its schedule."""
        now = service.clock.now()
        try:
            wanted = parse_schedule(body or {}, now)
        except UnusableScheduleError as exc:
            raise refused("schedule", unusable(exc)) from exc
        began = perf_counter()
        command = ScheduleCampaign(
            campaign_id, caller.organization_id, now, if_match=options.if_match, schedule=wanted
        )
        handled = await decided(service, _SCHEDULE, command, caller, options)
        return _answer(service, campaign_id, handled, _SCHEDULE, "Schedule saved", began)

    @routes.post("/{campaign_id}/unschedule", responses=SCHEDULED)
    async def unschedule(campaign_id: CampaignId, caller: who, options: with_what) -> Response:
        """Turn a scheduled campaign back into a draft."""
        began = perf_counter()
        command = MoveCampaign(
            campaign_id, caller.organization_id, service.clock.now(), if_match=options.if_match
        )
        handled = await decided(service, _UNSCHEDULE, command, caller, options)
        return _answer(service, campaign_id, handled, _UNSCHEDULE, "Schedule removed", began)

    return routes


def unusable(no: UnusableScheduleError) -> Rejected:
    """Return the rejection of an unusable schedule, as the contract words it."""
    return Rejected(Reason.SCHEDULE_UNUSABLE, f"Invalid schedule configuration: {no.msg}")


def _answer(
    service: "CommandApi",
    campaign_id: int,
    handled: Handled | Unchanged | Tried,
    verb: Verb[M],
    message: str,
    began: float,
) -> Response:
    campaign = service.campaigns.by_id[campaign_id]
    if isinstance(handled, Tried):
        return tried(campaign, verb)
    count(verb.name, began)
    shape = campaign_shape(campaign) | {"success": True, "message": message}
    return json_response(shape, 200, headers_of(campaign, handled))
