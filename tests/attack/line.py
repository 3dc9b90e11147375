"""A connection of raw bytes, for what no client of HTTP would send. No test in here."""

import contextlib
import socket
from types import TracebackType
from typing import Self

PIECE = 65_536


class Line:
    """One connection to a port of this machine. A context manager."""

    def __init__(self, port: int, timeout_s: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, raw: bytes) -> bool:
        """Send bytes; return whether all went out before the other side closed."""
        try:
            self.socket.sendall(raw)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def rest(self, at_most: int = 2**26) -> bytes:
        """Return what comes until the other side closes.

        Raises:
            TimeoutError: it does not.

        """
        found = bytearray()
        with contextlib.suppress(ConnectionError):
            while len(found) < at_most and (piece := self.socket.recv(PIECE)):
                found += piece
        return bytes(found)

    def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer: its status, its headers by lower-case name, its body.

        `has_body`: False for an answer to HEAD, whose length is that of a body which does not come.

        Raises:
            ConnectionError: the other side closes before it is whole.
            TimeoutError: it does not come.

        """
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", "0")) if has_body else 0
        return int(first.split(" ")[1]), headers, self._exactly(length)

    def closed(self) -> bool:
        """Wait; return whether the other side closes and says nothing more."""
        return not self.rest()

    def _until(self, end: bytes) -> bytes:
        found = bytearray()
        while not found.endswith(end):
            if not (piece := self.socket.recv(1)):
                raise ConnectionError(f"closed after {bytes(found)!r}")
            found += piece
        return bytes(found)

    def _exactly(self, length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            if not (piece := self.socket.recv(length - len(found))):
                raise ConnectionError(f"closed after {len(found)} of {length} bytes")
            found += piece
        return bytes(found)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def head(method: str, path: str, key: str | None = None, **headers: str | int) -> bytes:
    """Return a request's line and headers, whole. `Content_Length=3` is `Content-Length: 3`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: attacked"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
