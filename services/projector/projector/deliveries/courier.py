"""Delivers one webhook's events: in order within a campaign, at least once, and never skips one.

Campaigns are delivered beside each other, a few at once; an event that its receiver does not take
holds up its own campaign, and, once the window is full, the others of this webhook. The cursor
moves over what was delivered without a gap: after a crash, what lay beyond it comes again.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from campaigns.domain.webhooks import Webhook
from campaigns.events.cursor import Cursor, CursorError, cursor
from campaigns.events.feed import Feed, Types
from campaigns.process.errors import OperatingError
from campaigns.records.cloud_event import CloudEvent
from campaigns.webhooks.endpoint import WebhookAnswer
from projector.deliveries.delivery_state import Standing, UnderWay
from projector.deliveries.delivery_window import DeliveryWindow
from projector.deliveries.recipient import Recipient, Tools

WINDOW = 256  # Events of one webhook that are read and not behind its cursor.
PAGE = 100  # Events read at once.
_LOOK_S = 5.0  # How long one wait for new events lasts.


@dataclass
class Courier:
    """The delivery of one webhook, as it is now. Once the webhook changes, another takes over."""

    webhook: Webhook
    standing: Standing
    tools: Tools
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _lanes: dict[int, deque[tuple[int, CloudEvent]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._recipient = Recipient(self.webhook, self.standing, self.tools)

    def stop(self) -> None:
        """Begin nothing more; what is on its way ends."""
        self._recipient.stop()
        self._moved.set()

    @property
    def stopping(self) -> bool:
        """Say whether nothing more is begun."""
        return self._recipient.stopping

    async def run(self) -> None:
        """Deliver until stopped, or parked."""
        try:
            while not self.stopping:
                if (under_way := self._replay_due()) is not None:
                    over = await self._stretch(under_way.cursor, cursor(under_way.until))
                    if over:
                        self.standing.replay, self.standing.replayed = None, under_way.position
                        self.tools.on_moved(self.webhook.webhook_id)
                else:
                    await self._stretch(self.standing.cursor, None)
        finally:
            await self._recipient.close()

    def _replay_due(self) -> UnderWay | None:
        """Begin the oldest replay that has not begun; return the one that is under way."""
        standing = self.standing
        if standing.replay is None and (asked := standing.next_replay(self.webhook)) is not None:
            until = asked.until or standing.cursor
            standing.replay = UnderWay(asked.position, asked.after, until)
            self.tools.on_moved(self.webhook.webhook_id)
        return standing.replay

    async def _stretch(self, begin: str, until: Cursor | None) -> bool:
        """Deliver from a cursor on; until another, or until stopped. Say whether it is over."""
        window, at = DeliveryWindow(begin), cursor(begin)
        async with asyncio.TaskGroup() as lanes:
            while not self.stopping and (until is None or not _reached(at, until)):
                if (
                    len(window) > WINDOW - PAGE
                ):  # A page is read as a whole: not one for each event.
                    await self._moving()
                    continue
                at = await self._fill(lanes, window, at, until)
            while len(window) and not self.stopping:
                await self._moving()
        return not len(window) and not self.stopping

    async def _fill(
        self, lanes: asyncio.TaskGroup, window: DeliveryWindow, at: Cursor, until: Cursor | None
    ) -> Cursor:
        """Read a page of events into the lanes; return where to go on."""
        webhook, feed = self.webhook, self.tools.feed
        # Of the whole organization: a cursor of one campaign would say nothing of other partitions.
        whose, types = Feed(webhook.organization_id), Types(frozenset(webhook.types))
        try:
            page = await feed.page(whose, at, PAGE, types)
        except (CursorError, OperatingError) as exc:
            self._recipient.say(WebhookAnswer(None, str(exc)))
            await self._recipient.pause(self.tools.settings.retry_wait_s)
            return at
        for found in page.events:
            event = found.event
            again = until is None or until[event.id.partition].has(event.id)
            if again and webhook.wants(event.campaign_id, event.type):
                self._let_in(lanes, window, event, window.take(str(found.cursor)), until)
            else:
                window.passed(str(found.cursor))
        window.passed(str(page.next))
        self._note(window, until)
        if not page.more and (until is None or not _reached(page.next, until)):
            await self._recipient.or_stop(
                feed.wait(whose, page.next, _LOOK_S)
            )  # Then it looks again.
        return page.next

    def _let_in(
        self,
        lanes: asyncio.TaskGroup,
        window: DeliveryWindow,
        event: CloudEvent,
        number: int,
        until: Cursor | None,
    ) -> None:
        lane = self._lanes.get(event.campaign_id)
        if lane is not None:
            lane.append((number, event))
            return
        self._lanes[event.campaign_id] = deque([(number, event)])
        lanes.create_task(self._lane(event.campaign_id, window, until))

    async def _lane(self, campaign_id: int, window: DeliveryWindow, until: Cursor | None) -> None:
        """Deliver a campaign's events, one after the other, while there are any."""
        lane = self._lanes[campaign_id]
        try:
            while lane:
                number, event = lane[0]
                if not await self._recipient.taken(event, lambda: window.first(number)):  # noqa: B023
                    self.stop()
                    return  # Stopped, or parked.
                lane.popleft()
                if window.finish(number):
                    self._note(window, until)
        finally:
            del self._lanes[campaign_id]
            self._moved.set()

    def _note(self, window: DeliveryWindow, until: Cursor | None) -> None:
        """Let the cursor be stored, and what waits for room go on."""
        if until is None:
            self.standing.cursor = window.cursor
        elif self.standing.replay is not None:
            self.standing.replay.cursor = window.cursor
        self.tools.on_moved(self.webhook.webhook_id)
        self._moved.set()

    async def _moving(self) -> None:
        await self._moved.wait()
        self._moved.clear()


def _reached(at: Cursor, until: Cursor) -> bool:
    return all(at[number] >= place for number, place in until.by_partition.items())
