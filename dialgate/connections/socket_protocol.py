"""uvicorn's WebSocket protocol, bounded like all other connections (ADR-0020)."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from campaigns.process.metrics import CLOSED
from dialgate.connections.connection_place import ConnectionPlace
from dialgate.connections.crowd import SOCKETS


class BoundedSocket(ConnectionPlace, WebSocketsSansIOProtocol):
    """One WebSocket. uvicorn pings its client; here the client must also read what it is sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.organization_id = SOCKETS
        self.close_timeout = self._bounds.linger_s  # For its client to confirm the close.
        self._crowd.sockets += 1
        if not self._takes_place():
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.sockets -= 1
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in messages, while they are few and the client reads what it is sent."""
        super().data_received(data)
        bounds = self._bounds
        if (
            self.queue.qsize() > bounds.messages_max
            or len(self.frames) > bounds.messages_max
            or self.unsent_bytes() > bounds.pongs_max_bytes
        ):
            CLOSED.labels("talk").inc()
            self.drop()

    @property
    def waits(self) -> bool:
        """Say whether its client must act: read what it was sent, or confirm the close."""
        return self.close_sent or not self.writable.is_set()

    def overdue(self, now_s: float) -> str | None:
        """Drop a client that has read nothing for too long, and return this deadline."""
        return "answer" if self._stalled(now_s) else None
