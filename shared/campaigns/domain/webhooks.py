"""Webhooks as the log has them: what is delivered where. State and fold. Pure.

How far delivery has come is not in here: it is no fact (ADR-0038).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from campaigns.domain.facts import (
    AnyWebhookFact,
    WebhookChanged,
    WebhookCreated,
    WebhookEnded,
    WebhookReplayAsked,
    WebhookSecretRotated,
)

# How long the secret before signs too. Source: Standard Webhooks, "Secret rotation".
BOTH_SIGN = timedelta(hours=24)
REPLAYS_MAX = 10  # Of one webhook that are kept: of those that wait, the newest count.


@dataclass(frozen=True)
class Repetition:
    """A stretch of events that is delivered again."""

    position: int  # Of the fact that asked for it, in organization.records.
    after: str  # A cursor.
    until: str | None  # A cursor. None: where delivery stands when the replay begins.


@dataclass(frozen=True)
class Webhook:
    """One receiver of an organization's events."""

    organization_id: int
    webhook_id: str
    url: str
    types: tuple[str, ...]  # Empty: all.
    campaign_ids: tuple[int, ...]  # Empty: all.
    description: str | None
    after: str  # The cursor from which on events are delivered.
    secret: str  # Sealed.
    created_at: datetime
    made_by: str  # The id of the record that created it.
    at: int = 0  # The position of the last fact that is folded.
    paused: bool = False
    active_at: int = 0  # The position of the last fact that asked for it to be active.
    secret_before: str | None = None  # Sealed; signs too until BOTH_SIGN after `rotated_at`.
    rotated_at: datetime | None = None
    rotated_by: str | None = None  # The id of the record that rotated it last.
    replays: tuple[Repetition, ...] = ()

    def sealed(self, now: datetime) -> tuple[str, ...]:
        """Return the sealed secrets that sign at this time, the newest first."""
        if self.secret_before is None or self.rotated_at is None:
            return (self.secret,)
        both = now < self.rotated_at + BOTH_SIGN
        return (self.secret, self.secret_before) if both else (self.secret,)

    def wants(self, campaign_id: int, tag: str) -> bool:
        """Say whether an event of its organization is delivered."""
        if self.campaign_ids and campaign_id not in self.campaign_ids:
            return False
        return not self.types or tag in self.types or tag.rpartition(".v")[0] in self.types


@dataclass
class Webhooks:
    """All webhooks that have not ended."""

    by_id: dict[str, Webhook] = field(default_factory=dict)

    def fold(self, fact: AnyWebhookFact, record_id: str, position: int) -> None:
        """Fold one accepted fact. Total: facts of an unknown or ended one change nothing."""
        if isinstance(fact, WebhookCreated):
            self.by_id.setdefault(fact.webhook_id, _created(fact, record_id, position))
            return
        found = self.by_id.get(fact.webhook_id)
        if found is None or found.organization_id != fact.organization_id or position <= found.at:
            return  # A store may be ahead of its position: it is folded already.
        if isinstance(fact, WebhookEnded):
            del self.by_id[fact.webhook_id]
        else:
            self.by_id[fact.webhook_id] = _evolved(found, fact, record_id, position)

    def become(self, other: "Webhooks") -> set[str]:
        """Have what another fold made of the same facts; return the ids of what differs."""
        every = self.by_id.keys() | other.by_id.keys()
        differing = {one for one in every if self.by_id.get(one) != other.by_id.get(one)}
        self.by_id = dict(other.by_id)
        return differing

    def take(self, webhook: Webhook) -> None:
        """Take one in from a store."""
        self.by_id[webhook.webhook_id] = webhook

    def of(self, organization_id: int) -> list[Webhook]:
        """Return an organization's, newest first."""
        return sorted(self._own(organization_id), key=lambda one: one.created_at, reverse=True)

    def _own(self, organization_id: int) -> Iterator[Webhook]:
        return (one for one in self.by_id.values() if one.organization_id == organization_id)

    def named(self, organization_id: int, webhook_id: str) -> Webhook | None:
        """Return an organization's webhook by its id."""
        found = self.by_id.get(webhook_id)
        return found if found and found.organization_id == organization_id else None


def _created(fact: WebhookCreated, record_id: str, position: int) -> Webhook:
    return Webhook(
        fact.organization_id,
        fact.webhook_id,
        fact.url,
        fact.types,
        fact.campaign_ids,
        fact.description,
        fact.after,
        fact.secret,
        fact.created_at,
        record_id,
        at=position,
        active_at=position,
    )


def _evolved(
    webhook: Webhook,
    fact: WebhookChanged | WebhookSecretRotated | WebhookReplayAsked,
    record_id: str,
    position: int,
) -> Webhook:
    match fact:
        case WebhookChanged():
            return replace(
                webhook,
                at=position,
                url=fact.url,
                types=fact.types,
                campaign_ids=fact.campaign_ids,
                description=fact.description,
                paused=fact.paused,
                active_at=position if fact.activated else webhook.active_at,
            )
        case WebhookSecretRotated():
            return replace(
                webhook,
                at=position,
                secret=fact.secret,
                secret_before=webhook.secret,
                rotated_at=fact.rotated_at,
                rotated_by=record_id,
            )
        case WebhookReplayAsked():
            asked = Repetition(position, fact.after, fact.until)
            return replace(webhook, at=position, replays=(*webhook.replays, asked)[-REPLAYS_MAX:])
        case unreachable:
            assert_never(unreachable)
