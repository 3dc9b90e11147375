"""Inspects the log's topics periodically: our rights, their replicas, changed settings.

A condition that prevents appends is a trouble, which readiness reports; one that may lose records
later is a doubt, which is logged once and counted.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.topics.topic_ids import TopicDescription, described
from campaigns.kafka.topics.topic_setup import check_settings, doubts, settings_of
from campaigns.process.errors import TopicMisfitError
from campaigns.process.metrics import TOPIC_DOUBTS
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)

_READ, _WRITE = 3, 4  # Source: Kafka's AclOperation.


@dataclass(eq=False)
class Inspection:
    """The results of the last inspection."""

    kafka: Kafka
    names: Collection[str]  # On this cluster.
    every_s: float
    ids: Mapping[str, str] = field(default_factory=dict)  # As they were when the log was opened.
    _seen: dict[str, TopicDescription] = field(default_factory=dict)
    _settings: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _brokers: int = 1

    async def repeat(self) -> None:
        """Inspect until cancelled; outages are reported elsewhere."""
        while True:
            await asyncio.sleep(self.every_s)
            try:
                async with AsyncExitStack() as stack:
                    admin = self.kafka.admin()
                    stack.push_async_callback(admin.close)
                    await admin.start()
                    await self.look(admin)
            except (KafkaError, OSError, TimeoutError) as exc:
                logger.warning("the topics cannot be looked at now: %r", exc)

    async def look(self, admin: AIOKafkaAdminClient) -> None:
        """Inspect once.

        Raises:
            KafkaError: the cluster did not answer.

        """
        self._brokers = len((await admin.describe_cluster())["brokers"])
        self._seen = dict(await described(admin, self.names) or {})
        there = [name for name, one in self._seen.items() if one.error is None]
        if there:
            self._settings |= await settings_of(admin, there)
        for name in there:
            copies = min(self._seen[name].replicas, default=0)
            now = tuple(doubts(self._settings[name], copies, self._brokers))
            for doubt in set(now) - set(self._doubts.get(name, ())):
                logger.warning(f"{name}: {doubt}")  # noqa: G004  # Each is said, not one in a while.
            self._doubts[name] = now
            TOPIC_DOUBTS.labels(name).set(len(now))

    def troubles(self, writing: Collection[str], reading: Collection[str]) -> Sequence[str]:
        """Return the reasons found why these topics cannot be written, or read."""
        found = []
        for topic in {*writing, *reading}:
            name = self.kafka.topic(topic)
            if (seen := self._seen.get(name)) is None:
                continue
            if seen.error is not None:
                found.append(f"{name}: {seen.error}")
                continue
            if self.ids.get(name, seen.id) != seen.id:
                found.append(f"{name} was deleted and created again")
            for right, code, wanted in (("Write", _WRITE, writing), ("Read", _READ, reading)):
                if topic in wanted and seen.rights is not None and code not in seen.rights:
                    found.append(f"{name}: the right is missing: {right}")
            settings = self._settings.get(name, {})
            required = int(settings.get("min.insync.replicas", "1"))
            if topic in writing and (few := min(seen.in_sync, default=required)) < required:
                found.append(f"{name} takes nothing: {few} of {required} replicas are in sync")
            if settings:
                try:
                    check_settings(name, settings)
                except TopicMisfitError as exc:
                    found.append(f"{exc}")
        return found
