"""A campaign's contacts, and one of them: what became of it, and why it is not called now."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import ContactStatus, shown
from campaigns.http.door import CampaignId
from projector.pages.campaign_details import answered
from projector.pages.campaign_view import shares
from projector.pages.dashboard import Dashboard
from projector.pages.visitor import PageRoute
from projector.queries import campaign_pages, contact_pages
from projector.queries.freshness import Consistency
from projector.queries.page import Page
from projector.queries.row_details import log_unread
from projector.queries.shapes import FORGOTTEN
from projector.why.turns import contact_of, shut
from projector.why.why_routes import ContactId, history_of
from projector.why.why_shapes import MAY_CALL

ROWS = 50  # Of a page.


def router(board: Dashboard) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/campaigns", include_in_schema=False, route_class=PageRoute)
    who = Annotated[Caller, Depends(board.queries.caller)]

    @routes.api_route("/{campaign_id}/contacts", methods=["GET", "HEAD"])
    async def contacts(
        campaign_id: CampaignId,
        caller: who,
        status: Annotated[Literal[""] | ContactStatus, Query()] = "",
        page: Annotated[int, Query(ge=1, le=10**8)] = 1,
    ) -> Response:
        """List a campaign's contacts, in the order of their lists."""
        await board.queries.catch_up_with(campaign_id, caller, Consistency.LINEARIZABLE)
        only = ContactStatus(status) if status else None

        def read(tx: Connection, campaign: Campaign) -> dict[str, Any]:
            rows = Page(page, ROWS, (page - 1) * ROWS, ROWS)
            found, total = contact_pages.contacts(
                tx, campaign, only, rows, tx, board.queries.keys, log_unread
            )
            return {
                "campaign": campaign,
                "shares": shares(campaign),
                "rows": [
                    (one, one.row or FORGOTTEN, shown(campaign, one.contact)) for one in found
                ],
                "total": total,
                "status": status,
                "statuses": [one.value for one in ContactStatus],
                "query": urlencode({"status": status} if status else {}),
                "page": page,
                "pages": -(-total // ROWS),
            }

        return await answered(board, campaign_id, "contacts.html", read)

    @routes.api_route("/{campaign_id}/contacts/{contact_id}", methods=["GET", "HEAD"])
    async def contact(campaign_id: CampaignId, contact_id: ContactId, caller: who) -> Response:
        """Show a contact, what became of it, and which gate keeps it from being called now."""
        queries = board.queries
        await queries.catch_up_with(campaign_id, caller, Consistency.LINEARIZABLE)
        history, history_from = await history_of(queries, campaign_id, contact_id)

        def read(tx: Connection, campaign: Campaign) -> dict[str, Any]:
            found = contact_of(tx, campaign, contact_id)
            rows = campaign_pages.rows(tx, campaign_id, [contact_id], queries.keys, log_unread)
            given = rows.get(contact_id)
            if found is None or given is None:
                raise HTTPException(404, "Contact not found")
            no = shut(tx, campaign, found, queries.now(), queries.keys)
            return {
                "campaign": campaign,
                "contact": found,
                "row": given.row or FORGOTTEN,
                "source": given.source,
                "status": shown(campaign, found).value,
                "no": no,
                "may_call": MAY_CALL,
                "history": history[::-1],
                "history_from": history_from,
            }

        return await answered(board, campaign_id, "contact.html", read)

    return routes
