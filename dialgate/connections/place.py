"""A place in the crowd: what every connection is to all others, speaking HTTP or as a socket."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from dialgate.connections.crowd import Crowd, Unread


class Place:
    """The first base of our protocols; the second is uvicorn's, and is made as uvicorn does it."""

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
        """Take a place, once there is a transport; False: there is none."""
        self._unread = Unread(self.transport)
        return self._crowd.enter(self)  # type: ignore[arg-type]  # With its other base it is one.

    def _stuck(self, now_s: float) -> bool:
        """Say that the client has taken nothing for too long, and drop it."""
        if self._unread.stuck_s(now_s) <= self._bounds.answer_idle_s:
            return False
        self.drop()
        return True

    def unsent_bytes(self) -> int:
        """Return how much of what it was sent the client has not taken."""
        return self.transport.get_write_buffer_size()

    def drop(self) -> None:
        """Close it at once; what was not sent is lost."""
        self.transport.abort()
