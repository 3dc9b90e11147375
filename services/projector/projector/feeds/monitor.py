"""The socket of all campaigns of an organization. Source: contract 9.13 and 9.25."""

import asyncio

from fastapi import APIRouter, WebSocket

from campaigns.process.errors import OperatingError
from projector.feeds import frames
from projector.feeds.hub import Listener
from projector.feeds.socket import (
    HEARTBEAT_S,
    INTERNAL,
    ClientSocket,
    Feeds,
    admitted,
    converse,
    key_valid,
    listener_of,
    next_change,
)
from projector.queries.freshness import Consistency

CAMPAIGNS_MAX = 1000  # To which one client may subscribe.


def router(feeds: Feeds) -> APIRouter:
    """Return the socket, bound to one instance."""
    routes = APIRouter(prefix="/ws/campaigns", tags=["sockets"])

    @routes.websocket("/monitor")
    async def monitor(socket: WebSocket) -> None:
        async with admitted(feeds, socket) as caller:
            if caller is None:
                return
            try:
                await feeds.queries.catch_up_with_all(Consistency.LINEARIZABLE)
            except OperatingError as exc:
                await socket.close(INTERNAL, str(exc)[:100])
                return
            listener = listener_of(feeds, socket, caller, None)
            await converse(feeds, socket, listener, _watch, _receive)

    return routes


async def _watch(feeds: Feeds, client: ClientSocket, listener: Listener) -> None:
    """Send a monitor the campaigns of its organization as they change, until its key is revoked."""
    views = feeds.queries.views
    own = [
        campaign
        for campaign in views.campaigns.by_id.values()
        if campaign.created.organization_id == listener.organization_id and not campaign.deleted
    ]
    shape = await asyncio.to_thread(frames.overview, own, feeds.clock.now())
    await client.send(frames.ack(None, feeds.clock.now()), shape)
    while key_valid(feeds, listener):
        if not await next_change(listener, HEARTBEAT_S):
            continue
        changed, _ = listener.take()
        found = [views.campaigns.by_id[campaign_id] for campaign_id in sorted(changed)]
        now = feeds.clock.now()
        await client.send(*(frames.changed(one, now) for one in found if not one.deleted))


async def _receive(feeds: Feeds, client: ClientSocket, listener: Listener) -> None:
    """Handle a monitor's subscriptions."""
    while True:
        asked = await client.receive()
        if asked.get("type") == "ping":
            await client.send({"type": "pong"})
        ids = asked.get("campaign_ids")
        if not isinstance(ids, list) or not all(type(one) is int for one in ids):
            continue
        if asked.get("type") == "subscribe":
            wanted = (listener.only or set()) | set(ids)
            listener.only = wanted if len(wanted) <= CAMPAIGNS_MAX else listener.only
        elif asked.get("type") == "unsubscribe" and listener.only is not None:
            listener.only = listener.only - set(ids)
