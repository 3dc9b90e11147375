"""GET of events: pages, long polls and server-sent events, of a campaign and of an organization.

Source: contract 11.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from campaigns.domain.api_keys import Caller
from campaigns.events.cursor import Cursor
from campaigns.events.event_types import every_type
from campaigns.events.feed import Feed, FeedEvent, Types
from campaigns.http.door import RETRY_AFTER_S, CampaignId, JsonAnswer, json_response
from campaigns.http.responses import ERRORS, ok
from campaigns.process.metrics import SHARES_SPENT
from projector.feeds.event_feed import ViewFeed
from projector.feeds.event_parameters import (
    After,
    LastEventId,
    Limit,
    WaitS,
    Wanted,
    start_of,
    types_of,
)
from projector.feeds.event_stream import MEDIA_TYPE, EventStream, Following
from projector.feeds.event_tail import FellBehindError
from projector.feeds.hub import Hub, Listener
from projector.queries.freshness import Consistency, Fresh, Queries, get

FULL = "Too many connections"
TOO_MANY_STREAMS = "Too many connections of this organization, or key"


@dataclass(frozen=True, slots=True)
class EventQueries:
    """The dependencies of these routes."""

    queries: Queries
    source: ViewFeed
    hub: Hub


def router(events: EventQueries) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(tags=["events"])
    queries = events.queries
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def campaign_events(
        request: Request,
        campaign_id: CampaignId,
        caller: Who,
        after: After = None,
        limit: Limit = 100,
        types: Wanted = None,
        wait_s: WaitS = 0,
        last_event_id: LastEventId = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get the events of a campaign, in order: a page, or with `Accept` a stream of them."""
        headers = await queries.catch_up_with(campaign_id, caller, consistency)

        def deleted() -> bool:
            campaign = queries.views.campaigns.get(campaign_id)
            return campaign is None or campaign.deleted

        feed = Feed(caller.organization_id, campaign_id)
        asked = _Asked(request, feed, after, last_event_id, types_of(types), deleted)
        return await _answer(events, caller, asked, limit, wait_s, headers)

    async def organization_events(
        request: Request,
        caller: Who,
        after: After = None,
        limit: Limit = 100,
        types: Wanted = None,
        wait_s: WaitS = 0,
        last_event_id: LastEventId = None,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get the events of all campaigns, in order within each: a page, or a stream of them."""
        headers = await queries.catch_up_with_all(consistency)
        feed = Feed(caller.organization_id)
        asked = _Asked(request, feed, after, last_event_id, types_of(types), lambda: False)
        return await _answer(events, caller, asked, limit, wait_s, headers)

    async def event_types(caller: Who) -> Response:
        """List the types of events: each with its JSON Schema and an example."""
        return json_response({"items": every_type(), "total": len(every_type()), "next": None})

    get(routes, "/api/v1/event-types", event_types, "EventTypes")
    also = {**ok("EventPage", description="A page, or a stream"), 404: ERRORS[404]}
    also[200]["content"][MEDIA_TYPE] = {"schema": {"type": "string"}}
    _get(routes, "/api/v1/campaigns/{campaign_id}/events", campaign_events, also)
    _get(routes, "/api/v1/events", organization_events, also)
    return routes


def _get(
    routes: APIRouter, path: str, endpoint: Callable[..., object], also: dict[int | str, Any]
) -> None:
    get(routes, path, endpoint, "EventPage", also=also)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request."""

    request: Request
    feed: Feed
    after: str | None
    last_event_id: str | None
    types: Types
    over: Callable[[], bool]

    @property
    def streams(self) -> bool:
        """Say whether it asks for server-sent events."""
        accepted = self.request.headers.get("accept", "").split(",")
        kinds = {one.partition(";")[0].strip().lower() for one in accepted}
        return self.request.method == "GET" and MEDIA_TYPE in kinds


async def _answer(
    events: EventQueries,
    caller: Caller,
    asked: _Asked,
    limit: int,
    wait_s: int,
    headers: dict[str, str],
) -> Response:
    if asked.streams:
        name, text = ("Last-Event-ID", asked.last_event_id) if asked.last_event_id else (
            "after", asked.after
        )  # fmt: skip
        start = start_of(events.source, asked.feed, text, name)
        return _stream(events, caller, asked, start)
    start = start_of(events.source, asked.feed, asked.after)
    wait_s = wait_s if asked.request.method == "GET" else 0
    found, following, more = await _page(events.source, asked, start, limit, wait_s)
    body = b'{"events":[%b],"next":"%b","more":%b}' % (
        b",".join(one.event.body for one in found),
        str(following).encode(),
        b"true" if more else b"false",
    )
    return JsonAnswer(body, 200, headers)


async def _page(
    source: ViewFeed, asked: _Asked, start: Cursor, limit: int, wait_s: int
) -> tuple[Sequence[FeedEvent], Cursor, bool]:
    """Return the next events, where to go on, and whether there is more already."""
    feed, types = asked.feed, asked.types
    if not wait_s:
        page = await source.page(feed, start, limit, types)
        return page.events, page.next, page.more
    end = source.end(feed)
    with source.tail.reading(feed, end) as reader:  # All who wait share what comes.
        page = await source.page(feed, start, limit, types, through=end)
        if page.events or page.more:
            return page.events, page.next, page.more
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        try:
            async with asyncio.timeout_at(until_s):
                while True:
                    while not reader.waits:
                        if found := reader.take(types, limit):
                            return found, found[-1].cursor, not reader.waits
                    if reader.over:
                        break
                    await reader.grown()
        except TimeoutError:
            pass
        except FellBehindError:
            return (), page.next, True
        return (), reader.cursor, False


def _stream(events: EventQueries, caller: Caller, asked: _Asked, start: Cursor) -> Response:
    leave = events.hub.admit(caller)
    if leave is None:
        SHARES_SPENT.labels("streams").inc()
        full = events.hub.full
        raise HTTPException(
            503 if full else 429,
            FULL if full else TOO_MANY_STREAMS,
            {"Retry-After": str(RETRY_AFTER_S)},
        )
    client = asked.request.client.host if asked.request.client else ""
    listener = Listener(caller.organization_id, caller.key_hash, client, events.queries.now(), None)
    following = Following(asked.feed, start, asked.types, asked.over)
    return EventStream(events.source, events.hub, listener, following, leave)
