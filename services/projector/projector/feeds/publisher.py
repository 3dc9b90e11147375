"""Publishes the outbox to campaign.events: in order, at least once, each event under one id.

At a start, publishing continues after the topic's last event, so that a rebuilt store repeats
nothing. Events that a crash repeats have the same id. During an outage it retries: nothing is
skipped or reordered. Only one projector may publish.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy import select, tuple_

from campaigns.process.errors import OperatingError
from campaigns.process.watch import lasting
from campaigns.records.cloud_event import id_of
from campaigns.records.topics import Partition
from projector.advance import Views
from projector.projections.changes import EventPlace
from projector.store.tables import OUTBOX

logger = logging.getLogger(__name__)
T = TypeVar("T")


class EventPublisher(Protocol):
    """The port of campaign.events, which has the same partitions as campaign.records."""

    async def last_event(self, number: int) -> bytes | None:
        """Return the value of a partition's last event, or None when it has none.

        Raises:
            OperatingError: no answer in time.

        """
        ...

    async def publish(self, number: int, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Append messages (key, value) in this order; return when all are durable.

        Raises:
            OperatingError: not all were acknowledged in time; any of them may have been appended.

        """
        ...

    async def close(self) -> None:
        """Close the connections, in a bounded time."""
        ...


@dataclass
class Publishing:
    """Publishes the outbox, each partition independently."""

    publisher: EventPublisher
    views: Views
    at_once_max: int
    retry_s: float
    retry_max_s: float
    troubles: dict[int, str] = field(default_factory=dict)  # Partition → why it is behind.
    _grown: dict[int, asyncio.Event] = field(default_factory=dict)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "outbox"))

    async def close(self) -> None:
        """Wait for the read in progress, so that the store can be closed; close the connections."""
        self._thread.shutdown()
        await self.publisher.close()

    def moved(self, partition: Partition) -> None:
        """Note that a partition's outbox has grown."""
        self._wake(partition.number).set()

    def _wake(self, number: int) -> asyncio.Event:
        return self._grown.setdefault(number, asyncio.Event())

    async def run(self, partitions: int) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(partitions):
                name = f"publish {number}"
                tasks.create_task(lasting(self._publish_partition(number), name), name=name)

    async def _publish_partition(self, number: int) -> None:
        last = await self._retry(number, lambda: self.publisher.last_event(number))
        place = id_of(last) if last is not None else None
        if place is not None and place[0] == number:
            self.views.event_published(number, place[1:])
        elif last is not None:
            logger.warning(
                "campaign.events/%d ends with an event that is not from Dialgate", number
            )
        loop = asyncio.get_running_loop()

        def read() -> Awaitable[Sequence[tuple[EventPlace, tuple[bytes, bytes]]]]:
            return loop.run_in_executor(self._thread, self._next, number)

        while True:
            grown = self._wake(number)
            grown.clear()
            if messages := await self._retry(number, read):
                sent = [message for _, message in messages]

                def publish(sent: Sequence[tuple[bytes, bytes]] = sent) -> Awaitable[None]:
                    return self.publisher.publish(number, sent)

                await self._retry(number, publish)
                self.views.event_published(number, messages[-1][0])
            else:
                await grown.wait()

    def _next(self, number: int) -> list[tuple[EventPlace, tuple[bytes, bytes]]]:
        """Return the next events of a partition, at most `at_once_max`: place, key and value."""
        asked = (
            select(OUTBOX.c.position, OUTBOX.c.n, OUTBOX.c.campaign_id, OUTBOX.c.event)
            .where(OUTBOX.c.partition == number)
            .where(
                tuple_(OUTBOX.c.position, OUTBOX.c.n)
                > tuple_(*self.views.published.get(number, (0, 0)))
            )
            .order_by(OUTBOX.c.position, OUTBOX.c.n)
            .limit(self.at_once_max)
        )
        with self.views.store.reading() as tx:
            return [
                ((position, n), (str(campaign_id).encode(), event))
                for position, n, campaign_id, event in tx.execute(asked)
            ]

    async def _retry(self, number: int, ask: Callable[[], Awaitable[T]]) -> T:
        """Retry with backoff until there is an answer."""
        wait_s = self.retry_s
        while True:
            try:
                answer = await ask()
            except OperatingError as exc:
                if number not in self.troubles:
                    logger.warning("campaign.events/%d is behind: %s", number, exc)
                self.troubles[number] = str(exc)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, self.retry_max_s)
            else:
                self.troubles.pop(number, None)
                return answer
