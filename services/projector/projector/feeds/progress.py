"""The socket of a campaign's progress, and the list of its connections.

Source: contract 6, 9.13 and 9.25.
"""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response, WebSocket
from sqlalchemy import select

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import Row
from campaigns.http.campaign_json import Shape, at
from campaigns.http.door import ID_MAX, CampaignId
from campaigns.process.errors import OperatingError
from projector.feeds import frames
from projector.feeds.hub import Listener
from projector.feeds.socket import (
    HEARTBEAT_S,
    INTERNAL,
    NOT_FOUND,
    ClientSocket,
    Feeds,
    admitted,
    converse,
    key_valid,
    listener_of,
    next_change,
)
from projector.projections.history import minute_of
from projector.queries import campaign_pages, execution_pages
from projector.queries.freshness import Consistency, Fresh, get
from projector.queries.page import Page
from projector.queries.row_details import log_unread
from projector.queries.shapes import activity_shape
from projector.store.tables import HISTORY

# The state is repeated: a client may have missed the first frames. Source: contract 6.4.
REPEAT_S = 1.0
ACTIVITY = Page(1, 10, 0, 10)  # Source: contract 9.14.
HOURS, HOURS_MAX = 24, 24 * 31  # Of history. Source: contract 6.2.
POINTS_MAX = 500  # Of history; a longer one is thinned out.


def router(feeds: Feeds) -> APIRouter:
    """Return the socket and the list of its connections, bound to one instance."""
    routes = APIRouter(prefix="/ws/campaigns", tags=["sockets"])
    Who = Annotated[Caller, Depends(feeds.queries.caller)]  # noqa: N806  (a type)

    @routes.websocket("/{campaign_id}/progress")
    async def progress(socket: WebSocket, campaign_id: str) -> None:
        async with admitted(feeds, socket) as caller:
            if caller is not None:
                await _serve(feeds, socket, caller, campaign_id)

    async def connections(
        campaign_id: CampaignId, caller: Who, consistency: Fresh = Consistency.LINEARIZABLE
    ) -> Response:
        """Get who is connected to a campaign's progress here."""
        headers = await feeds.queries.catch_up_with(campaign_id, caller, consistency)
        found = [
            {"connected_at": at(one.connected_at), "client": one.client}
            for one in feeds.hub.of(campaign_id)
        ]
        shape = {"campaign_id": campaign_id, "connections": found, "total": len(found)}
        return await feeds.queries.read(lambda _: shape, headers)

    get(routes, "/{campaign_id}/connections", connections, "Connections")
    return routes


async def _serve(feeds: Feeds, socket: WebSocket, caller: Caller, campaign_id: str) -> None:
    """Serve one client of a campaign's progress."""
    number = int(campaign_id) if re.fullmatch("[0-9]{1,16}", campaign_id) else 0
    try:
        if not 1 <= number <= ID_MAX:
            raise HTTPException(404)
        await feeds.queries.catch_up_with(number, caller, Consistency.LINEARIZABLE)
    except HTTPException:
        await socket.close(NOT_FOUND, "Campaign not found")
        return
    except OperatingError as exc:
        await socket.close(INTERNAL, str(exc)[:100])
        return
    listener = listener_of(feeds, socket, caller, number)
    await converse(feeds, socket, listener, _tell, _answer)


def _campaign_of(feeds: Feeds, listener: Listener) -> Campaign | None:
    """Return the listener's campaign, or None when it was deleted or the key revoked."""
    assert listener.campaign_id is not None, "not a monitor"
    campaign = feeds.queries.views.campaigns.get(listener.campaign_id)
    if campaign is None or campaign.deleted or not key_valid(feeds, listener):
        return None
    return campaign


async def _tell(feeds: Feeds, client: ClientSocket, listener: Listener) -> None:
    """Send a campaign's progress until the campaign is deleted or the key revoked."""
    campaign = _campaign_of(feeds, listener)
    if campaign is None:
        return
    activity = await asyncio.to_thread(_activity, feeds, campaign.campaign_id)
    now = feeds.clock.now()
    await client.send(frames.ack(campaign.campaign_id, now), frames.initial(campaign, activity))
    before, within_s = None, REPEAT_S
    while (campaign := _campaign_of(feeds, listener)) is not None:
        _, contacts = listener.take()
        numbers = [contact.contact_id for contact in contacts]
        rows = await asyncio.to_thread(_rows, feeds, campaign.campaign_id, numbers)
        now = feeds.clock.now()
        shapes = [frames.progress(campaign, now), frames.update(campaign)]
        for contact in contacts:
            row = rows.get(contact.contact_id)
            shapes += frames.contact_frames(campaign, contact, row, now)
        if campaign.status is Status.COMPLETED and before is not Status.COMPLETED:
            shapes.append(frames.completed(campaign, now))
        before = campaign.status
        await client.send(*shapes)
        await next_change(listener, within_s)
        within_s = HEARTBEAT_S


async def _answer(feeds: Feeds, client: ClientSocket, listener: Listener) -> None:
    """Answer the messages of a client."""
    while True:
        asked = await client.receive()
        campaign = _campaign_of(feeds, listener)
        if campaign is None:
            return
        match asked.get("type"):
            case "ping":
                await client.send({"type": "pong"})
            case "request_update":
                await client.send(frames.update(campaign))
            case "request_history":
                hours = asked.get("hours", HOURS)
                usable = type(hours) is int and 1 <= hours <= HOURS_MAX
                since = feeds.clock.now() - timedelta(hours=hours if usable else HOURS)
                points = await asyncio.to_thread(_history, feeds, campaign.campaign_id, since)
                await client.send(frames.history(points))
            case _:
                continue  # Unknown messages are ignored.


def _activity(feeds: Feeds, campaign_id: int) -> list[Shape]:
    with feeds.queries.views.store.reading() as tx:
        found, _ = execution_pages.executions(
            tx, campaign_id, None, ACTIVITY, keys=feeds.queries.keys, unread=log_unread
        )
        return [activity_shape(one.execution, one.row) for one in found]


def _rows(feeds: Feeds, campaign_id: int, numbers: list[int]) -> dict[int, Row]:
    if not numbers:
        return {}
    with feeds.queries.views.store.reading() as tx:
        given = campaign_pages.rows(tx, campaign_id, numbers, feeds.queries.keys, log_unread)
        return {n: one.row for n, one in given.items() if one.row is not None}


def _history(feeds: Feeds, campaign_id: int, since: datetime) -> list[tuple[datetime, int, int]]:
    """Return a campaign's counters over time, oldest first."""
    wanted = select(HISTORY).where(
        HISTORY.c.campaign_id == campaign_id, HISTORY.c.minute >= minute_of(since)
    )
    with feeds.queries.views.store.reading() as tx:
        points = tx.execute(wanted.order_by(HISTORY.c.minute)).all()
    thinned = points[:: -(-len(points) // POINTS_MAX) or 1]
    zone = since.tzinfo
    return [
        (datetime.fromtimestamp(one.minute * 60, zone), one.completed, one.failed)
        for one in thinned
    ]
