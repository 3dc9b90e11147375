"""GET of a campaign's schedule, of its pause, and of its timeline."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from campaigns.audit.stories.story import Item, Story
from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign, dump, load
from campaigns.http.campaign_json import Shape, schedule_shape
from campaigns.http.door import CampaignId, json_response
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import campaign_partition
from projector.past.as_of import TEXT_MAX, AsOfError, parsed
from projector.past.own_records import records_of
from projector.queries.freshness import Consistency, Fresh, Queries, get
from projector.queries.moments import AsOfText, about_as_of
from projector.queries.shapes import pause_shape

After = Annotated[
    str | None,
    Query(
        max_length=TEXT_MAX,
        description="Go on after this cursor: `next` of a page, or an item's `position`.",
        examples=["0@812"],
    ),
]
RECORDS_MAX = 20_000  # That a page reads, about: minutes of many calls make it end earlier.
_STRETCH = 65_536  # Positions of the partition whose index is looked at at once.


async def timeline_page(
    queries: Queries, campaign_id: int, after: str | None, limit: int
) -> tuple[Sequence[Item], str | None]:
    """Return the items of a story after a cursor, and the cursor to go on at; None: at its end.

    The story goes on from the campaign's state as of the cursor, so that a page costs the same
    however far down the story it is.

    Raises:
        RequestValidationError: `after` is no place in the campaign's history.
        LogUnavailableError, NotFreshError: answered as 503.

    """
    partition = campaign_partition(campaign_id, queries.partitions)
    reached = queries.reached(partition)
    story, position = Story(), 0
    if after is not None:
        with about_as_of("after"):
            point = parsed(after)
            if point.place is None:
                raise AsOfError("expected a cursor, `partition@position`, found an instant")
            past = await queries.travel.past(campaign_id, point, reached)
        position = past.position
        story = Story(load(dump(past.campaign), campaign_id))  # A copy: that one is kept.
    items, read = list[Item](), 0
    async for some in _own_records(queries, campaign_id, position, reached):
        items += await asyncio.to_thread(_told, story, some, campaign_id)
        read += len(some)
        if read >= RECORDS_MAX:
            items += story.cut()
        if len(items) >= limit or (items and read >= RECORDS_MAX):
            return items[:limit], items[:limit][-1].position
    items += story.end()
    more = len(items) > limit
    return items[:limit], items[:limit][-1].position if more else None


async def _own_records(
    queries: Queries, campaign_id: int, after: int, through: int
) -> AsyncIterator[Sequence[Recorded]]:
    """Yield a campaign's own records, of whose positions few are held at once."""
    log, store = queries.views.log, queries.views.store
    for first in range(after, through, _STRETCH):
        last = min(first + _STRETCH, through)
        async for some in records_of(store, log, campaign_id, after=first, through=last):
            yield some


def _told(story: Story, records: Sequence[Recorded], campaign_id: int) -> list[Item]:
    return [item for recorded in records for item in story.tell(recorded, campaign_id)]


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

    async def get_timeline(
        campaign_id: CampaignId,
        caller: Who,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get a campaign's story: its facts in words, its calls by the minute."""
        moment = await queries.moment(campaign_id, caller, consistency, None)
        items, cursor = await timeline_page(queries, campaign_id, after, limit)
        shape = {"items": [item.shape() for item in items], "next": cursor}
        return json_response(shape, headers=moment.headers)

    get(routes, "/{campaign_id}/timeline", get_timeline, "TimelineAnswer")
    get(routes, "/{campaign_id}/schedule", get_schedule, "ScheduleAnswer")
    get(routes, "/{campaign_id}/pause", get_pause, "PauseAnswer")
    return routes
