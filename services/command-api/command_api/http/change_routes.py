"""Update and delete: parse, decide, wait, answer."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Unchanged
from campaigns.http.campaign_json import campaign_shape
from campaigns.http.door import CampaignId, caller_of, json_response
from campaigns.http.responses import ERRORS, OUTDATED, accepted, ok
from campaigns.log.writer import Handled
from command_api.commands.delete import DELETE
from command_api.commands.lifecycle import MoveCampaign
from command_api.commands.update import UPDATE, UpdateCampaign
from command_api.commands.verb import Verb
from command_api.http.bodies import UpdateBody
from command_api.http.json_route import JsonRoute
from command_api.http.options import PREFIX, Options, options_of
from command_api.http.replies import Tried, count, decided, halted, headers_of, settle, tried
from command_api.http.settings_body import given_settings, schedule_of

if TYPE_CHECKING:
    from command_api.service import CommandApi


_UPDATE = Verb("update", UPDATE, "updated")
_DELETE = Verb("delete", DELETE, "deleted", repeatable_when_deleted=True)
TRIED = "CampaignTried"
DELETED = "CampaignDeletedAnswer"


def router(service: "CommandApi") -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits))]
    with_what = Annotated[Options, Depends(options_of(service))]

    async def update(
        campaign_id: CampaignId, caller: who, options: with_what, body: UpdateBody
    ) -> Response:
        """Change texts and settings of a draft or paused campaign; what is not given stays."""
        return await _update(service, campaign_id, caller, options, body)

    for method in ("PUT", "PATCH"):  # The documentation's, and the SDKs': contract 8.3 row 6.
        routes.add_api_route(
            "/{campaign_id}", update, methods=[method], name=f"update by {method}",
            responses=ERRORS | OUTDATED | ok("CampaignChanged", TRIED),
        )  # fmt: skip

    @routes.delete(
        "/{campaign_id}", responses=ERRORS | OUTDATED | accepted(DELETED) | ok(DELETED, TRIED)
    )
    async def delete(campaign_id: CampaignId, caller: who, options: with_what) -> Response:
        """Delete a campaign that is not running. Waits as a pause does."""
        return await _delete(service, campaign_id, caller, options)

    return routes


async def _update(
    service: "CommandApi", campaign_id: int, caller: Caller, options: Options, body: UpdateBody
) -> Response:
    began, now = perf_counter(), service.clock.now()
    schedule = schedule_of(body, now)
    settings, welcome, agenda = given_settings(body)
    templates = {"welcome_message_template": welcome, "agenda_template": agenda}
    command = UpdateCampaign(
        campaign_id,
        caller.organization_id,
        now,
        if_match=options.if_match,
        texts=body.texts() | {name: text for name, text in templates.items() if text is not None},
        settings=settings,
        schedule=schedule,
    )
    handled = await decided(service, _UPDATE, command, caller, options)
    campaign = service.campaigns.by_id[campaign_id]
    match handled:
        case Tried():
            return tried(campaign, _UPDATE)
        case Handled():  # A lower max_attempts restricts who may be called.
            await service.settled(campaign_id, handled.ruling.position)
        case Unchanged():
            pass
    count(_UPDATE.name, began)
    shape = campaign_shape(campaign) | {"message": "Campaign updated successfully"}
    return json_response(shape, 200, headers_of(campaign, handled))


async def _delete(
    service: "CommandApi", campaign_id: int, caller: Caller, options: Options
) -> Response:
    began = perf_counter()
    command = MoveCampaign(
        campaign_id, caller.organization_id, service.clock.now(), if_match=options.if_match
    )
    handled = await decided(service, _DELETE, command, caller, options)
    campaign = service.campaigns.by_id[campaign_id]
    if isinstance(handled, Tried):
        return tried(campaign, _DELETE)
    assert isinstance(handled, Handled), "where nothing runs already the answer is a no"
    settled = await settle(service, campaign, handled, options)
    count(_DELETE.name, began)
    return halted(campaign, handled, settled, {"message": "Campaign deleted successfully"})
