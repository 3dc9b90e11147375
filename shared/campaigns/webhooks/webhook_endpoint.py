"""The endpoint of a recorded webhook: its secrets opened, and how they are sealed."""

import ssl
from datetime import datetime

from pydantic import SecretStr

from campaigns.domain.webhooks import Webhook
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.endpoint import Endpoint
from campaigns.webhooks.webhook_settings import WebhookSettings


def about(organization_id: int, webhook_id: str) -> str:
    """Return what a webhook's sealed secrets are bound to."""
    return f"webhook {webhook_id} of organization {organization_id}"


def endpoint_of(
    webhook: Webhook,
    keys: KeyPlace,
    settings: WebhookSettings,
    now: datetime,
    tls: ssl.SSLContext | None = None,
) -> Endpoint:
    """Return what a webhook's events are posted to, signed by all secrets that hold at `now`.

    Raises:
        MasterKeyError: its secrets cannot be opened.
        AddressRefusedError: its URL is not one to deliver to, by today's settings.

    """
    bound = about(webhook.organization_id, webhook.webhook_id)
    opened = [SecretStr(keys.open(sealed, bound).decode()) for sealed in webhook.sealed(now)]
    return Endpoint(webhook.url, opened, settings.timeout_s, private=settings.private, tls=tls)
