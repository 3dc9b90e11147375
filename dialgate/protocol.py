"""HTTP as uvicorn speaks it, with a bound on a request's head: its line and headers.

uvicorn's protocol takes in a head of any size and waits for it for ever, before any application
sees it. What stands in here bounds memory and time; http.py bounds a whole head exactly.
"""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from campaigns.http import head_too_large


def bounded(head_max_bytes: int, head_s: float) -> type[asyncio.Protocol]:
    """Return the protocol of a server's connections."""

    class BoundedProtocol(HttpToolsProtocol):
        _reading = False  # A head that is not whole.
        _head_bytes = 0
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
            super().connection_made(transport)
            self._late = self.loop.call_later(head_s, self._too_late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._in_time()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self._reading or self.transport.is_closing():
                return
            self._head_bytes += len(data)
            if self._head_bytes > head_max_bytes:
                self._refuse(b"431 Request Header Fields Too Large", head_too_large(head_max_bytes))
            elif self._late is None:
                self._late = self.loop.call_later(head_s, self._too_late)

        def on_message_begin(self) -> None:
            self._reading, self._head_bytes = True, 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._reading = False
            self._in_time()
            super().on_headers_complete()

        def _in_time(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _too_late(self) -> None:
            self._late = None
            if self._reading:
                self._refuse(b"408 Request Timeout", f"The headers took over {head_s:g} s")
            else:
                self.transport.close()  # It never asked for anything.

        def _refuse(self, status: bytes, detail: str) -> None:
            body = orjson.dumps({"detail": detail})
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n"
            self.transport.write(b"HTTP/1.1 %b\r\n" % status + head % len(body) + b"\r\n" + body)
            self.transport.close()

    return BoundedProtocol
