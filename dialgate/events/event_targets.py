"""Where a replay of events goes: a webhook, a topic of Kafka, a file, or standard output."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from campaigns.process.clock import Clock
from campaigns.records.cloud_event import CloudEvent, EventId
from campaigns.records.topics import TOPICS
from campaigns.webhooks.address_guard import AddressRefusedError
from campaigns.webhooks.delivery import deliver
from campaigns.webhooks.endpoint import Endpoint, WebhookAnswer
from campaigns.webhooks.webhook_settings import WebhookSettings
from dialgate.logs import make_kafka_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.new_file import new_file
from dialgate.verbs.verb import MisusedError

if TYPE_CHECKING:
    from campaigns.kafka.event_topic import EventTopic

_KAFKA = "kafka:"


class EventTarget(Protocol):
    """Takes events in their order."""

    at_once_max: int  # Events handed over at once; if that fails, any of them may have arrived.
    keeps: bool  # What has arrived stays there if a later event does not.

    async def put(self, events: Sequence[CloudEvent]) -> None:
        """Deliver some events; return when they have arrived.

        Raises:
            OperatingError: not all have.

        """
        ...


@asynccontextmanager
async def target(
    to: str, settings: ProcessSettings, clock: Clock, warn: Callable[[str], None]
) -> AsyncIterator[EventTarget]:
    """Open what `to` names: `-`, `https://…`, `kafka:TOPIC`, else the path of a file.

    A file has its name only once it is whole.

    Raises:
        MisusedError: events cannot be replayed to there.

    """
    if to == "-":
        yield _Lines(sys.stdout.buffer, keeps=True)
    elif to.startswith(_KAFKA):
        async with _topic(to.removeprefix(_KAFKA), settings) as found:
            yield found
    elif "://" in to:
        async with _webhook(to, clock, warn) as posting:
            yield posting
    else:
        with new_file(Path(to)) as lines:
            yield _Lines(lines, keeps=False)


class _Lines:
    """JSON Lines: an event is one line."""

    at_once_max = 500

    def __init__(self, lines: IO[bytes], *, keeps: bool) -> None:
        self._lines, self.keeps = lines, keeps

    async def put(self, events: Sequence[CloudEvent]) -> None:
        """Write a line for each."""
        self._lines.writelines(event.body + b"\n" for event in events)
        self._lines.flush()


@dataclass
class _Webhook:
    """A receiver outside: an event is one message."""

    endpoint: Endpoint
    settings: WebhookSettings
    clock: Clock
    warn: Callable[[str], None]
    at_once_max: int = 1
    keeps: bool = True

    async def put(self, events: Sequence[CloudEvent]) -> None:
        """Post each until it is taken."""
        for event in events:

            def failed(answer: WebhookAnswer, wait_s: float, of: EventId = event.id) -> None:
                self.warn(f"{of}: {answer.error}; again in {wait_s:g} s")

            await deliver(self.endpoint, event, self.settings, self.clock, failed)


@dataclass
class _Topic:
    """A topic of Kafka: the key is the campaign's id, as on campaign.events."""

    topic: "EventTopic"
    at_once_max: int = 500
    keeps: bool = True

    async def put(self, events: Sequence[CloudEvent]) -> None:
        """Publish them."""
        await self.topic.publish([(str(one.campaign_id).encode(), one.body) for one in events])


@asynccontextmanager
async def _webhook(
    url: str, clock: Clock, warn: Callable[[str], None]
) -> AsyncIterator[EventTarget]:
    settings = WebhookSettings()
    if settings.secret is None:
        raise MisusedError(
            "DIALGATE_WEBHOOK_SECRET: expected the secret that the receiver checks signatures"
            " with, found none (or DIALGATE_WEBHOOK_SECRET_FILE)"
        )
    try:
        endpoint = Endpoint(url, [settings.secret], settings.timeout_s, private=settings.private)
    except AddressRefusedError as exc:
        raise MisusedError(f"--to: {exc}") from exc
    except ValueError as exc:
        raise MisusedError(f"DIALGATE_WEBHOOK_SECRET: {exc}") from exc

    try:
        yield _Webhook(endpoint, settings, clock, warn)
    finally:
        await endpoint.close()


@asynccontextmanager
async def _topic(name: str, settings: ProcessSettings) -> AsyncIterator[EventTarget]:
    if found := [topic.name for topic in TOPICS if name.endswith(topic.name)]:
        raise MisusedError(
            f"--to: expected a topic that no Dialgate writes, found {name}: what is replayed must"
            f" not mix with {found[0]}, whatever is put before its name"
        )
    if not settings.kafka_servers or not name:
        raise MisusedError(
            "--to kafka:TOPIC: expected the name of a topic, and DIALGATE_KAFKA_SERVERS"
        )
    from campaigns.kafka.event_topic import EventTopic

    topic = EventTopic(make_kafka_log(settings, read_only=True).kafka, name)
    try:
        yield _Topic(topic)
    finally:
        await topic.close()
