"""A webhook as JSON, without its secret. Pure."""

from campaigns.domain.values.instants import instant
from campaigns.domain.webhooks import Webhook
from campaigns.http.campaign_json import Shape


def webhook_shape(webhook: Webhook) -> Shape:
    """Return what the log knows of a webhook: never its secret."""
    return {
        "id": webhook.webhook_id,
        "url": webhook.url,
        "types": list(webhook.types) or None,
        "campaign_ids": list(webhook.campaign_ids) or None,
        "description": webhook.description,
        "status": "paused" if webhook.paused else "active",
        "created_at": instant(webhook.created_at),
    }
