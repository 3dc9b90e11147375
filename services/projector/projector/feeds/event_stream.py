"""A feed as server-sent events: first what the log has, then what comes, until somebody ends it.

A stream that ends loses nothing: its client resumes at the last `id` that it has read.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fastapi import Response
from starlette.types import Receive, Scope, Send

from campaigns.events.cursor import Cursor, CursorError
from campaigns.events.feed import Feed, Types
from campaigns.http.door import ENDED
from campaigns.process.errors import OperatingError
from projector.feeds.event_feed import ViewFeed
from projector.feeds.event_tail import FellBehindError, TailReader, frame
from projector.feeds.hub import Hub, Listener

logger = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 1_000  # How long a client waits before it connects again.
# A sign of life is sent after so long; readers look every SIGN_S: at least one each 15 s.
SILENT_S = 9.0
PAGE = 100  # Events of the past that are read at once.


@dataclass(frozen=True, slots=True)
class Following:
    """What one client follows, and from where."""

    feed: Feed
    after: Cursor
    types: Types
    over: Callable[[], bool]  # Says that nothing comes any more: the campaign was deleted.


class EventStream(Response):
    """The answer to a client that follows a feed."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        source: ViewFeed,
        hub: Hub,
        listener: Listener,
        following: Following,
        leave: Callable[[], None],
    ) -> None:
        """`leave`: called at its end."""
        super().__init__()
        self._source, self._hub, self._listener = source, hub, listener
        self._following, self._leave = following, leave
        del self.headers["content-length"]
        self.headers["x-accel-buffering"] = "no"  # A proxy in between must pass on each event.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream until the client goes, falls behind, or must leave."""
        for ended in scope.get(ENDED, ()):  # It counts as a connection, no longer as a request.
            ended()
        try:
            with self._hub.present(self._listener):
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await self._converse(receive, send)
        finally:
            self._leave()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _converse(self, receive: Receive, send: Send) -> None:
        tasks = [
            asyncio.ensure_future(self._tell(send)),
            asyncio.ensure_future(self._listener.leaving.wait()),
            asyncio.ensure_future(_gone(receive)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        match outcomes[0]:
            case OperatingError() | CursorError() as exc:  # The answer has begun.
                logger.warning("a stream of events ends: %s", exc)
            case FellBehindError():
                logger.info("a stream of events ends: its reader is too slow")
            case Exception() as exc:
                raise exc

    async def _tell(self, send: Send) -> None:
        following = self._following
        loop = asyncio.get_running_loop()
        told_s = loop.time()
        async for chunk, cursor in _chunks(self._source, following):
            if not chunk:
                if loop.time() - told_s < SILENT_S:
                    continue
                # An id without an event: the client resumes there, past what it does not want.
                chunk = b": alive\nid: %b\n\n" % str(cursor).encode()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            told_s = loop.time()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chunks(source: ViewFeed, following: Following) -> AsyncIterator[tuple[bytes, Cursor]]:
    """Yield some events at a time, or nothing when one may give a sign of life; and the cursor.

    Raises:
        FellBehindError: the client reads too slowly.
        LogUnavailableError: the log does not answer.

    """
    feed, after, types = following.feed, following.after, following.types
    yield b"retry: %d\n\n" % RETRY_MS, after
    more = True
    while more:  # The past: each reader for itself.
        page = await source.page(feed, after, PAGE, types)
        after, more = page.next, page.more
        yield b"".join(map(frame, page.events)), after
    end = source.end(feed)
    with source.tail.reading(feed, end) as reader:
        more = True
        while more:  # What came meanwhile.
            page = await source.page(feed, after, PAGE, types, through=end)
            after, more = page.next, page.more
            yield b"".join(map(frame, page.events)), after
        async for chunk in _live(reader, following):
            yield chunk


async def _live(reader: TailReader, following: Following) -> AsyncIterator[tuple[bytes, Cursor]]:
    loop = asyncio.get_running_loop()
    grown_s = loop.time()
    while True:
        while not reader.waits:
            # Without a wanted one there is nothing to say yet: `cursor` is past what is not taken.
            if frames := reader.take_frames(following.types):
                yield frames, reader.cursor
            grown_s = loop.time()
        # It may have been deleted before this client followed its end.
        if reader.over or (following.over() and loop.time() - grown_s > SILENT_S):
            return
        yield b"", reader.cursor
        await reader.grown()
