"""Re-execute: parse, read the named contacts, decide, answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.facts import Selection
from campaigns.domain.values.schedule import Schedule
from campaigns.http.campaign_json import at, campaign_shape, type_of
from campaigns.http.door import ID_MAX, CampaignId, caller_of, json_response
from campaigns.http.responses import ERRORS, OUTDATED, ok
from command_api.commands.lifecycle import hidden
from command_api.commands.re_execute import RE_EXECUTE, Named, ReExecute, basis_of
from command_api.commands.verb import Verb
from command_api.http.json_route import JsonRoute
from command_api.http.options import PREFIX, Options, options_of
from command_api.http.replies import Tried, count, decided, headers_of, refused, tried
from command_api.http.schedule_bodies import UnusableScheduleError, parse_schedule
from command_api.http.schedule_routes import unusable

if TYPE_CHECKING:
    from command_api.service import CommandApi

REARMED = ERRORS | OUTDATED | ok("CampaignRearmedAnswer", "CampaignTried")
EXAMPLES = [{"contact_selection": "failed_only"}, {"contact_selection": [7, 8, 9]}]
INVALID_SELECTION = "Invalid contact_selection"  # Source: contract 9.24.
_SLICE = 200  # Contacts read at once: a few ms, so that a pause is not kept waiting.
_RE_EXECUTE = Verb("re-execute", RE_EXECUTE, "ready for re-execution")

# Any: its errors are 400, not 422.
ReExecuteBody = Annotated[dict[str, Any] | None, Body(examples=EXAMPLES)]


def router(service: "CommandApi") -> APIRouter:
    """Return the route, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits))]
    with_what = Annotated[Options, Depends(options_of(service))]

    @routes.post("/{campaign_id}/re-execute", responses=REARMED)
    async def re_execute(
        campaign_id: CampaignId,
        caller: who,
        options: with_what,
        body: ReExecuteBody = None,
    ) -> Response:
        """Prepare another run of a campaign that is over: to be started, or by a schedule."""
        return await _re_execute(service, campaign_id, caller, options, body or {})

    return routes


async def _re_execute(
    service: "CommandApi", campaign_id: int, caller: Caller, options: Options, body: dict[str, Any]
) -> Response:
    began = perf_counter()
    selection, wanted = selected(body.get("contact_selection"))
    if len(wanted) > service.settings.contacts_max:
        raise HTTPException(413, f"More than {service.settings.contacts_max} contacts")
    schedule = _schedule(body.get("schedule_settings"), service.clock.now())

    async def read() -> ReExecute:
        named = await _named(service, campaign_id, caller, wanted) if wanted else None
        return ReExecute(
            campaign_id,
            caller.organization_id,
            service.clock.now(),
            if_match=options.if_match,
            selection=selection,
            named=named,
            schedule=schedule,
        )

    handled = await decided(service, _RE_EXECUTE, await read(), caller, options, read)
    campaign = service.campaigns.by_id[campaign_id]
    if isinstance(handled, Tried):
        return tried(campaign, _RE_EXECUTE)
    count(_RE_EXECUTE.name, began)
    contacts = campaign.counters.total
    shape = campaign_shape(campaign) | {
        "success": True,
        "message": f"Campaign ready for re-execution with {contacts} contacts",
        "campaign_id": campaign_id,
        "contacts_reset": contacts,
        "schedule_type": type_of(schedule),
        "scheduled_time": at(schedule.first_at) if schedule else None,
    }
    return json_response(shape, 200, headers_of(campaign, handled))


def selected(given: object) -> tuple[Selection, Sequence[int]]:
    """Read the selection: a word, or the ids of contacts.

    Raises:
        HTTPException: 400, it is neither.

    """
    if given in (Selection.ALL.value, Selection.FAILED_ONLY.value):
        return Selection(given), ()
    if isinstance(given, list) and given:
        ids = [one for one in given if type(one) is int and 1 <= one <= ID_MAX]
        if len(ids) == len(given):
            return Selection.CONTACTS, ids
    raise HTTPException(400, INVALID_SELECTION)


def _schedule(given: object, now: datetime) -> Schedule | None:
    """Read `schedule_settings`; without a type they are immediate.

    Raises:
        HTTPException: 400, they are not a schedule.

    """
    if given is None or (isinstance(given, dict) and given.get("schedule_type") is None):
        return None
    try:
        return parse_schedule(given if isinstance(given, dict) else {}, now)
    except UnusableScheduleError as exc:
        raise refused(_RE_EXECUTE.name, unusable(exc)) from exc


async def _named(
    service: "CommandApi", campaign_id: int, caller: Caller, wanted: Sequence[int]
) -> Named | None:
    """Read the named contacts; None when the campaign does not exist for this caller."""
    campaign = service.campaigns.get(campaign_id)
    if campaign is None or hidden(campaign, caller.organization_id):
        return None
    basis, there, untouched = basis_of(campaign), list[int](), 0
    ids = sorted(set(wanted))
    for first in range(0, len(ids), _SLICE):
        some = service.contacts.tried(campaign, ids[first : first + _SLICE])
        for contact_id, ever in some:
            there.append(contact_id)
            untouched += not ever
        await asyncio.sleep(0)
    return Named(tuple(there), untouched, basis)
