"""uvicorn as this product runs it: within bounds, with its headers, without its signals."""

import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from dialgate.connections.bounds import Bounds
from dialgate.connections.crowd import Crowd
from dialgate.connections.protocol import BoundedProtocol
from dialgate.connections.socket_protocol import BoundedSocket

BACKLOG = 512  # Connections that the kernel keeps until they are accepted …
# … so many in one turn of the loop. It needs as many descriptors to spare; and with fewer, a client
# waits in the backlog for a second when hundreds come in each.
ACCEPTED_AT_ONCE = 16
SOCKET_BYTES_MAX = 65_536  # Of one message from a client.
# Of every answer: answers are about people, or have a key in them, and none is to be guessed at.
HEADERS = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)


class Config(uvicorn.Config):
    """uvicorn's, and whom it lets in."""

    def __init__(self, crowd: Crowd, *given: Any, **named: Any) -> None:  # Any: as uvicorn's.
        super().__init__(*given, **named)
        self.crowd = crowd


class Listener(socket.socket):
    """A socket that accepts only when its crowd does: who comes meanwhile waits in the kernel."""

    crowd: Crowd | None = None

    def accept(self) -> tuple[socket.socket, Any]:  # Any: an address, as socket's.
        """Accept a connection.

        Raises:
            BlockingIOError: there is none, or not now; asyncio asks again in the loop's next turn.

        """
        if self.crowd is not None and not self.crowd.accepts:
            raise BlockingIOError
        return super().accept()


def configured(app: ASGIApp, bounds: Bounds, drain_s: float) -> Config:
    """Return how an application of ours is served, within bounds. ADR-0020 has their order."""
    crowd = Crowd(bounds)
    return Config(
        crowd,
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        # uvicorn only calls them; it knows classes alone.
        http=partial(BoundedProtocol, crowd=crowd),
        ws=partial(BoundedSocket, crowd=crowd),
        ws_max_size=SOCKET_BYTES_MAX,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=bounds.idle_s,  # It goes to call_later.
        proxy_headers=False,  # Nobody asks where a request came from.
        server_header=False,
        headers=list(HEADERS),
        timeout_graceful_shutdown=int(drain_s) or 1,
    )


class Server(uvicorn.Server):
    """uvicorn without its signal handling: it would end the process before the parts are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, a few connections in one turn of the loop."""
        for listener in sockets or ():
            if isinstance(listener, Listener) and isinstance(self.config, Config):
                listener.crowd = self.config.crowd
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # asyncio takes one number for both.
