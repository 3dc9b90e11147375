"""A small HTTP/1.1 client for benchmarks: keep-alive, one request at a time on a connection.

It takes as little time as Python allows, so that the server is what is measured.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as bytes."""

    raw: bytes

    @staticmethod
    def post(path: str, key: str, body: bytes = b"") -> "Request":
        """Return a POST with a bearer key."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return Request(head.encode() + body)


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def to(port: int) -> "Connection":
        """Connect to a server on loopback."""
        return Connection(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Send a request; return status and body."""
        self._writer.write(request.raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lowered = head.lower()
        at = lowered.index(b"content-length:") + 15
        length = int(lowered[at : lowered.index(b"\r\n", at)])
        return status, await self._reader.readexactly(length)

    async def timed(self, requests: Iterable[Request], expected: int = 200) -> list[float]:
        """Send requests one after the other; return the milliseconds each took."""
        took = []
        for request in requests:
            began = perf_counter()
            status, body = await self.ask(request)
            took.append((perf_counter() - began) * 1000)
            assert status == expected, (status, body[:300])
        return took

    def close(self) -> None:
        """Close it."""
        self._writer.close()
