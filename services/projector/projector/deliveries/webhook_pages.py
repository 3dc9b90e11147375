"""What queries show of webhooks: what the log says, and how far delivery has come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.domain.values.instants import instant
from campaigns.domain.webhooks import Webhook, Webhooks
from campaigns.events.cursor import CursorError, cursor
from campaigns.events.feed import Feed, Types
from campaigns.http.campaign_json import Shape, at
from campaigns.http.webhook_json import webhook_shape
from projector.deliveries.deliverer import Deliverer
from projector.deliveries.delivery_state import Standing, standing_of

BEHIND_MAX = 1_000  # Events that are counted; more are shown as so many.
_PAGES_MAX = 10  # That are looked at to count them.


@dataclass(frozen=True)
class WebhookPages:
    """Shows webhooks."""

    deliverer: Deliverer

    @property
    def webhooks(self) -> Webhooks:
        """Return the webhooks."""
        return self.deliverer.webhooks

    async def shapes(self, webhooks: Sequence[Webhook]) -> list[Shape]:
        """Return webhooks as they are shown.

        Raises:
            StoreUnavailableError: the deliveries' database does not answer.
            StoreUnreadableError: where a delivery stands cannot be read.

        """
        ids = [one.webhook_id for one in webhooks]
        states = await asyncio.to_thread(self.deliverer.store.states, ids) if ids else {}
        return [await self._shape(one, states.get(one.webhook_id)) for one in webhooks]

    async def _shape(self, webhook: Webhook, state: bytes | None) -> Shape:
        standing = self.deliverer.standing(webhook.webhook_id) or standing_of(webhook, state)
        last = standing.last_response
        return webhook_shape(webhook) | {
            "status": standing.status(webhook),
            "cursor": standing.cursor,
            "behind": await self._behind(webhook, standing),
            "failing_since": at(standing.failing_since),
            "last_response": last
            and {"status": last.status, "at": instant(last.at), "error": last.error},
        }

    async def _behind(self, webhook: Webhook, standing: Standing) -> int | None:
        """Count wanted events that were not delivered.

        None: the cursor is of another log, or what is wanted lies further on than is looked.
        """
        counted, whose = 0, Feed(webhook.organization_id)
        types = Types(frozenset(webhook.types))
        try:
            place = cursor(standing.cursor)
            for _ in range(_PAGES_MAX):
                page = await self.deliverer.tools.feed.page(whose, place, BEHIND_MAX, types)
                events = (one.event for one in page.events)
                counted += sum(webhook.wants(one.campaign_id, one.type) for one in events)
                if not page.more or counted >= BEHIND_MAX:
                    return min(counted, BEHIND_MAX)
                place = page.next
        except CursorError:
            return None
        return counted or None  # Not 0: who reads that takes it for delivered.
