"""A proxy between a dialer and its carrier, which can hold requests back. No tests.

    wire = Wire(system["carrier"].port)
    system["dialer"].environment["DIALGATE_CARRIER_URL"] = wire.url
    wire.hold()                      # Requests stand still; answers pass.
    wire.wait_for(b"PUT", count=3)   # Until this many wait there.
    wire.release()

What a request meets here is what it meets in a stalled network, or in the socket of a process that
was frozen between its check of the clock and its request.
"""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

CHUNK = 65_536  # Bytes: a request is far smaller.
WAIT_S = 20.0


class Wire:
    """A relay of TCP connections to a port of this machine. A context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open = threading.Event()
        self._open.set()
        self._held: list[bytes] = []
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def hold(self) -> None:
        """Stop passing requests on."""
        with self._lock:
            self._held.clear()
            self._open.clear()

    def held(self, verb: bytes) -> int:
        """Return how many requests of a verb stand here, or stood here when it was released."""
        with self._lock:
            return sum(held.startswith(verb) for held in self._held)

    def wait_for(self, verb: bytes, count: int = 1) -> None:
        """Return once this many requests wait here.

        Raises:
            AssertionError: they did not come.

        """
        give_up_at = time.monotonic() + WAIT_S
        while self.held(verb) < count:
            assert time.monotonic() < give_up_at, f"{self.held(verb)} × {verb!r} in {WAIT_S} s"
            time.sleep(0.002)

    def release(self) -> None:
        """Let everything pass, the oldest first on each connection."""
        self._open.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # Closed: the test is over.
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                try:
                    far = socket.create_connection(("127.0.0.1", self._port))
                except OSError:  # Nobody listens there: the same is seen here.
                    near.close()
                    continue
                self._sockets.append(far)
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink, holds in ((near, far, True), (far, near, False)):
                    threading.Thread(
                        target=self._relay, args=(source, sink, holds), daemon=True
                    ).start()

    def _relay(self, source: socket.socket, sink: socket.socket, holds: bool) -> None:
        with contextlib.suppress(OSError):  # One side is gone; so is the other, below.
            while chunk := source.recv(CHUNK):
                if holds and not self._open.is_set():
                    with self._lock:
                        self._held.append(chunk)
                    self._open.wait()
                sink.sendall(chunk)
        # Who hangs up takes back nothing that he has sent.
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._open.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
