"""GET of a campaign's contacts, executions and imports."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import ContactStatus
from campaigns.http.campaign_json import Shape
from campaigns.http.door import CampaignId
from campaigns.records.topics import campaign_partition
from projector.queries import campaign_pages
from projector.queries.campaign_routes import member
from projector.queries.contact_pages import contacts
from projector.queries.execution_pages import executions
from projector.queries.freshness import Consistency, Fresh, Queries, get
from projector.queries.moments import AsOfText, contacts_at
from projector.queries.page import Page, page_of
from projector.queries.parts import Parts
from projector.queries.shapes import contact_shape, execution_shape, import_shape

ImportId = Annotated[int, Path(ge=1, le=2**53)]


def router(queries: Queries) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/campaigns", tags=["campaigns"])
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def list_contacts(
        campaign_id: CampaignId,
        caller: Who,
        page: Annotated[Page, Depends(page_of)],
        status: str | None = None,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """List a campaign's contacts, in the order of their lists."""
        wanted = member(ContactStatus, status, "status")
        moment = await queries.moment(campaign_id, caller, consistency, as_of)
        only = ContactStatus(wanted) if wanted else None
        async with contacts_at(queries.travel, moment.past) as reading:

            def asked(lists: Connection, campaign: Campaign) -> Parts:
                with reading(lists) as tx:
                    found, total = contacts(tx, campaign, only, page, lists, queries.keys)
                    shapes = (contact_shape(campaign, *one) for one in found)
                    return page.answer("contacts", shapes, total, queries.page_max_bytes)

            return await queries.read_of(campaign_id, asked, moment.headers, moment.campaign)

    async def list_executions(
        campaign_id: CampaignId,
        caller: Who,
        page: Annotated[Page, Depends(page_of)],
        status: str | None = None,
        as_of: AsOfText = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """List the attempts to reach a campaign's contacts, newest first."""
        wanted = member(ContactStatus, status, "status")
        moment = await queries.moment(campaign_id, caller, consistency, as_of)

        def asked(tx: Connection, campaign: Campaign) -> Parts:
            found, total = executions(tx, campaign_id, wanted, page, moment.campaign, queries.keys)
            shapes = (execution_shape(campaign, *one) for one in found)
            return page.answer("executions", shapes, total, queries.page_max_bytes)

        return await queries.read_of(campaign_id, asked, moment.headers, moment.campaign)

    async def get_import(
        campaign_id: CampaignId,
        import_id: ImportId,
        caller: Who,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get how an import stands."""
        headers = await queries.catch_up_with(campaign_id, caller, consistency)

        def asked(tx: Connection, campaign: Campaign) -> Shape:
            if (found := campaign_pages.import_of(tx, campaign_id, import_id)) is None:
                raise HTTPException(404, "Import not found")
            rows, under_way = 0, campaign.importing
            if under_way is not None and under_way.number == import_id:
                partition = campaign_partition(campaign_id, queries.partitions).number
                rows = campaign_pages.received(tx, campaign, partition)
            return import_shape(campaign_id, found, rows)

        return await queries.read_of(campaign_id, asked, headers)

    get(routes, "/{campaign_id}/contacts", list_contacts, "ContactList")
    get(routes, "/{campaign_id}/executions", list_executions, "ExecutionList")
    get(routes, "/{campaign_id}/imports/{import_id}", get_import, "ImportAnswer")
    return routes
