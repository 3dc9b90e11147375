"""Webhooks of one projector, without its views: what delivers, on a store of a test's choice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from campaigns.domain.webhooks import Webhook, Webhooks
from campaigns.process.clock import Clock, SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_endpoint import about
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.deliveries.deliverer import Deliverer
from projector.deliveries.delivery_state import STANDING, Standing
from projector.deliveries.delivery_store import _DELIVERERS, _DELIVERIES, DeliveryStore
from projector.deliveries.permits import Permits
from projector.deliveries.recipient import Tools
from tests.support.list_feed import ListFeed
from tests.support.receiver import SECRET, Delivered, Receiver

KEYS = KeyPlace(bytes(range(32)))
FAST = WebhookSettings(
    private=True,
    timeout_s=0.5,
    retry_wait_s=0.01,
    retry_wait_max_s=0.05,
    fresh_s=0.3,
    lease_s=1.0,
)
# Nothing is sent again because a machine is slow: a timeout, or a lease that ran out.
PATIENT = FAST.model_copy(update={"timeout_s": 30.0, "lease_s": 30.0})
NOW = datetime(2026, 3, 1, tzinfo=UTC)


Open = Callable[[], DeliveryStore]


@contextmanager
def opening(url: str | None, folder: Path) -> Iterator[Open]:
    """Yield what opens one empty store, each time as another projector does; all are closed."""
    stores = [DeliveryStore(url, folder)]
    with stores[0]._writing() as tx:  # A database may be of the test before.
        tx.execute(_DELIVERIES.delete())
        tx.execute(_DELIVERERS.delete())

    def another() -> DeliveryStore:
        stores.append(DeliveryStore(url, folder))
        return stores[-1]

    yield another
    for store in stores:
        store.close()


def a_webhook(receiver: Receiver, feed: ListFeed, name: str = "wh_1", **more: Any) -> Webhook:
    sealed = KEYS.sealing().seal(SECRET.encode(), about(1, name))
    made = Webhook(1, name, receiver.url, (), (), None, feed.at(0), sealed, NOW, "r", active_at=1)
    return replace(made, **more)


@dataclass
class Projection:
    """What a projector has of webhooks, with its deliverer."""

    feed: ListFeed
    store: DeliveryStore
    settings: WebhookSettings = FAST
    webhooks: Webhooks = field(default_factory=Webhooks)
    away: bool = False  # The log does not say where it ends.
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        clock = self.clock
        permits = Permits(clock, self.settings, self._look)
        tools = Tools(self.feed, permits, self.settings, KEYS, clock, lambda: 0.5, lambda _: None)
        self.deliverer = Deliverer(self.webhooks, self.store, tools)

    async def _look(self, within_s: float) -> None:
        if self.away:
            raise LogUnavailableError("the log is away")

    def put(self, webhook: Webhook) -> None:
        self.webhooks.by_id[webhook.webhook_id] = webhook
        self.deliverer.changed(webhook.webhook_id)

    def end(self, webhook_id: str) -> None:
        del self.webhooks.by_id[webhook_id]
        self.deliverer.changed(webhook_id)

    @asynccontextmanager
    async def running(self, *, drained: bool = True) -> AsyncIterator["Projection"]:
        """Deliver until the end of the block; not `drained`: it is killed there."""
        running = asyncio.create_task(self.deliverer.run())
        try:
            yield self
            if drained:
                await self.deliverer.drain()
        finally:
            running.cancel()
            await asyncio.wait([running])
            for task in self.deliverer._running.values():
                task.cancel()
            self.deliverer._thread.shutdown()
        if not running.cancelled() and (failure := running.exception()):
            raise failure

    def standing(self, webhook_id: str = "wh_1") -> Standing:
        if (found := self.deliverer.standing(webhook_id)) is not None:
            return found
        stored = self.store.states([webhook_id]).get(webhook_id)
        return STANDING.load(stored) if stored else Standing("", 0)


def stored_cursor(store: DeliveryStore) -> str:
    stored = store.states(["wh_1"]).get("wh_1")
    return STANDING.load(stored).cursor if stored else ""


def ids(requests: list[Delivered]) -> list[str]:
    return [one.headers["webhook-id"] for one in requests]


def in_order(feed: ListFeed, requests: list[Delivered]) -> None:
    """Check that each campaign's events came in order, repeats aside, and none is missing."""
    campaign = {str(one.id): one.campaign_id for one in feed.events}
    by_campaign: dict[int, list[str]] = {}
    for name in ids(requests):
        by_campaign.setdefault(campaign[name], []).append(name)
    for campaign_id, came in by_campaign.items():
        firsts = list(dict.fromkeys(came))
        assert firsts == [str(e.id) for e in feed.events if e.campaign_id == campaign_id]
    assert set(ids(requests)) == {str(one.id) for one in feed.events}
