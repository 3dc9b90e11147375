"""A feed of events in memory: what couriers read, without a projector. No test in here."""

import asyncio
from dataclasses import dataclass, field

from campaigns.events.cursor import Cursor, Passed, passed
from campaigns.events.feed import EVERY_TYPE, Feed, FeedEvent, FeedPage, Types
from campaigns.records.cloud_event import CloudEvent, EventId


@dataclass
class ListFeed:
    """Events of one partition; each is a record of its own."""

    events: list[CloudEvent] = field(default_factory=list)
    pages: int = 0  # So many were read.
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, campaign_id: int, tag: str = "call-ended.v1") -> CloudEvent:
        """Append an event."""
        at = EventId(0, len(self.events) + 1, 0)
        made = CloudEvent(at, campaign_id, tag, f'{{"id":"{at}"}}'.encode())
        self.events.append(made)
        self._grown.set()
        self._grown = asyncio.Event()
        return made

    def at(self, position: int) -> str:
        """Return the cursor after a position."""
        return str(Cursor({0: Passed(position)}))

    def end(self, feed: Feed) -> Cursor:
        """Return where it ends."""
        return Cursor({0: Passed(len(self.events))})

    async def page(
        self,
        feed: Feed,
        after: Cursor,
        limit: int,
        types: Types = EVERY_TYPE,
        through: Cursor | None = None,
    ) -> FeedPage:
        """Return a slice of the events."""
        self.pages += 1
        first = after[0].position
        found = self.events[first : first + limit]
        told = [
            FeedEvent(one, Cursor({0: passed(one.id, last=True)}))
            for one in found
            if types.have(one.type) and feed.campaign_id in (None, one.campaign_id)
        ]
        end = first + len(found)
        return FeedPage(told, Cursor({0: Passed(end)}), more=end < len(self.events))

    async def wait(self, feed: Feed, after: Cursor, within_s: float) -> bool:
        """Wait for the next event."""
        if after[0].position < len(self.events):
            return True
        try:
            async with asyncio.timeout(within_s):
                await self._grown.wait()
        except TimeoutError:
            return False
        return True
