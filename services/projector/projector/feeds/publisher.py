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
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

from sqlalchemy import select, tuple_

from campaigns.process.errors import EventsCutError, OperatingError
from campaigns.process.watch import lasting
from campaigns.records.topics import Partition
from projector.advance import Views
from projector.feeds.resumption import WAY_OUT, go_on_after
from projector.projections.changes import EventPlace
from projector.store.publication import Publication, store_publication, stored_publication
from projector.store.tables import OUTBOX

logger = logging.getLogger(__name__)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class EventPublisher(Protocol):
    """The port of campaign.events, which has the same partitions as campaign.records."""

    async def topic_id(self) -> str:
        """Return the topic's id; another one when it was made anew. Empty: it has none.

        Raises:
            OperatingError: no answer in time.

        """
        ...

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
            EventsCutError: they are in a topic that has lost what was published before.

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
    cut: dict[int, str] = field(default_factory=dict)  # Partition → why an operator must decide.
    _anew: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: int = 0  # How often another store has come into service.
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
        while True:
            self._anew.clear()
            async with asyncio.TaskGroup() as tasks:
                working = []
                for number in range(partitions):
                    name = f"publish {number}"
                    task = tasks.create_task(
                        lasting(partial(self._partition, number), name), name=name
                    )
                    working.append(task)
                await self._anew.wait()
                for task in working:
                    task.cancel()

    def begin_anew(self) -> None:
        """Go on from what the store says: another one has taken its place."""
        self._turn += 1
        self._anew.set()

    async def _partition(self, number: int) -> None:
        """Publish a partition; if the topic is not what it was, wait for an operator."""
        try:
            await self._publish(number, self._turn)
        except EventsCutError as exc:
            logger.error("%s", exc)
            why = str(exc) if WAY_OUT in str(exc) else f"{exc}{WAY_OUT}"
            await self._retry(number, lambda: self._beside(self._note_cut, number, why))
            self.cut[number] = why
        await self._anew.wait()

    async def _publish(self, number: int, turn: int) -> None:
        self.cut.pop(number, None)
        known = await self._retry(number, lambda: self._beside(self._stored))
        self.views.topic_id = await self._retry(number, self.publisher.topic_id)
        last = await self._retry(number, lambda: self.publisher.last_event(number))
        if (place := go_on_after(number, known, self.views.topic_id, last)) is not None:
            self.views.event_published(number, place)
        while True:
            grown = self._wake(number)
            grown.clear()
            if messages := await self._retry(number, lambda: self._beside(self._next, number)):
                sent = [message for _, message in messages]

                def publish(sent: Sequence[tuple[bytes, bytes]] = sent) -> Awaitable[None]:
                    return self.publisher.publish(number, sent)

                await self._retry(number, publish)
                if turn != self._turn:
                    return  # Another store is in service: its outbox may need it again.
                self.views.event_published(number, messages[-1][0])
            else:
                await grown.wait()

    def _beside(self, work: Callable[[*Ts], T], *args: *Ts) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _note_cut(self, number: int, why: str) -> None:
        """Have the next start know, too: what was appended since may end the topic as it should."""
        store = self.views.store
        with store.writing() as tx:
            store_publication(store, tx, Publication(cuts={number: why}))

    def _stored(self) -> Publication:
        with self.views.store.reading() as tx:
            return stored_publication(tx)

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
