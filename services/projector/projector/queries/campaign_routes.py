"""GET of campaigns: the list, one of them, its progress."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import CampaignType
from campaigns.domain.moves import Status
from campaigns.http.campaign_json import Shape, campaign_shape
from campaigns.http.door import CampaignId
from projector.queries import campaign_pages, execution_pages
from projector.queries.freshness import FORBIDDEN, Consistency, Fresh, Queries, get
from projector.queries.moments import AsOfText
from projector.queries.page import Page, page_of
from projector.queries.parts import Parts
from projector.queries.row_details import log_unread
from projector.queries.shapes import progress_shape
from projector.why.turns import shut
from projector.why.why_shapes import idle_shape

ACTIVITY_MAX = 10  # Source: contract 9.14.
_ASSISTANT_MAX = 2**53


class Include(StrEnum):
    """Parts that a list leaves out by default."""

    TEXTS = "texts"  # Templates, variables, import settings.


def member(kind: type[StrEnum], value: str | None, name: str) -> str | None:
    """Check a filter against its enumeration.

    Raises:
        HTTPException: 400, it is no member. Source: contract 1.3 rows 1 and 10.

    """
    if value is not None and value not in list(kind):
        raise HTTPException(400, f"Invalid {name} value")
    return value


def router(queries: Queries) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/campaigns", tags=["campaigns"])
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def list_campaigns(
        caller: Who,
        page: Annotated[Page, Depends(page_of)],
        status: str | None = None,
        campaign_type: str | None = None,
        assistant_id: Annotated[int | None, Query(le=_ASSISTANT_MAX, ge=-_ASSISTANT_MAX)] = None,
        search: Annotated[str | None, Query(max_length=200)] = None,
        include: Include | None = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """List the organization's campaigns, newest first."""
        wanted = campaign_pages.CampaignFilter(
            caller.organization_id,
            member(Status, status, "status"),
            member(CampaignType, campaign_type, "campaign_type"),
            assistant_id,
            search,
        )

        def asked(tx: Connection) -> Parts:
            found, total = campaign_pages.campaigns(tx, wanted, page)
            texts = include is not None
            shapes = (campaign_shape(one, texts=texts) for one in found)
            return page.answer("campaigns", shapes, total, queries.page_max_bytes, texts=texts)

        return await queries.read(asked, await queries.catch_up_with_all(consistency))

    async def get_campaign(
        campaign_id: CampaignId,
        caller: Who,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get one campaign."""
        moment = await queries.moment(campaign_id, caller, consistency, as_of, forbidden=True)
        return await queries.read_of(
            campaign_id, lambda _, one: campaign_shape(one), moment.headers, moment.campaign
        )

    async def get_progress(
        campaign_id: CampaignId,
        caller: Who,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get how far a campaign is, and its latest calls."""
        moment = await queries.moment(campaign_id, caller, consistency, as_of)
        newest = Page(1, ACTIVITY_MAX, 0, ACTIVITY_MAX)

        def asked(tx: Connection, campaign: Campaign) -> Shape:
            found, _ = execution_pages.executions(
                tx, campaign_id, None, newest, moment.campaign, queries.keys, log_unread
            )
            shape = progress_shape(campaign, [(one.execution, one.row) for one in found])
            if moment.past is not None:
                return {**shape, "idle": None}
            no = shut(tx, campaign, None, queries.now(), queries.keys)
            return {**shape, "idle": idle_shape(campaign, no)}

        return await queries.read_of(campaign_id, asked, moment.headers, moment.campaign)

    get(routes, "", list_campaigns, "CampaignList")
    get(routes, "/{campaign_id}", get_campaign, "CampaignAnswer", also=FORBIDDEN)
    get(routes, "/{campaign_id}/progress", get_progress, "ProgressAnswer")
    return routes
