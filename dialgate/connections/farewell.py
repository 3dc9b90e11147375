"""How a connection of HTTP ends before its client has said everything: refused, late, or answered.

A socket that is closed with unread bytes takes back what it has sent; so it is listened to a while.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialgate.connections.crowd import ANSWERED
from dialgate.connections.phase import Phase
from dialgate.connections.place import Place
from dialgate.connections.refusal import TIMEOUT, refusal

LINGER_MAX_BYTES = 2**20  # Of a body that nobody wants: less is swallowed, so that the no is heard.


class Parting(Place, HttpToolsProtocol):
    """What a connection waits for, and every end that we make of it."""

    def __init__(self, *given: Any, **named: Any) -> None:  # Any: as uvicorn's; see Place.
        super().__init__(*given, **named)
        self._phase, self._since = Phase.NEW, self.loop.time()
        self._parsing: Phase | None = None  # HEAD, BODY, or None: between two requests.
        self._open = 0  # Requests that are not answered yet.
        self._bytes = self._fields = 0  # Of this head, or of these trailers.
        self._moved = 0.0  # When the last of a body came.
        self._deaf = False  # What comes now is no request any more.

    @property
    def waits(self) -> bool:
        """Say whether it waits for its client, which may have to take an answer first."""
        return self._phase is not Phase.ANSWER or self.flow.write_paused

    def answered(self) -> None:
        """Close after an answer: at once, or once it was heard, in the middle of a body."""
        if self._parsing is Phase.BODY and self._open == 1:
            self._linger()
        else:
            self.transport.close()

    def _refuse(self, status: bytes, detail: str) -> None:
        """Answer instead of the application, which sees its client go."""
        self._deaf = True
        if self._open:  # Only a body that is under way.
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
        self._crowd.belongs(self, ANSWERED)
        if self.cycle is not None:
            self.cycle.body.clear()  # Nobody reads it any more.
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _swallow(self, count: int) -> None:
        if self._phase is Phase.LINGER:
            self._bytes += count
            if self._bytes > LINGER_MAX_BYTES:
                self.drop()

    def overdue(self, now_s: float) -> str | None:
        """Say which deadline has passed, if one has, and act on it."""
        if self._stuck(now_s):
            return "answer"
        if self.flow.read_paused:  # It is we who do not take it.
            self._moved = now_s
        phase = self._phase
        if not (late := phase.late(now_s - self._since, now_s - self._moved, self._bounds)):
            return None
        if phase is Phase.LINGER:
            self.drop()
            return None  # It was counted for what it was answered.
        if phase in (Phase.HEAD, Phase.BODY):
            self._refuse(TIMEOUT, late)
        else:
            self.transport.close()  # It never asked for anything.
        return {Phase.BODY: "body", Phase.IDLE: "idle"}.get(phase, "head")


class Out:
    """What an answer needs of its transport."""

    def __init__(self, protocol: Parting) -> None:
        self.write, self.is_closing = protocol.transport.write, protocol.transport.is_closing
        self.close = protocol.answered
