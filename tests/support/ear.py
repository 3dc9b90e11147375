"""A client of the sockets, in this process: frames in, frames out. No test in here."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

Frame = dict[str, Any]  # Any: JSON.
WITHIN_S = 30.0


@dataclass
class Ear:
    """One connection, as a client has it."""

    inbox: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    outbox: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    accepted: str | None = None  # The subprotocol, "" for none. None: not accepted yet.

    async def frame(self) -> Frame:
        """Return the next frame.

        Raises:
            ConnectionError: closed; the code is its argument.

        """
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self.outbox.get()
                match message["type"]:
                    case "websocket.accept":
                        self.accepted = message.get("subprotocol") or ""
                    case "websocket.close":
                        raise ConnectionError(message["code"])
                    case _:
                        found: Frame = json.loads(message["text"])
                        return found

    async def until(self, enough: Callable[[Frame], bool]) -> list[Frame]:
        """Return the frames up to the first that is enough."""
        found = []
        async with asyncio.timeout(WITHIN_S):
            while True:
                found.append(await self.frame())
                if enough(found[-1]):
                    return found

    async def closed(self) -> int:
        """Wait until the server closes; return the code."""
        try:
            await self.until(lambda _: False)
        except ConnectionError as exc:
            return int(exc.args[0])
        raise AssertionError("it stays open")

    def say(self, frame: object) -> None:
        """Send a frame, or a text as it is."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})


def is_type(kind: str) -> Callable[[Frame], bool]:
    """Return what says whether a frame is of a type."""
    return lambda frame: frame["type"] == kind


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp, path: str, *, headers: dict[str, str] | None = None, offers: tuple[str, ...] = ()
) -> AsyncIterator[Ear]:
    """Connect; at the end go away."""
    ear, (plain, _, query) = Ear(), path.partition("?")
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("192.0.2.7", 4711),
        "server": ("test", 80),
        "subprotocols": list(offers),
    }
    ear.inbox.put_nowait({"type": "websocket.connect"})
    serving = asyncio.ensure_future(app(scope, ear.inbox.get, ear.outbox.put))
    try:
        yield ear
    finally:
        ear.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(WITHIN_S):
            await serving
