"""One campaign, live or as it was: what it does, what a pause rests on, and who did what."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.moves import FINAL, Status
from campaigns.domain.values.instants import instant
from campaigns.http.door import CampaignId
from projector.pages.call_picture import picture
from projector.pages.campaign_list import line_of
from projector.pages.campaign_view import cautions, moves, receipt_of, shares
from projector.pages.chronicle import Chronicle
from projector.pages.dashboard import Dashboard
from projector.pages.html import answer, rendered
from projector.pages.visitor import PageRoute, may_operate
from projector.past.as_of import parsed
from projector.queries import campaign_pages
from projector.queries.freshness import Consistency, unknown
from projector.queries.moments import AsOfText, Moment

LINES = 40  # Of the story, on the campaign's page.
TAIL_MIN_S, TAIL_SHARE = 10.0, 0.3  # Of a pause that lasts, in the picture of calls.
Shown = dict[str, Any]  # What a template names. Any: of every kind.


def router(board: Dashboard) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/campaigns", include_in_schema=False, route_class=PageRoute)
    who = Annotated[Caller, Depends(board.queries.caller)]

    @routes.api_route("/{campaign_id}", methods=["GET", "HEAD"])
    async def campaign(
        campaign_id: CampaignId,
        caller: who,
        as_of: AsOfText = None,
        as_of_ms: Annotated[int | None, Query(ge=0, le=2**48)] = None,
    ) -> Response:
        """Show a campaign; with `as_of`, or its Unix milliseconds, as it was."""
        if as_of is None and as_of_ms is not None:
            as_of = instant(datetime.fromtimestamp(as_of_ms / 1000, UTC))
        moment = await _moment(board, campaign_id, caller, as_of)
        shown = await _shown(board, campaign_id, caller, moment, as_of)
        return answer(await asyncio.to_thread(rendered, "campaign.html", shown))

    @routes.get("/{campaign_id}/live")
    async def live(campaign_id: CampaignId, caller: who, request: Request) -> Response:
        """Stream the campaign as it changes."""
        await _moment(board, campaign_id, caller, None)

        async def render() -> str:
            moment = await _moment(board, campaign_id, caller, None, Consistency.EVENTUAL)
            return await _part(board, campaign_id, caller, moment)

        key = "campaign", campaign_id, may_operate(caller)
        return board.streamed(request, caller, key, {campaign_id}, render)

    @routes.get("/{campaign_id}/part")
    async def part(campaign_id: CampaignId, caller: who) -> Response:
        """Return what the stream shows, as of the log's end: after a change of one's own."""
        moment = await _moment(board, campaign_id, caller, None)
        return answer(await _part(board, campaign_id, caller, moment))

    return routes


async def _moment(
    board: Dashboard,
    campaign_id: int,
    caller: Caller,
    as_of: str | None,
    fresh: Consistency = Consistency.LINEARIZABLE,
) -> Moment:
    return await board.queries.moment(campaign_id, caller, fresh, as_of)


async def _part(board: Dashboard, campaign_id: int, caller: Caller, moment: Moment) -> str:
    shown = await _shown(board, campaign_id, caller, moment, None)
    return await asyncio.to_thread(rendered, "campaign_live.html", shown)


async def _shown(
    board: Dashboard, campaign_id: int, caller: Caller, moment: Moment, as_of: str | None
) -> Shown:
    queries, now = board.queries, board.queries.now()
    chronicle = await board.chronicles.of(campaign_id)
    health = await board.strip(caller.organization_id, campaign_id)

    def read() -> Shown:
        with queries.views.store.reading() as tx:
            campaign = moment.campaign or campaign_pages.campaign_of(tx, campaign_id)
            if campaign is None:
                unknown()
            if moment.past is not None:
                seen: Shown = {"lately": None, "idle": None, "cautions": cautions(campaign)}
            else:
                line = line_of(tx, campaign, now, queries.keys)
                seen = {"lately": line.lately, "idle": line.idle, "cautions": line.cautions}
            return {"campaign": campaign, "shares": shares(campaign), **seen}

    shown = await asyncio.to_thread(read)
    campaign: Campaign = shown["campaign"]
    past = _past(moment, as_of)
    return {
        **shown,
        **past,
        **_told(chronicle, campaign, now, past),
        "strip": health,
        "moves": moves(campaign) if may_operate(caller) and as_of is None else [],
        "operates": may_operate(caller),
        "now_ms": int(now.timestamp() * 1000),
        "now": now,
    }


def _past(moment: Moment, as_of: str | None) -> Shown:
    """Return the past that is looked at: an instant or a position."""
    if as_of is None or moment.past is None:
        return {"as_of": None, "as_of_at": None, "through": None}
    point = parsed(as_of)
    at = datetime.fromtimestamp(point.time / 1e6, UTC) if point.time is not None else None
    return {"as_of": point.text, "as_of_at": at, "through": moment.past.position}


def _told(
    chronicle: Chronicle, campaign: Campaign, now: datetime, past: Mapping[str, Any]
) -> Shown:
    """Return the story and the picture of calls, up to the moment that is looked at."""
    over = campaign.status in FINAL or campaign.status in (Status.DRAFT, Status.SCHEDULED)
    lines = chronicle.lines(past["as_of_at"], past["through"] if past["as_of"] else None)
    cursor = past["as_of_at"] or (lines[0].at if past["as_of"] and lines else None)
    until = None if over or past["as_of"] else now
    if until and campaign.status is Status.PAUSED and chronicle.chart.last:
        # A long pause does not push the calls aside: as much of it is drawn as leaves them room.
        tail_s = TAIL_MIN_S + TAIL_SHARE * chronicle.chart.span_s
        until = min(until, chronicle.chart.last + timedelta(seconds=tail_s))
    # The past begins when the log has the campaign, a moment after it was asked for.
    created = chronicle.first_at or campaign.created.created_at + timedelta(seconds=1)
    halt = chronicle.halt(campaign.pause.at) if campaign.pause else None
    return {
        "first_ms": int(created.timestamp() * 1000) + 1,
        "lines": lines[:LINES],
        "more": len(lines) > LINES or not chronicle.whole,
        "chart": picture(chronicle.chart, until, cursor),
        "chart_whole": chronicle.whole,
        "receipt": receipt_of(campaign, halt),
        "as_of_at": cursor,
    }
