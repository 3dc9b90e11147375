"""WebSockets as uvicorn speaks them, bounded like all other connections (ADR-0020)."""

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from dialgate.crowd import Crowd, Unread


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
        self.organization_id: int | None = (
            None  # It waits only when it takes nothing, or is sent away.
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._unread = Unread(self.transport)
        self._crowd.sockets += 1
        if not self._crowd.enter(self):
            transport.close()
        self._crowd.works(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.sockets -= 1
        self._crowd.leave(self)
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.close_sent:  # From now on it waits for the client to agree.
            self._crowd.waits(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._crowd.waits(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._crowd.works(self)

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
