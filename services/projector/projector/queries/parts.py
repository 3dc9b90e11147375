"""An answer of several parts, sent in slices.

A long list is in memory once, even where the answer repeats its rows; for a slow client one slice
waits in its socket.
"""

from collections.abc import Mapping, Sequence

from fastapi import Response
from starlette.types import Receive, Scope, Send

SLICE_BYTES = 64 * 1024  # Written to the socket at once: asyncio's high-water mark.


class Parts(tuple[bytes, ...]):
    """The JSON of an answer, in order. A part may occur twice."""

    __slots__ = ()


class PartsResponse(Response):
    """Sends parts as one body of a known length."""

    def __init__(self, parts: Sequence[bytes], headers: Mapping[str, str]) -> None:
        length = {"content-length": str(sum(map(len, parts)))}
        super().__init__(None, 200, {**headers, **length}, media_type="application/json")
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the slices, with backpressure."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for part in self._parts:
            for begin in range(0, len(part), SLICE_BYTES):
                body = part[begin : begin + SLICE_BYTES]
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
