"""The port of the events: accepted facts of a campaign or organization, from a cursor on.

What HTTP feeds and webhooks read. Each event is the CloudEvent that campaign.events carries, byte
for byte, and works on the embedded log as on Kafka. The adapter is `projector.feeds.event_feed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from campaigns.events.cursor import Cursor
from campaigns.records.cloud_event import CloudEvent, unversioned


class Feed(NamedTuple):
    """Whose events: all of an organization's, deleted campaigns included, or one campaign's."""

    organization_id: int
    campaign_id: int | None = None


class FeedEvent(NamedTuple):
    """An event, and where its reader goes on after it."""

    event: CloudEvent
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The events after a cursor: of one campaign in order, of several in order within each."""

    events: Sequence[FeedEvent]
    next: Cursor  # Where to go on. Also moves over what was left out.
    more: bool  # Whether something may be there already, in which case one reads on at once.


@dataclass(frozen=True, slots=True)
class Types:
    """Which types of events are wanted: `campaign-paused.v1`, or without `.v1` every version."""

    names: frozenset[str] = frozenset()  # Empty: all.

    def have(self, tag: str) -> bool:
        """Say whether a type is one of them."""
        return not self.names or tag in self.names or unversioned(tag) in self.names


EVERY_TYPE = Types()


class EventFeed(Protocol):
    """Reads accepted facts as events. A reader keeps its own cursor; nothing is kept for it."""

    def end(self, feed: Feed) -> Cursor:
        """Return where a feed stands now: what is accepted later comes after this cursor."""
        ...

    async def page(
        self, feed: Feed, after: Cursor, limit: int, types: Types = EVERY_TYPE
    ) -> FeedPage:
        """Return at most `limit` events after a cursor, as far as the views have come.

        Costs what it returns, and not what lies before the cursor; it reads a bounded stretch, so
        that a page may be short, or empty, although `more` is true. Whether the feed's campaign
        exists is for the caller to check.

        Raises:
            CursorError: the cursor lies behind the log's end, or is of another log.
            LogUnavailableError: the log does not answer.

        """
        ...

    async def wait(self, feed: Feed, after: Cursor, within_s: float) -> bool:
        """Wait until the feed has a record after a cursor, at most `within_s`; say whether it has.

        It may have none that a reader wants: the page says so.
        """
        ...
