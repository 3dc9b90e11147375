"""What a campaign's page leads to: what a change would leave, an import's outcome, the story."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.http.door import CampaignId
from projector.pages.dashboard import Dashboard
from projector.pages.html import answer, rendered
from projector.pages.visitor import PageRoute
from projector.queries import campaign_pages
from projector.queries.contact_routes import ImportId
from projector.queries.freshness import Consistency, unknown
from projector.queries.lifecycle_routes import After, timeline_page

STORY_LINES = 200  # On a page of the whole story.
Asked = Literal["pause", "stop", "import"]
Shown = dict[str, Any]  # What a template names. Any: of every kind.


def router(board: Dashboard) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/campaigns", include_in_schema=False, route_class=PageRoute)
    who = Annotated[Caller, Depends(board.queries.caller)]

    @routes.get("/{campaign_id}/ask/{move}")
    async def ask(campaign_id: CampaignId, move: Asked, caller: who) -> Response:
        """Ask before a change: what it would leave."""
        await board.queries.catch_up_with(campaign_id, caller, Consistency.LINEARIZABLE)

        def read(_: Connection, campaign: Campaign) -> Shown:
            return {
                "campaign": campaign,
                "move": move,
                "receipt": receipt_shape(campaign, None),
                "open": len(campaign.permissions()),
                "now": board.queries.now(),
            }

        return await answered(board, campaign_id, f"ask_{move}.html", read)

    @routes.get("/{campaign_id}/imports/{number}")
    async def imported(campaign_id: CampaignId, number: ImportId, caller: who) -> Response:
        """Show what became of an import: which rows are missing, and why."""
        await board.queries.catch_up_with(campaign_id, caller, Consistency.LINEARIZABLE)

        def read(tx: Connection, campaign: Campaign) -> Shown:
            found = campaign_pages.import_of(tx, campaign_id, number)
            return {"campaign": campaign, "number": number, "one": found}

        return await answered(board, campaign_id, "import.html", read)

    @routes.api_route("/{campaign_id}/story", methods=["GET", "HEAD"])
    async def story(campaign_id: CampaignId, caller: who, after: After = None) -> Response:
        """Show the whole story, a page at a time, from its beginning."""
        await board.queries.catch_up_with(campaign_id, caller, Consistency.LINEARIZABLE)
        items, cursor = await timeline_page(board.queries, campaign_id, after, STORY_LINES)

        def read(_: Connection, campaign: Campaign) -> Shown:
            return {"campaign": campaign, "items": items, "next": cursor, "after": after}

        return await answered(board, campaign_id, "story.html", read)

    return routes


async def answered(
    board: Dashboard,
    campaign_id: int,
    template: str,
    read: Callable[[Connection, Campaign], Shown],
) -> Response:
    """Return a template with what `read` finds in one snapshot of the store."""

    def made() -> str:
        with board.queries.views.store.reading() as tx:
            campaign = campaign_pages.campaign_of(tx, campaign_id)
            if campaign is None:
                unknown()
            return rendered(template, read(tx, campaign))

    return answer(await asyncio.to_thread(made))
