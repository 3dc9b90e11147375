"""Reads the accepted facts of a campaign or organization out of the log, as events, by the index.

The index in the store says where a feed's records are, so a page costs what it returns, however
much lies before it, or between its records.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from campaigns.events.cursor import Cursor, CursorError, Passed, passed
from campaigns.events.feed import EVERY_TYPE, Feed, FeedEvent, FeedPage, Types
from campaigns.log.selection import selected
from campaigns.records.cloud_event import CloudEvent, events_of
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from projector.advance import Views
from projector.feeds.event_tail import EventTail
from projector.store import record_index

RECORDS_MAX = 1_024  # That a page looks at: of rare types it may find none, and says `more`.
PAGE_BYTES_MAX = 2**20  # Of a page's events; one event always fits.


class _Stretch(NamedTuple):
    """Where some of a feed's next records are in one partition."""

    partition: Partition
    positions: Sequence[int]
    reached: int  # No other record of the feed is at or before it.


class ViewFeed:
    """The events of one projector, as far as its views have come. For one event loop."""

    def __init__(self, views: Views, tail: EventTail) -> None:
        """Store the dependencies."""
        self._views, self.tail = views, tail

    def end(self, feed: Feed) -> Cursor:
        """Return where a feed stands now: what is accepted later comes after this cursor."""
        reached = self._views.reader.visible
        return Cursor({one.number: Passed(reached.get(one, 0)) for one in self.partitions(feed)})

    def check(self, after: Cursor) -> None:
        """Check that a cursor does not lie behind the end.

        Raises:
            CursorError: it does, or names a partition that the log does not have.

        """
        reached, partitions = self._views.reader.visible, self._views.log.partitions
        for number, place in after.by_partition.items():
            known = number < partitions(CAMPAIGN_RECORDS)
            end = reached.get(Partition(CAMPAIGN_RECORDS, number), 0) if known else 0
            if place > Passed(end):
                raise CursorError("the cursor lies behind the log's end: it is of another log")

    async def page(
        self,
        feed: Feed,
        after: Cursor,
        limit: int,
        types: Types = EVERY_TYPE,
        through: Cursor | None = None,
    ) -> FeedPage:
        """Return at most `limit` events after a cursor; `through`: none after this one.

        Raises:
            CursorError: the cursor lies behind the log's end, or is of another log.
            LogUnavailableError: the log does not answer.

        """
        self.check(after)
        end, most = through or self.end(feed), RECORDS_MAX if types.names else limit + 1
        found, weight, looked = list[FeedEvent](), 0, 0
        cursor = Cursor({number: after[number] for number in end.by_partition})
        for partition in self._hindmost_first(feed, cursor, end):
            number = partition.number
            while cursor[number].position < end[number].position:
                asked = cursor[number].position, end[number].position, most
                stretch = await asyncio.to_thread(self._stretch, feed, partition, *asked)
                async for some in selected(self._views.log, partition, stretch.positions):
                    looked += len(some)
                    told = await asyncio.to_thread(_told, some, feed, types, cursor[number])
                    for event, place in told:
                        cursor = cursor.moved(number, place)
                        if event is not None:
                            weight += len(event.body)
                            if found and weight > PAGE_BYTES_MAX:
                                return FeedPage(found, found[-1].cursor, more=True)
                            found.append(FeedEvent(event, cursor))
                        if len(found) >= limit:
                            return FeedPage(found, cursor, more=self._more(feed, cursor, end))
                    if looked >= RECORDS_MAX:
                        return FeedPage(found, cursor, more=self._more(feed, cursor, end))
                cursor = cursor.moved(number, max(cursor[number], Passed(stretch.reached)))
        return FeedPage(found, cursor, more=False)

    async def wait(self, feed: Feed, after: Cursor, within_s: float) -> bool:
        """Wait until the feed has a record after a cursor, at most `within_s`; say whether it has.

        Raises:
            CursorError: the cursor lies behind the log's end, or is of another log.
            LogUnavailableError: the log does not answer.

        """
        with self.tail.reading(feed, self.end(feed)) as reader:
            page = await self.page(feed, after, 1)
            if page.events or page.more:
                return True
            try:
                async with asyncio.timeout(within_s):
                    await reader.grown()
            except TimeoutError:
                return False
            return True

    def partitions(self, feed: Feed) -> Sequence[Partition]:
        """Return the partitions that a feed's records are in."""
        count = self._views.log.partitions(CAMPAIGN_RECORDS)
        if feed.campaign_id is not None:
            return [campaign_partition(feed.campaign_id, count)]
        return [Partition(CAMPAIGN_RECORDS, number) for number in range(count)]

    def _more(self, feed: Feed, cursor: Cursor, end: Cursor) -> bool:
        return any(cursor[one.number] < end[one.number] for one in self.partitions(feed))

    def _hindmost_first(self, feed: Feed, cursor: Cursor, end: Cursor) -> Sequence[Partition]:
        """Return the feed's partitions in an order in which none is left behind for long."""

        def ahead(partition: Partition) -> int:
            return end[partition.number].position - cursor[partition.number].position

        return sorted(self.partitions(feed), key=ahead, reverse=True)

    def _stretch(
        self, feed: Feed, partition: Partition, after: int, through: int, most: int
    ) -> _Stretch:
        def found(tx: Connection) -> Sequence[int]:
            place = after, through, most
            if feed.campaign_id is not None:
                return record_index.of_campaign(tx, feed.campaign_id, *place)
            return record_index.of_organization(tx, feed.organization_id, partition.number, *place)

        with self._views.store.reading() as tx:
            positions = found(tx)
        if len(positions) < most:  # All there are.
            return _Stretch(partition, positions, through)
        return _Stretch(partition, positions, positions[-1])


def _told(
    records: Sequence[Recorded], feed: Feed, types: Types, after: Passed
) -> Sequence[tuple[CloudEvent | None, Passed]]:
    """Return the wanted events, and where one is after each; None: after others."""
    return [one for recorded in records for one in _of_record(recorded, feed, types, after)]


def _of_record(
    recorded: Recorded, feed: Feed, types: Types, after: Passed
) -> Iterator[tuple[CloudEvent | None, Passed]]:
    events = list(events_of(recorded))
    for event, place in placed(events):
        mine = feed.campaign_id in (None, event.campaign_id)
        if mine and types.have(event.type) and not after.has(event.id):
            yield event, place
    yield None, Passed(recorded.position)


def placed(events: Sequence[CloudEvent]) -> Iterator[tuple[CloudEvent, Passed]]:
    """Yield a record's events, each with where its reader is after it."""
    for event in events:
        yield event, passed(event.id, last=event is events[-1])
