"""Delivers one event until its receiver has it: at least once, with growing waits."""

import asyncio
from collections.abc import Callable

from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.records.cloud_event import CloudEvent
from campaigns.webhooks.endpoint import Endpoint, WebhookAnswer
from campaigns.webhooks.webhook_settings import WebhookSettings


class UndeliveredError(OperatingError):
    """A receiver wants no more events, or has not taken one for too long."""


async def deliver(
    endpoint: Endpoint,
    event: CloudEvent,
    settings: WebhookSettings,
    clock: Clock,
    on_failure: Callable[[WebhookAnswer, float], None],
) -> int:
    """Post an event until it is answered 2xx; return how many tries that took.

    The event's id is the message's, so that a receiver knows a repeated one. `Retry-After` is
    honoured where it asks for a longer wait. `on_failure` is told each failure, and the wait in
    seconds that follows.

    Raises:
        UndeliveredError: the receiver answered 410, or nothing was taken for `retry_s`.
        AddressRefusedError: its address is inside the network.

    """
    until, wait_s, tries = clock.monotonic() + settings.retry_s, settings.retry_wait_s, 0
    while True:
        answer, tries = await endpoint.post(str(event.id), event.body, clock.now()), tries + 1
        if answer.delivered:
            return tries
        if answer.gone:
            raise UndeliveredError(f"{event.id}: the receiver wants nothing more: it answered 410")
        asked_s = max(wait_s, answer.retry_after_s or 0.0)
        if clock.monotonic() + asked_s > until:
            raise UndeliveredError(
                f"{event.id}: not delivered within {settings.retry_s:g} s: {answer.error}"
            )
        on_failure(answer, asked_s)
        await asyncio.sleep(asked_s)
        wait_s = min(2 * wait_s, settings.retry_wait_max_s)
