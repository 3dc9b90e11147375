"""The state of an HTTP connection, and how it ends early: refused, too slow, or answered.

Closing a socket with unread bytes resets it, and the client may lose the answer. So what still
arrives is read and discarded for a while (`linger_s`).
"""

from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialgate.connections.connection_place import ConnectionPlace
from dialgate.connections.crowd import ANSWERED
from dialgate.connections.phase import Phase
from dialgate.connections.refusal import TIMEOUT, refusal

HELD_MAX_BYTES = 16_384  # A head, or a body that is sent with it.
# Of a refused body: less is discarded, so that the client sees the answer.
LINGER_MAX_BYTES = 2**20


class HttpConnection(ConnectionPlace, HttpToolsProtocol):
    """What a connection waits for, and each way in which the server ends it."""

    _out: "AnswerTransport"  # Since the connection was made.

    def __init__(self, *given: Any, **named: Any) -> None:  # Any: as uvicorn's; see the base.
        super().__init__(*given, **named)
        self._phase, self._since = Phase.NEW, self.loop.time()
        self._parsing: Phase | None = None  # HEAD, BODY, or None: between two requests.
        self._open = 0  # Unanswered requests.
        self._bytes = self._fields = 0  # Of the current head, or of trailers.
        self._moved = 0.0  # When the last bytes of a body arrived.
        self._deaf = False  # Ignore what arrives from here on.

    @property
    def waits(self) -> bool:
        """Say whether it waits for its client, perhaps to read an answer."""
        return self._phase is not Phase.ANSWER or self.flow.write_paused

    def answered(self) -> None:
        """Close after an answer: at once, or in the middle of a body after lingering."""
        if self._parsing is Phase.BODY and self._open == 1:
            self._linger()
        else:
            self.transport.close()

    def _refuse(self, status: bytes, detail: str) -> None:
        """Answer in place of the application, which sees a disconnect."""
        self._out.flush()  # A head, or "100 Continue".
        self._deaf = True
        if self._open:  # Only a body that is incomplete.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._say(status, detail)
        self._linger()

    def _say(self, status: bytes, detail: str) -> None:
        self.transport.write(refusal(status, detail, self.server_state.default_headers))

    def _linger(self) -> None:
        self._unset_keepalive_if_required()
        self._deaf, self._bytes, self._since = True, 0, self.loop.time()
        self._phase = Phase.LINGER
        self._crowd.assign(self, ANSWERED)
        if self.cycle is not None:
            self.cycle.body.clear()  # It will not be read.
        self.flow.resume_reading()
        self._out.end()
        if self.transport.can_write_eof():
            with suppress(OSError):  # Its client had gone: the answer was met by a reset.
                self.transport.write_eof()

    def _swallow(self, count: int) -> None:
        if self._phase is Phase.LINGER:
            self._bytes += count
            if self._bytes > LINGER_MAX_BYTES:
                self.drop()

    def overdue(self, now_s: float) -> str | None:
        """Return which deadline has passed, if any, and act on it."""
        if self._stalled(now_s):
            return "answer"
        if self.flow.read_paused:  # The server itself has paused reading.
            self._moved = now_s
        phase = self._phase
        if not (late := phase.late(now_s - self._since, now_s - self._moved, self._bounds)):
            return None
        if phase is Phase.LINGER:
            self.drop()
            return None  # It was counted when it was refused.
        if phase in (Phase.HEAD, Phase.BODY):
            self._refuse(TIMEOUT, late)
        else:
            self.transport.close()  # There is no request to answer.
        return {Phase.BODY: "body", Phase.IDLE: "idle"}.get(phase, "head")


class AnswerTransport:
    """The part of a transport that an answer uses. Head and body are sent together.

    uvicorn writes them one after the other, which is a system call each. A head is held until its
    body comes, and at the longest until the loop has its next turn.
    """

    def __init__(self, protocol: HttpConnection) -> None:
        self._transport, self._loop = protocol.transport, protocol.loop
        self.is_closing = protocol.transport.is_closing
        self._answered = protocol.answered
        self._held, self._ended = b"", False

    def write(self, data: bytes) -> None:
        """Hold a head, or send what is held and this."""
        if self._ended:  # An application invites a body that was refused meanwhile.
            return
        if len(data) > HELD_MAX_BYTES:  # To join them would cost more.
            self.flush()
            self._transport.write(data)
        elif self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(held)

    def end(self) -> None:
        """Send what is held, and nothing after it."""
        self.flush()
        self._ended = True

    def close(self) -> None:
        """Send what is held, and end the answer."""
        self.flush()
        self._answered()
