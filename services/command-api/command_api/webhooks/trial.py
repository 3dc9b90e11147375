"""Sends a webhook one event that tells nothing, so that its owner sees whether it arrives."""

from time import perf_counter

import orjson

from campaigns.domain.values.instants import instant
from campaigns.domain.webhooks import Webhook
from campaigns.process.clock import Clock
from campaigns.process.identifiers import random_id
from campaigns.webhooks.address_guard import AddressRefusedError
from campaigns.webhooks.endpoint import WebhookAnswer
from campaigns.webhooks.webhook_endpoint import endpoint_of
from command_api.webhooks.webhook_book import WebhookBook

TEST_TYPE = "dialgate.test"


async def tried_out(webhook: Webhook, book: WebhookBook, clock: Clock) -> dict[str, object]:
    """Post one event, once; return what became of it, and how long that took.

    Raises:
        MasterKeyError: the webhook's secret cannot be opened.

    """
    began, now, message_id = perf_counter(), clock.now(), f"test/{random_id()}"
    event = {
        "specversion": "1.0",
        "id": message_id,
        "source": "command-api",
        "type": TEST_TYPE,
        "subject": f"webhook/{webhook.webhook_id}",
        "time": instant(now),
        "datacontenttype": "application/json",
        "data": {"webhook_id": webhook.webhook_id},
    }
    try:
        endpoint = endpoint_of(webhook, book.keys, book.settings, now)
        try:
            answer = await endpoint.post(message_id, orjson.dumps(event), now)
        finally:
            await endpoint.close()
    except AddressRefusedError as exc:
        answer = WebhookAnswer(None, str(exc))
    return {
        "delivered": answer.delivered,
        "status": answer.status,
        "error": answer.error,
        "took_ms": round(1000 * (perf_counter() - began), 3),
    }
