"""A receiver of webhooks on loopback, as kind or as hostile as a test asks. No test in here."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from campaigns.records.cloud_event import CloudEvent, EventId

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLlcw"  # Of Standard Webhooks' own examples.

OK = "200"
NEVER, RESET, GARBAGE = "never", "reset", "garbage"  # No answer, a closed connection, no HTTP.


@dataclass
class Delivered:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def checked(self, secret: str = SECRET) -> bytes:
        """Return the body, after Standard Webhooks' own check of the signature."""
        Webhook(secret).verify(self.body, dict(self.headers))
        return self.body


@dataclass
class Receiver:
    """Answers requests as scripted, then all with 200."""

    script: list[str] = field(default_factory=list)  # "503", "302\r\nLocation: /x", NEVER, …
    requests: list[Delivered] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    on_request: Callable[[], None] = lambda: None
    refuses: Callable[[bytes], bool] = lambda _: False  # A body; answered with 500.

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # Cancelled at the test's end: asyncio's own callback would log that.
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append(Delivered(first.split()[1], headers, body))
        self.on_request()
        how = self.script.pop(0) if self.script else OK
        if self.refuses(body):
            how = "500"
        if how == NEVER:
            await asyncio.sleep(30)
        if how in (NEVER, RESET):
            return False
        text = "\x00nothing of HTTP\r\n\r\n" if how == GARBAGE else f"HTTP/1.1 {how}\r\n"
        writer.write(f"{text}content-length: 2\r\n\r\nok".encode())
        await writer.drain()
        return True


@asynccontextmanager
async def receiving(*script: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Serve until the end of the block."""
    receiver = Receiver(list(script), scheme="https" if tls else "http")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def an_event(n: int = 0, body: bytes = b'{"id": "\xc3\xa9"}') -> CloudEvent:
    """Return an event; its body is what the receiver must get, byte for byte."""
    return CloudEvent(EventId(0, 7, n), 1, "campaign-paused.v1", body)
