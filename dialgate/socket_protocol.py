"""WebSockets as uvicorn speaks them, bounded like all other connections (ADR-0020)."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from dialgate.crowd import Crowd, Unread

SOCKETS = 0  # No organization: they count by themselves, and make room only when they are stuck.


class BoundedSocket(WebSocketsSansIOProtocol):
    """One socket: its client is pinged by uvicorn; here it must also take what it is sent."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as uvicorn's.
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._crowd = crowd
        self.organization_id: int | None = SOCKETS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._unread = Unread(self.transport)
        self._crowd.sockets += 1
        if not self._crowd.enter(self):
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.sockets -= 1
        self._crowd.leave(self)
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Say whether its client must do something: take what it was sent, or agree to the end."""
        return self.close_sent or not self.writable.is_set()

    def overdue(self, now_s: float) -> str | None:
        """Say that the client takes nothing, and drop it, once that lasts too long."""
        if self._unread.stuck_s(now_s) > self._crowd.bounds.answer_idle_s:
            self.drop()
            return "answer"
        return None

    def unsent_bytes(self) -> int:
        """Return how much the client has not taken."""
        return self.transport.get_write_buffer_size()

    def drop(self) -> None:
        """Close it at once; what was not sent is lost."""
        self.transport.abort()
