"""A connection's place in the crowd: what HTTP connections and WebSockets have in common."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from dialgate.connections.crowd import Crowd, Stall


class ConnectionPlace:
    """The first base of our protocols; the second is uvicorn's, which defines the signature."""

    transport: asyncio.Transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as uvicorn's.
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)  # type: ignore[call-arg]  # uvicorn's.
        self._crowd, self._bounds = crowd, crowd.bounds
        self.organization_id: int | None = None

    def _takes_place(self) -> bool:
        """Take a place, once there is a transport; False: none is free."""
        self._stall = Stall(self.transport)
        return self._crowd.enter(self)  # type: ignore[arg-type]  # With its second base it is one.

    def _stalled(self, now_s: float) -> bool:
        """Drop a client that has read nothing for too long, and return whether it was one."""
        if self._stall.lasts_s(now_s) <= self._bounds.answer_idle_s:
            return False
        self.drop()
        return True

    def unsent_bytes(self) -> int:
        """Return how much of its answers the client has not read."""
        return self.transport.get_write_buffer_size()

    def drop(self) -> None:
        """Close it at once; what was not sent is lost."""
        self.transport.abort()
