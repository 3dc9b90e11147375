"""GET of a campaign's schedule and of its pause."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.http.campaign_json import Shape, schedule_shape
from campaigns.http.door import CampaignId
from projector.queries.freshness import Consistency, Fresh, Queries, get
from projector.queries.moments import AsOfText
from projector.queries.shapes import pause_shape


def router(queries: Queries) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/campaigns", tags=["campaigns"])
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def get_schedule(
        campaign_id: CampaignId,
        caller: Who,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get when a campaign begins by itself; `immediate` when it does not."""
        moment = await queries.moment(campaign_id, caller, consistency, as_of)

        def asked(_: Connection, campaign: Campaign) -> Shape:
            shape = schedule_shape(campaign)
            kind = shape["schedule_type"]
            return {
                "schedule_type": "scheduled" if kind == "once" else kind,
                "scheduled_at": shape["scheduled_at"],
                "recurring_config": shape["recurring_config"],
            }

        return await queries.read_of(campaign_id, asked, moment.headers, moment.campaign)

    async def get_pause(
        campaign_id: CampaignId,
        caller: Who,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get how far a pause has settled."""
        moment = await queries.moment(campaign_id, caller, consistency, as_of)
        return await queries.read_of(
            campaign_id, lambda _, one: pause_shape(one), moment.headers, moment.campaign
        )

    get(routes, "/{campaign_id}/schedule", get_schedule, "ScheduleAnswer")
    get(routes, "/{campaign_id}/pause", get_pause, "PauseAnswer")
    return routes
