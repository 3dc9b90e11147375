"""WebSockets as uvicorn speaks them, bounded like all other connections (ADR-0020)."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from dialgate.place import Place

SOCKETS = 0  # No organization: they count by themselves, and make room only when they are stuck.


class BoundedSocket(Place, WebSocketsSansIOProtocol):
    """One socket: its client is pinged by uvicorn; here it must also take what it is sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.organization_id = SOCKETS
        self._crowd.sockets += 1
        if not self._takes_place():
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
        return "answer" if self._stuck(now_s) else None
