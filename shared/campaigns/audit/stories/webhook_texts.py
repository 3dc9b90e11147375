"""What each fact about a webhook says, as one sentence. Pure.

Of a URL the host is told: its path may hold a token.
"""

from typing import assert_never
from urllib.parse import urlsplit

from campaigns.audit.stories.phrases import moment
from campaigns.domain.facts import (
    AnyWebhookFact,
    WebhookChanged,
    WebhookCreated,
    WebhookEnded,
    WebhookReplayAsked,
    WebhookSecretRotated,
)


def webhook_text(fact: AnyWebhookFact) -> str:
    """Return the sentence."""
    name = f"Webhook {fact.webhook_id} of organization {fact.organization_id}"
    match fact:
        case WebhookCreated():
            return f"{name} was created: events go to {host_of(fact.url)}."
        case WebhookChanged():
            how = "paused" if fact.paused else "active"
            return f"{name} was changed: events go to {host_of(fact.url)}, and it is {how}."
        case WebhookSecretRotated():
            since = moment(fact.rotated_at)  # Long ago: it is the same one, sealed anew.
            return f"{name} has this secret; the one before signs too for 24 hours since {since}."
        case WebhookReplayAsked():
            return f"{name} is sent a stretch of events again."
        case WebhookEnded():
            return f"{name} was ended."
        case unreachable:
            assert_never(unreachable)


def host_of(url: str) -> str:
    """Return the part of a URL that holds no token."""
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"
