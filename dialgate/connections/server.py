"""uvicorn as this product runs it: with bounds, our headers, and no signal handlers."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from dialgate.connections.bounds import Bounds
from dialgate.connections.crowd import Crowd
from dialgate.connections.headers import HEADERS
from dialgate.connections.protocol import BoundedProtocol
from dialgate.connections.socket_protocol import BoundedSocket

BACKLOG = 512  # Connections that the kernel queues until they are accepted.
# Connections accepted in one turn of the loop; each needs a spare descriptor. With fewer, a client
# waits in the backlog for a second when hundreds arrive in each.
ACCEPTED_AT_ONCE = 16
SOCKET_BYTES_MAX = 65_536  # Of one message from a client.


class Config(uvicorn.Config):
    """uvicorn's configuration, and the crowd that admits connections."""

    def __init__(self, crowd: Crowd, *given: Any, **named: Any) -> None:  # Any: as uvicorn's.
        super().__init__(*given, **named)
        self.crowd = crowd


class ListeningSocket(socket.socket):
    """A socket that accepts only while its crowd does; others wait in the kernel's backlog."""

    crowd: Crowd | None = None

    def accept(self) -> tuple[socket.socket, Any]:  # Any: an address, as socket's.
        """Accept a connection.

        Raises:
            BlockingIOError: none waits, or none is admitted now; asyncio tries again next turn.

        """
        if self.crowd is not None and not self.crowd.accepts:
            raise BlockingIOError
        return super().accept()


def configured(app: ASGIApp, bounds: Bounds, drain_s: float) -> Config:
    """Return uvicorn's configuration for an application, within bounds (ADR-0020)."""
    crowd = Crowd(bounds)
    return Config(
        crowd,
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        # Typed as classes; uvicorn only calls them.
        http=partial(BoundedProtocol, crowd=crowd),
        ws=partial(BoundedSocket, crowd=crowd),
        ws_max_size=SOCKET_BYTES_MAX,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=bounds.idle_s,  # A float will do: it is passed to call_later.
        proxy_headers=False,  # Client addresses are not used.
        server_header=False,
        headers=list(HEADERS),
        timeout_graceful_shutdown=int(drain_s) or 1,
    )


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would end the process before parts close."""

    def __init__(self, config: Config, leave: Callable[[], None] = lambda: None) -> None:
        """`leave`: called when it stops, to end the answers that would go on."""
        super().__init__(config)
        self._leave = leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, and wait for the answers."""
        self._leave()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, a few connections in each turn of the loop."""
        for listener in sockets or ():
            if isinstance(listener, ListeningSocket) and isinstance(self.config, Config):
                listener.crowd = self.config.crowd
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # asyncio uses one number for both.
