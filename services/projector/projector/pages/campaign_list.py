"""The front page: an organization's campaigns, live."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.moves import Status
from campaigns.personal.list_keys import ListKeys
from projector.pages.call_rate import calls_lately
from projector.pages.campaign_view import IdleReason, Share, cautions, idle_of, shares
from projector.pages.dashboard import Dashboard
from projector.pages.html import answer, rendered
from projector.pages.visitor import PageRoute, may_operate
from projector.queries import campaign_pages
from projector.queries.campaign_pages import CampaignFilter
from projector.queries.freshness import Consistency
from projector.queries.page import Page
from projector.why.turns import shut

ROWS = 25  # Of a page.
SEARCH_CHARS_MAX = 200  # As the API has it.


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign of the list."""

    campaign: Campaign
    shares: Sequence[Share]
    lately: int  # Calls that began within the last minute.
    idle: IdleReason | None
    cautions: Sequence[str]


def line_of(tx: Connection, campaign: Campaign, now: datetime, keys: ListKeys | None) -> Line:
    """Return what the list shows of a campaign."""
    running = campaign.status is Status.RUNNING
    no = shut(tx, campaign, None, now, keys) if running else None
    lately = calls_lately(tx, campaign, now)
    return Line(campaign, shares(campaign), lately, idle_of(campaign, no), cautions(campaign))


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which campaigns are looked at."""

    status: str | None
    search: str | None
    page: int

    @property
    def query(self) -> str:
        """Return it as a query."""
        given = {"status": self.status, "search": self.search}
        return urlencode({name: value for name, value in given.items() if value})


async def wanted_of(
    status: Annotated[Literal[""] | Status, Query()] = "",
    search: Annotated[str | None, Query(max_length=SEARCH_CHARS_MAX)] = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
) -> ListQuery:
    """Read which campaigns are asked for."""
    return ListQuery(status or None, search or None, page)


def router(board: Dashboard) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    who = Annotated[Caller, Depends(board.queries.caller)]
    what = Annotated[ListQuery, Depends(wanted_of)]

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def campaigns(caller: who, wanted: what) -> Response:
        """Show the campaigns."""
        await board.queries.catch_up_with_all(Consistency.LINEARIZABLE)
        shown = await _shown(board, caller, wanted)
        return answer(await asyncio.to_thread(rendered, "campaigns.html", shown))

    @routes.get("/campaigns/live")
    async def live(request: Request, caller: who, wanted: what) -> Response:
        """Stream the list as it changes."""

        async def render() -> str:
            shown = await _shown(board, caller, wanted)
            return await asyncio.to_thread(rendered, "campaigns_live.html", shown)

        key = "campaigns", caller.organization_id, wanted
        return board.streamed(request, caller, key, None, render)

    return routes


async def _shown(board: Dashboard, caller: Caller, wanted: ListQuery) -> dict[str, Any]:
    """Return what the template names. Any: of every kind."""
    now, page = board.queries.now(), Page(wanted.page, ROWS, (wanted.page - 1) * ROWS, ROWS)
    asked = CampaignFilter(caller.organization_id, wanted.status, None, None, wanted.search)

    keys = board.queries.keys

    def read() -> tuple[list[Line], int]:
        with board.queries.views.store.reading() as tx:
            found, total = campaign_pages.campaigns(tx, asked, page)
            return [line_of(tx, one, now, keys) for one in found], total

    lines, total = await asyncio.to_thread(read)
    return {
        "lines": lines,
        "total": total,
        "wanted": wanted,
        "pages": -(-total // ROWS),
        "statuses": [one.value for one in Status],
        "strip": await board.strip(caller.organization_id),
        "operates": may_operate(caller),
        "anything": bool(wanted.query),
        "now": now,
    }
