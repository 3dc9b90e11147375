"""Webhooks: created, changed, their secrets rotated, a stretch replayed, ended. No HTTP."""

import secrets
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import (
    WebhookChanged,
    WebhookCreated,
    WebhookEnded,
    WebhookReplayAsked,
    WebhookSecretRotated,
)
from campaigns.domain.values.stream_names import organization_stream
from campaigns.domain.webhooks import BOTH_SIGN, Webhook, Webhooks
from campaigns.process.identifiers import random_id

_SECRET_BYTES = 32  # Source: Standard Webhooks, "Signature scheme": 24 to 64.


def new_secret() -> str:
    """Return a secret as Standard Webhooks has them."""
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def new_webhook_id() -> str:
    """Return an id that no other webhook has."""
    return f"wh_{random_id()}"


@dataclass(frozen=True, slots=True)
class CreateWebhook:
    """Deliver events to a URL."""

    organization_id: int
    webhook_id: str
    now: datetime
    url: str
    types: tuple[str, ...]
    campaign_ids: tuple[int, ...]
    description: str | None
    after: str
    secret: str  # Sealed.


@dataclass(frozen=True, slots=True)
class ChangeWebhook:
    """Change what is delivered, where, or whether. `changes`: only what was given."""

    organization_id: int
    webhook_id: str
    now: datetime
    changes: dict[str, Any]  # Fields of Webhook and their new values. Any: of several types.


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Sign by a new secret."""

    organization_id: int
    webhook_id: str
    now: datetime
    secret: str  # Sealed.


@dataclass(frozen=True, slots=True)
class ResealSecret:
    """Seal the secret anew: it stays what it is. Only where it alone signs."""

    organization_id: int
    webhook_id: str
    now: datetime
    secret: str  # Sealed by the newest master key.


@dataclass(frozen=True, slots=True)
class ReplayEvents:
    """Deliver a stretch again."""

    organization_id: int
    webhook_id: str
    now: datetime
    after: str
    until: str | None


@dataclass(frozen=True, slots=True)
class EndWebhook:
    """Deliver nothing more."""

    organization_id: int
    webhook_id: str
    now: datetime


OfOne = ChangeWebhook | RotateSecret | ResealSecret | ReplayEvents | EndWebhook
WebhookCommand = CreateWebhook | OfOne


@dataclass(frozen=True, slots=True)
class WebhookState:
    """What these decisions read."""

    webhooks: Webhooks
    campaigns: Campaigns
    webhooks_max: int  # Of an organization.


def decide(state: WebhookState, command: WebhookCommand) -> Decision:
    """Decide any change of a webhook."""
    if isinstance(command, CreateWebhook):
        return _create(state, command)
    found = state.webhooks.named(command.organization_id, command.webhook_id)
    if found is None:
        return Rejected(Reason.UNKNOWN_WEBHOOK, "Webhook not found")
    match command:
        case ChangeWebhook():
            return _change(state, found, command)
        case RotateSecret():
            return (_rotated(command, command.now),)
        case ResealSecret():
            # The one before is the same secret, sealed by an older key: it signs no more, by any
            # clock.
            return (_rotated(command, command.now - 2 * BOTH_SIGN),)
        case ReplayEvents():
            return (
                WebhookReplayAsked(
                    organization_id=command.organization_id,
                    webhook_id=command.webhook_id,
                    after=command.after,
                    until=command.until,
                    asked_at=command.now,
                ),
            )
        case EndWebhook():
            return (
                WebhookEnded(
                    organization_id=command.organization_id,
                    webhook_id=command.webhook_id,
                    ended_at=command.now,
                ),
            )
        case unreachable:
            assert_never(unreachable)


def _rotated(command: RotateSecret | ResealSecret, at: datetime) -> WebhookSecretRotated:
    return WebhookSecretRotated(
        organization_id=command.organization_id,
        webhook_id=command.webhook_id,
        secret=command.secret,
        rotated_at=at,
    )


def _create(state: WebhookState, command: CreateWebhook) -> Decision:
    if len(state.webhooks.of(command.organization_id)) >= state.webhooks_max:
        return Rejected(
            Reason.TOO_MANY_WEBHOOKS, f"There are {state.webhooks_max} webhooks already"
        )
    if no := _foreign(state, command.organization_id, command.campaign_ids):
        return no
    return (
        WebhookCreated(
            organization_id=command.organization_id,
            webhook_id=command.webhook_id,
            url=command.url,
            types=command.types,
            campaign_ids=command.campaign_ids,
            description=command.description,
            after=command.after,
            secret=command.secret,
            created_at=command.now,
        ),
    )


def _change(state: WebhookState, found: Webhook, command: ChangeWebhook) -> Decision:
    after = replace(found, **command.changes)
    # To be active is asked anew each time: delivery may have been parked since.
    activated = command.changes.get("paused") is False
    if after == found and not activated:
        return UNCHANGED
    if no := _foreign(state, command.organization_id, after.campaign_ids):
        return no
    return (
        WebhookChanged(
            organization_id=command.organization_id,
            webhook_id=command.webhook_id,
            url=after.url,
            types=after.types,
            campaign_ids=after.campaign_ids,
            description=after.description,
            paused=after.paused,
            activated=activated,
            changed_at=command.now,
        ),
    )


def _foreign(
    state: WebhookState, organization_id: int, campaign_ids: tuple[int, ...]
) -> Rejected | None:
    """Reject campaigns that are not the organization's."""
    for campaign_id in campaign_ids:
        campaign = state.campaigns.get(campaign_id)
        if campaign is None or campaign.created.organization_id != organization_id:
            return Rejected(Reason.UNKNOWN_CAMPAIGN, f"Campaign {campaign_id} not found")
    return None


def decider(
    webhooks: Webhooks, webhooks_max: int
) -> Decider[Campaigns, WebhookCommand, WebhookState]:
    """Return the decider for an instance that has folded these webhooks."""
    return Decider(
        streams=lambda command: (organization_stream(command.organization_id),),
        read=lambda campaigns, _: WebhookState(webhooks, campaigns, webhooks_max),
        decide=decide,
    )
