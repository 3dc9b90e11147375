"""uvicorn's HTTP protocol, with bounds on what a client may send, hold or delay (ADR-0020).

uvicorn reads heads, trailers and pipelined requests without a limit, and waits for bodies and slow
readers for ever, before an application sees them. This module bounds these; door.py bounds a body,
and a whole head exactly.
"""

import asyncio
from typing import Any

from campaigns.domain.api_keys import Caller
from campaigns.http.door import TOLD, head_too_large
from dialgate.connections.headers import KEPT_HEADERS, STATIC
from dialgate.connections.http_connection import AnswerTransport, HttpConnection
from dialgate.connections.phase import Phase
from dialgate.connections.refusal import BAD_REQUEST, HEAD_TOO_LARGE, UNAVAILABLE


class BoundedProtocol(HttpConnection):
    """One connection. Its crowd checks deadlines about once a second: no timer per request."""

    def __init__(self, *given: Any, **named: Any) -> None:  # Any: as uvicorn's; see the base.
        super().__init__(*given, **named)
        self._keeps = True  # Whether to keep the connection once this body is complete.
        self._broken = ""  # What is wrong behind the requests that are answered first.

    # -- a connection's life -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self._out = AnswerTransport(self)
        if not self._takes_place():
            self._deaf = True
            self._say(UNAVAILABLE, "Too many connections")
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's; uvicorn says nothing.
        """Note that the client sends no more; requests in progress are answered."""
        if self._phase is not Phase.ANSWER:
            return False  # asyncio closes it.
        self._keeps = self.cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        self._keeps = False
        super().shutdown()

    def _turn(self) -> None:
        """Note what the connection waits for now, and since when."""
        if self._phase is Phase.LINGER:
            return
        if not self._open:
            phase = self._parsing or Phase.IDLE
        else:  # The last body may be incomplete; earlier requests wait for an answer.
            incomplete = self._open == 1 and self._parsing is Phase.BODY
            phase = Phase.BODY if incomplete else Phase.ANSWER
        if phase is not self._phase:
            self._phase, self._since = phase, self.loop.time()
            self._moved = self._since
            if phase is not Phase.ANSWER:
                self._crowd.begins_to_wait(self)

    def _told(self, caller: Caller) -> None:
        """Count the connection, and a slow body, for the key's owner as soon as it is known."""
        if caller.organization_id != self.organization_id and self._phase is not Phase.LINGER:
            self._crowd.assign(self, caller.organization_id)

    # -- what comes in -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._swallow(len(data))
            return
        reading = self._parsing is Phase.HEAD
        super().data_received(data)
        if self._deaf or self.transport.is_closing():
            return
        if self._parsing is Phase.HEAD:
            self._bytes = len(data) + (self._bytes if reading else 0)
            if self._bytes > self._bounds.head_max_bytes:
                self._refuse(HEAD_TOO_LARGE, head_too_large(self._bounds.head_max_bytes))
                return
        self._turn()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._bounds.pipelined_max:
            raise ValueError("too many pipelined requests")
        self._parsing, self._fields = Phase.HEAD, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > self._bounds.fields_max:
            self._refuse_fields(f"The request has over {self._bounds.fields_max} headers")
        if self._parsing is Phase.HEAD:
            # As uvicorn does it; one more call for each header would be measurable.
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))
            return
        self._bytes += len(name) + len(value)  # A trailer: counted, then dropped.
        if self._bytes > self._bounds.head_max_bytes:
            self._refuse_fields(head_too_large(self._bounds.head_max_bytes))

    def _refuse_fields(self, detail: str) -> None:
        self._refuse(HEAD_TOO_LARGE, detail)
        raise ValueError(detail)  # Stops the parser; the answer is sent already.

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        self._parsing, self._bytes, self._fields = None, 0, 0
        if self.cycle is before:
            return  # A WebSocket.
        # An answer before its body is complete closes the connection: the rest is not read.
        self._parsing, self._open = Phase.BODY, self._open + 1
        self._keeps, self.cycle.keep_alive = self.cycle.keep_alive, False
        if self.url.startswith(STATIC):
            self.cycle.default_headers = KEPT_HEADERS
        self.cycle.transport = self._out  # type: ignore[assignment]  # What it uses of one.
        self.scope[TOLD] = self._told  # type: ignore[literal-required]  # An extra key beside ASGI's.

    def on_body(self, body: bytes) -> None:
        self._moved = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._parsing is Phase.BODY and not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps
        self._parsing = None
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        if self._open or not self.url.isascii() or self.scope["method"] != "GET":
            self.send_400_response("This is no valid WebSocket handshake.")
        elif (
            sum(len(name) + len(value) for name, value in self.headers) + len(self.url)
            > self._bounds.head_max_bytes
        ):
            self._refuse(HEAD_TOO_LARGE, head_too_large(self._bounds.head_max_bytes))
        elif not self._crowd.has_socket():
            self._refuse(UNAVAILABLE, "Too many connections")
        else:
            self._crowd.leave(self)
            super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Serve the request without the upgrade; ignore what follows it."""
        self._deaf = True
        self.cycle.keep_alive = False

    # -- what goes out -------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._phase is Phase.ANSWER:
            self._crowd.begins_to_wait(self)

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP, after the answers to earlier requests."""
        if self._deaf:
            return  # It was refused already.
        if self._parsing is Phase.BODY and self.pipeline:
            self.pipeline.popleft()  # Its body will never be complete.
            self._open -= 1
            self._parsing = None
        if self._open and self._parsing is not Phase.BODY:
            self._deaf, self._broken = True, msg
            self._turn()
        else:
            self._refuse(BAD_REQUEST, msg)

    def on_response_complete(self) -> None:
        self._out.flush()  # An answer to HEAD: nothing else of it comes.
        self._open -= 1
        if held := self.transport.get_write_buffer_size():
            self._crowd.note_unsent(self, held)
        if self._phase is Phase.LINGER:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self._broken and not self._open:
            self._refuse(BAD_REQUEST, self._broken)
        elif not self.transport.is_closing():
            self._turn()
