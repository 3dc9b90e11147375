"""A carrier whose connection breaks at a chosen byte of an exchange. No test in here.

    carrier.break_at(120, Ending.RESET)   # The next placing: after 120 bytes of request and answer.

It counts what it was asked, rings whoever it was wholly asked to ring, and says so when it is asked
about a call. The bytes are counted over the exchange: first the request, as it is read, then the
answer, as it is sent.
"""

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import orjson

ID = "ours"
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
REQUEST = re.compile(rb"(PUT|GET|DELETE) /(?:calls/)?(\S*) HTTP/1\.1\r\n")


class Ending(StrEnum):
    """How a connection ends."""

    RESET = "reset"  # RST: what is on its way is lost.
    CLOSE = "close"  # FIN: nothing more will be sent, and what comes is still read.


class Framing(StrEnum):
    """How the end of an answer's body is known."""

    LENGTH = "length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until close"


class BreakingCarrier:
    """The carrier. `async with breaking_carrier() as carrier`."""

    def __init__(self, listener: socket.socket, framing: Framing) -> None:
        self._listener, self._framing = listener, framing
        self._break: tuple[int, Ending] | None = None
        self.placings = 0  # Begun, by their first byte.
        self.questions = 0  # Look-ups begun.
        self.rung = Counter[str]()  # By call.
        self.instead: bytes | None = None  # Answers each placing, whole, in the place of "rings".
        self._last: socket.socket | None = None  # The connection of the last placing.
        self.answered_last = 0  # Exchanges on the connection of the last placing, before that one.
        self.answered_before = 0  # Exchanges on the connection that broke last, before that one.
        self.request_bytes = self.answer_bytes = 0  # Of the last placing that was read to its end.
        self._tasks = set[asyncio.Task[None]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def break_at(self, byte: int, ending: Ending) -> None:
        """Break the connection of the next `place` after this many bytes of the exchange."""
        self._break = byte, ending

    async def say(self, more: bytes) -> None:
        """Send something on the connection of the last placing, though nothing was asked."""
        assert self._last is not None, "something was placed"
        await asyncio.get_running_loop().sock_sendall(self._last, more)

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            connection.setblocking(False)
            task = asyncio.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            answered = 0
            try:
                while first := await peeked(connection):
                    if not await self._exchange(connection, first, answered):
                        return
                    answered += 1
            except ConnectionError:  # The client has given the connection up.
                return

    async def _exchange(self, connection: socket.socket, first: bytes, answered: int) -> bool:
        """Read one request and answer it; return whether the connection stays open."""
        limit: int | None = None
        if first == b"P":
            self.placings += 1
            self.answered_last, self._last = answered, connection
            if self._break is not None:
                (limit, ending), self._break = self._break, None
                self.answered_before = answered
        elif first == b"G":
            self.questions += 1
        request = await read_request(connection, limit)
        if request.whole:
            answer = self._answer(request.raw)
            if first == b"P":
                self.request_bytes, self.answer_bytes = len(request.raw), len(answer)
            left = len(answer) if limit is None else limit - len(request.raw)
            await asyncio.get_running_loop().sock_sendall(connection, answer[:left])
        if limit is None:
            return self._framing is not Framing.UNTIL_CLOSE or first != b"P"
        await self._end(connection, ending, request.raw)
        return False

    async def _end(self, connection: socket.socket, ending: Ending, seen: bytes) -> None:
        if ending is Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        connection.shutdown(socket.SHUT_WR)
        while some := await asyncio.get_running_loop().sock_recv(connection, 65_536):
            seen += some
        self.placings += max(0, len(re.findall(rb"PUT /calls/", seen)) - 1)  # Into the same one.

    def _answer(self, request: bytes) -> bytes:
        named = REQUEST.match(request)
        assert named is not None, request[:80]
        verb, call = named[1], named[2].decode()
        if verb == b"PUT":
            self.rung[call] += 1
            if self.instead is not None:
                return self.instead
            return response("200 OK", {"state": "ringing", "began_at": BEGAN}, self._framing)
        if not call:
            return response(
                "200 OK",
                {
                    "name": "breaking", "id": ID, "refuses_late": True, "lookup_lag_s": 0,
                    "silence_s": 5, "now": datetime.now(UTC),
                },
            )  # fmt: skip
        if self.rung[call]:
            return response("200 OK", {"state": "ringing", "began_at": BEGAN})
        return response("404 Not Found", {"state": "not-found"})


def response(
    status: str, body: dict[str, object], framing: Framing = Framing.LENGTH, **headers: str
) -> bytes:
    """Return an answer as bytes."""
    raw = orjson.dumps(body)
    head = f"HTTP/1.1 {status}\r\nDialgate-Carrier: {ID}\r\nContent-Type: application/json\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    if framing is Framing.LENGTH:
        head += f"Content-Length: {len(raw)}\r\n"
    elif framing is Framing.CHUNKED:
        head += "Transfer-Encoding: chunked\r\n"
        half = len(raw) // 2
        raw = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (raw[:half], raw[half:], b""))
    else:
        head += "Connection: close\r\n"
    return head.encode() + b"\r\n" + raw


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request, or as much of it as was to be read."""

    raw: bytes
    whole: bool


async def read_request(connection: socket.socket, limit: int | None) -> RawRequest:
    """Read a request, and no byte more than `limit`. The client sends one at a time."""
    raw = b""
    while not is_whole(raw):
        step = 65_536 if limit is None else limit - len(raw)
        if step == 0:
            return RawRequest(raw, whole=False)
        if not (some := await asyncio.get_running_loop().sock_recv(connection, step)):
            raise ConnectionError
        raw += some
    return RawRequest(raw, whole=True)


def is_whole(raw: bytes) -> bool:
    """Say whether a request has come to its end."""
    head, end, body = raw.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


async def peeked(connection: socket.socket) -> bytes:
    """Return the next byte without reading it; nothing if the client has closed."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


@asynccontextmanager
async def breaking_carrier(framing: Framing = Framing.LENGTH) -> AsyncIterator[BreakingCarrier]:
    """Serve it on a loopback port of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        carrier = BreakingCarrier(listener, framing)
        serving = asyncio.create_task(carrier.serve())
        try:
            yield carrier
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            await carrier.close()
