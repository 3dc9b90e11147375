"""A client of server-sent events, in this process, as the standard reads them. No test in here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import ASGIApp, Message

WITHIN_S = 30.0


class Heard(NamedTuple):
    """One event as it was dispatched."""

    cursor: str
    type: str
    data: bytes


@dataclass
class EventEar:
    """One connection, as a client has it."""

    outbox: "asyncio.Queue[Message]" = field(default_factory=lambda: asyncio.Queue(1))
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes = b""  # What was read and is no whole block yet.
    blocks: list[bytes] = field(default_factory=list)  # Of whatever came.
    cursor: str = ""  # Its last event id.

    async def begun(self) -> int:
        """Return the status."""
        async with asyncio.timeout(WITHIN_S):
            message = await self.outbox.get()
        assert message["type"] == "http.response.start"
        self.status = message["status"]
        self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        return self.status

    async def block(self) -> bytes:
        """Return the next block of lines.

        Raises:
            EOFError: the stream is over.

        """
        while b"\n\n" not in self.text:
            async with asyncio.timeout(WITHIN_S):
                message = await self.outbox.get()
            self.text += message["body"]
            if not message["more_body"]:
                raise EOFError
        found, _, self.text = self.text.partition(b"\n\n")
        self.blocks.append(found)
        return found

    async def event(self) -> Heard:
        """Return the next event that has data.

        Raises:
            EOFError: the stream is over.

        """
        while True:
            lines = (await self.block()).split(b"\n")
            fields = dict(line.split(b": ", 1) for line in lines if not line.startswith(b":"))
            self.cursor = fields.get(b"id", self.cursor.encode()).decode()
            if b"data" in fields:
                return Heard(self.cursor, fields[b"event"].decode(), fields[b"data"])

    async def events(self, count: int) -> list[Heard]:
        """Return the next events."""
        return [await self.event() for _ in range(count)]

    async def over(self) -> list[Heard]:
        """Return the events until the stream is over."""
        found = []
        with contextlib.suppress(EOFError):
            while True:
                found.append(await self.event())
        return found


@contextlib.asynccontextmanager
async def following(
    app: ASGIApp, path: str, *, key: str = "one", last_event_id: str | None = None
) -> AsyncIterator[EventEar]:
    """Connect; at the end go away."""
    ear, (plain, _, query) = EventEar(), path.partition("?")
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"accept", b"text/event-stream")]
    if last_event_id is not None:
        headers.append((b"last-event-id", last_event_id.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": ("192.0.2.7", 4711),
        "server": ("test", 80),
    }
    asked, gone = False, asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if not gone.is_set():
            await ear.outbox.put(message)

    serving = asyncio.ensure_future(app(scope, receive, send))
    try:
        yield ear
    finally:
        gone.set()
        while not ear.outbox.empty():
            ear.outbox.get_nowait()
        async with asyncio.timeout(WITHIN_S):
            await serving
