"""Parts of pages as they change: rendered once for all who look at the same, however many.

A channel has one task, which renders when the hub tells of a change, and from time to time besides.
Its readers get the newest edition: a slow one misses what is past, and nobody waits for it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import HTTPException

from campaigns.domain.api_keys import Caller
from campaigns.process.errors import OperatingError
from campaigns.process.observability import limit_repetitions
from projector.feeds.hub import Hub, Listener

logger = logging.getLogger(__name__)
limit_repetitions(logger)
REST_S = 0.4  # Between two editions: people see no more.
AGAIN_S = 3.0  # Then it is rendered even if nothing has changed: rates fade, gates open.
HEARTBEAT_S = 15.0  # A comment keeps what is between us and a browser from closing.
RETRY_MS = 1_000  # A browser comes back after so long.
Render = Callable[[], Awaitable[str]]


@dataclass(eq=False, slots=True)
class Channel:
    """What all who look at the same see."""

    text: str | None = None  # The newest edition. None: none yet.
    number: int = 0  # Of the edition.
    gone: bool = False  # There is nothing to show any more.
    readers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)  # Set, and replaced, by an edition.

    def publish(self, text: str | None) -> None:
        """Show an edition, unless it is the last one again. None: it is gone."""
        if text is not None and text == self.text:
            return
        self.text, self.number, self.gone = text, self.number + 1, text is None
        self.news.set()
        self.news = asyncio.Event()


@dataclass
class Broadcasts:
    """The channels of one projector."""

    hub: Hub
    now: Callable[[], datetime]
    _channels: dict[Hashable, tuple[Channel, asyncio.Task[None]]] = field(default_factory=dict)
    _closed: bool = False
    _listeners: set[Listener] = field(default_factory=set)

    @asynccontextmanager
    async def channel(
        self, key: Hashable, caller: Caller, only: set[int] | None, render: Render
    ) -> AsyncIterator[Channel]:
        """Join those who look at `key`; the first one's `render` is used for all.

        `only`: the campaigns whose changes matter. None: all of the organization.
        """
        if (found := self._channels.get(key)) is None:
            made = Channel()
            work = self._render(made, caller.organization_id, only, render)
            found = self._channels[key] = made, asyncio.create_task(work, name=f"page {key}")
        channel, task = found
        channel.readers += 1
        try:
            yield channel
        finally:
            channel.readers -= 1
            if not channel.readers and self._channels.get(key) is found:
                del self._channels[key]
                task.cancel()

    async def _render(
        self, channel: Channel, organization_id: int, only: set[int] | None, render: Render
    ) -> None:
        listener = Listener(organization_id, "", "", self.now(), None, only)
        listener.leaving.set()  # It is no connection: none is closed for another's sake.
        with self.hub.listening(listener):
            while not channel.gone:
                listener.take()
                try:
                    channel.publish(await render())
                except HTTPException:
                    channel.publish(None)
                except OperatingError:
                    pass  # The log or the store does not answer: the last edition stays.
                except Exception:  # A fault of ours stops nobody's page for good, nor stays unseen.
                    logger.exception("a part of a page could not be rendered")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        await listener.notified.wait()
                await asyncio.sleep(REST_S)

    async def stream(
        self, key: Hashable, caller: Caller, only: set[int] | None, render: Render
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events: each edition, until the key is revoked, or it is gone."""
        # It follows nothing by itself; the hub knows it as a connection of its key.
        reader = Listener(caller.organization_id, caller.key_hash, "", self.now(), None, set())
        yield f"retry: {RETRY_MS}\n\n".encode()
        self._listeners.add(reader)
        try:
            with self.hub.listening(reader):
                async with self.channel(key, caller, only, render) as channel:
                    seen = 0
                    while not reader.leaving.is_set():
                        if channel.number > seen and channel.text is not None:
                            seen = channel.number
                            yield _event(channel.text)
                        elif channel.gone:
                            yield b"event: gone\ndata: \n\n"
                            return
                        elif not await _either(channel.news, reader.leaving):
                            yield b": \n\n"
            if not self._closed and not reader.displaced:
                yield b"event: signed-out\ndata: \n\n"
        finally:
            self._listeners.discard(reader)

    def close(self) -> None:
        """End all streams: their browsers come back to whoever serves then."""
        self._closed = True
        for one in self._listeners:
            one.leaving.set()


def _event(text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"{lines}\n".encode()


async def _either(first: asyncio.Event, second: asyncio.Event) -> bool:
    """Wait until one of the two is set, at most HEARTBEAT_S; say whether one is."""
    both = [asyncio.ensure_future(one.wait()) for one in (first, second)]
    try:
        done, _ = await asyncio.wait(both, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for one in both:
            one.cancel()
