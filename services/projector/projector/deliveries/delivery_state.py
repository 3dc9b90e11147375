"""How far the delivery to one webhook has come, as its store keeps it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.codec import Codec
from campaigns.domain.webhooks import Repetition, Webhook


@dataclass
class LastResponse:
    """What a receiver answered last."""

    status: int | None  # None: no answer.
    at: datetime
    error: str | None  # None: delivered.


@dataclass
class UnderWay:
    """A replay that has begun."""

    position: int  # Of the fact that asked for it.
    cursor: str  # Delivered again up to here.
    until: str


@dataclass
class Standing:
    """Delivery to one webhook: no fact, and not derived from the log (ADR-0038)."""

    cursor: str  # Every wanted event up to here was delivered.
    replayed: int  # Replays asked for up to this position are over.
    replay: UnderWay | None = None
    failing_since: datetime | None = None  # None: its last tries were answered 2xx.
    parked_at: int | None = None  # Its webhook's `active_at` then. None: it is not parked.
    last_response: LastResponse | None = None

    def parked(self, webhook: Webhook) -> bool:
        """Say whether nothing is delivered until its owner asks for it to be active."""
        return self.parked_at is not None and webhook.active_at <= self.parked_at

    def revive(self, webhook: Webhook) -> None:
        """Forget a parking that its owner has ended since."""
        if self.parked_at is not None and not self.parked(webhook):
            self.parked_at = self.failing_since = None

    def status(self, webhook: Webhook) -> str:
        """Return what is shown: paused, parked, failing or active."""
        if webhook.paused:
            return "paused"
        if self.parked(webhook):
            return "parked"
        return "failing" if self.failing_since is not None else "active"

    def next_replay(self, webhook: Webhook) -> Repetition | None:
        """Return the oldest replay that has not begun."""
        begun = self.replay.position if self.replay else self.replayed
        return next((one for one in webhook.replays if one.position > begun), None)


STANDING = Codec(Standing)


def new_standing(webhook: Webhook) -> Standing:
    """Return the standing of a webhook to which nothing was delivered."""
    return Standing(cursor=webhook.after, replayed=0)


def standing_of(webhook: Webhook, state: bytes | None) -> Standing:
    """Return where a delivery stands, as it was stored; None: nothing was.

    Raises:
        StoreUnreadableError: it cannot be read.

    """
    if state is None:
        return new_standing(webhook)
    return STANDING.load(state, f"the delivery of {webhook.webhook_id}")
