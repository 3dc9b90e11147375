"""Makes a projector's deliverer out of its views, its database and the knobs."""

import random
from pathlib import Path

from campaigns.events.feed import EventFeed
from campaigns.process.clock import Clock
from campaigns.records.topics import ORGANIZATIONS
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.advance import Views
from projector.deliveries.deliverer import Deliverer
from projector.deliveries.delivery_store import DeliveryStore
from projector.deliveries.permits import Permits
from projector.deliveries.recipient import Tools


def deliverer_of(
    views: Views,
    place: tuple[str | None, Path | None],
    feed: EventFeed,
    settings: WebhookSettings | None,
    keys: KeyPlace | None,
    clock: Clock,
) -> Deliverer:
    """Return the deliverer of a projector's webhooks. `keys` None: there is no master key.

    `place`: the views' database, or data directory.
    """

    async def look(within_s: float) -> None:
        views.reader.home.refuse_copy()  # It would deliver everything once more.
        await views.reader.catch_up([ORGANIZATIONS], within_s=within_s)

    wanted = settings or WebhookSettings()
    permits, known = Permits(clock, wanted, look), keys or KeyPlace()
    tools = Tools(feed, permits, wanted, known, clock, jitter, lambda _: None)
    deliverer = Deliverer(views.webhooks, DeliveryStore(*place), tools)
    views.on_webhook = deliverer.changed
    return deliverer


def jitter() -> float:
    """Return a number from 0 to 1, so that receivers' waits do not end at once."""
    return random.random()  # noqa: S311, TID251  (no secret; an argument wherever it is used)
