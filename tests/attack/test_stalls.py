"""Other ways to be slow: half-closed, HTTP/1.0, 100-continue, upgrades; sockets that only talk."""

import contextlib
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.flood import UPGRADE
from tests.attack.instance import Instance, wait_for
from tests.attack.line import Line, head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
MIB = 2**20
SOON_S = 15.0  # Before the deadlines of an ordinary process, on a busy machine too.
PING, CONTINUATION, TEXT = 0x9, 0x0, 0x1


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Return an instance with short deadlines."""
    knobs = {"head_s": 2, "body_s": 3, "body_idle_s": 1, "idle_s": 1, "answer_idle_s": 2}
    with Instance(tmp_path_factory.mktemp("stalled"), **knobs) as running:
        yield running


OLD = b"HTTP/1.0\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
POSTED: dict[str, str | int] = {"Content_Length": 100, "Content_Type": "application/json"}
OTHER: dict[str, str | int] = {"Connection": "Upgrade", "Upgrade": "h2c"}
MONITOR = "/ws/campaigns/monitor"
GET, POST = (f"{method} {CAMPAIGNS} ".encode() for method in ("GET", "POST"))
STALLS = {
    "an upgrade's head": head("GET", MONITOR, KEY, **UPGRADE)[:-2],
    "an upgrade with a body": head("POST", MONITOR, KEY, Content_Length=9, **UPGRADE),
    "an upgrade to what is not known": head("GET", CAMPAIGNS, KEY, **OTHER),
    "an upgrade of a body": head("POST", CAMPAIGNS, KEY, **OTHER, **POSTED),
    "a socket of another version": head(
        "GET", MONITOR, KEY, **UPGRADE | {"Sec_WebSocket_Version": 7}
    ),
    "a socket without a key": head("GET", MONITOR, None, **UPGRADE),
    "a socket of nothing": head("GET", "/ws/nothing", KEY, **UPGRADE),
    "a tunnel": b"CONNECT attacked:443 HTTP/1.1\r\nHost: attacked\r\n\r\n",
    "an expectation": head("POST", CAMPAIGNS, KEY, Expect="100-continue", **POSTED),
    "an expectation of a stranger": head("POST", CAMPAIGNS, None, Expect="100-continue", **POSTED),
    "an expectation of something else": head("POST", CAMPAIGNS, KEY, Expect="much", **POSTED),
    "an old request": GET + OLD + b"Connection: keep-alive\r\n\r\n",
    "an old request's head": GET + OLD,
    "an old request's body": POST + OLD + b"Content-Length: 9\r\n\r\n{",
    "no version": b"GET /\r\n",
    "the second of two": head("GET", CAMPAIGNS, KEY) + head("GET", CAMPAIGNS, KEY)[:-2],
    "one of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("half_closed", [False, True], ids=["open", "half-closed"])
@pytest.mark.parametrize("what", STALLS)
def test_who_begins_and_says_no_more_is_let_go(
    hurried: Instance, what: str, half_closed: bool
) -> None:
    with hurried.connect() as line:
        line.send(STALLS[what])
        if half_closed:
            line.socket.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        found = line.rest()
        assert time.monotonic() - began < SOON_S, found
    wait_for(lambda: hurried.sockets() < 20, "its connection is gone")
    hurried.quiet()


def test_who_has_asked_and_says_no_more_is_answered(instance: Instance) -> None:
    """A client may close its own direction once it has sent all: RFC 9112, 9.6."""
    made = instance.create(description="half")
    body = b'{"name": "half", "assistant_id": 1, "campaign_type": "call"}'
    kind = POSTED | {"Content_Length": len(body)}
    for asked, answers in (
        (head("GET", f"{CAMPAIGNS}/{made}", KEY), 1),
        (head("POST", CAMPAIGNS, KEY, **kind) + body, 1),
        (head("GET", f"{CAMPAIGNS}/{made}", KEY) * 5, 5),
        (b"GET /health/live HTTP/1.0\r\n\r\n", 1),
    ):
        with instance.connect() as line:
            line.send(asked)
            line.socket.shutdown(socket.SHUT_WR)
            found = line.rest()
            assert found.count(b"HTTP/1.1 200 ") == answers, found


def test_who_says_no_more_in_the_middle_is_let_go_at_once(instance: Instance) -> None:
    for first in (b"", b"GET / HTTP/1.1\r\nX-A: ", head("POST", CAMPAIGNS, KEY, **POSTED) + b"{"):
        with instance.connect() as line:
            line.send(first)
            line.socket.shutdown(socket.SHUT_WR)
            began = time.monotonic()
            line.rest()
            assert time.monotonic() - began < SOON_S


def frame(kind: int, payload: bytes, *, last: bool = True) -> bytes:
    """Return a frame as a client sends it, masked with zeros."""
    return struct.pack("!BB4x", last << 7 | kind, 0x80 | len(payload)) + payload


def monitored(instance: Instance) -> Line:
    """Return a connection that is a socket now, and takes little."""
    line = Line.__new__(Line)
    line.socket = socket.socket()
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.socket.settimeout(20)
    line.socket.connect(("127.0.0.1", instance.port))
    line.send(head("GET", "/ws/campaigns/monitor", KEY, **UPGRADE))
    assert line.answer()[0] == 101
    return line


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", frame(PING, b"x" * 125)),
        (frame(TEXT, b"a", last=False), frame(CONTINUATION, b"", last=False)),
        (frame(TEXT, b"", last=False), frame(CONTINUATION, b"", last=False)),
        (b"", frame(TEXT, b"{}")),
    ],
    ids=["pongs not read", "a message of nothing", "nothing of nothing", "messages"],
)
def test_what_a_socket_sends_without_end_takes_no_memory(
    tmp_path: Path, first: bytes, again: bytes
) -> None:
    with Instance(tmp_path) as instance, contextlib.ExitStack() as stack:
        before_mb, piece = instance.rss_mb(), again * (MIB // len(again))
        lines = [stack.enter_context(monitored(instance)) for _ in range(4)]
        for line in lines:
            line.send(first)
        for _ in range(15):
            lines = [line for line in lines if line.send(piece)]
        wait_for(lambda: talked(instance) == 4, "they are dropped")
        grown_mb = instance.peak_mb() - before_mb
        assert grown_mb < 30, f"{grown_mb:.0f} MiB more"


def talked(instance: Instance) -> int:
    """Return how many sockets were dropped for what they said."""
    _, metrics = instance.ask("GET", "/metrics")
    found = re.findall(r'dialgate_connections_closed_total\{why="talk"\} (\d+)', metrics)
    return int(found[0]) if found else 0


def test_a_socket_that_says_little_is_heard(instance: Instance) -> None:
    said = frame(PING, b"p") + frame(TEXT, b"a", last=False) + frame(CONTINUATION, b"b") * 2
    with monitored(instance) as line:
        for _ in range(20):
            assert line.send(said[:-7])
        assert line.send(frame(PING, b"q"))
        found = b""
        while b"\x8a\x01q" not in found:
            piece = line.socket.recv(4096)
            assert piece, found
            found += piece


def test_sockets_without_a_key_keep_no_place_of_who_has_one(instance: Instance) -> None:
    """A socket that is refused is open until its client agrees: it makes room for the next one."""
    asked = head("GET", "/ws/campaigns/monitor", None, **UPGRADE)
    with contextlib.ExitStack() as stack:
        for _ in range(40):  # More than may be sockets: (256 - 128) / 2 / 2.
            line = stack.enter_context(instance.connect())
            line.send(asked)
            assert line.answer()[0] == 101
        for _ in range(5):
            stack.enter_context(monitored(instance))
    wait_for(lambda: instance.sockets() < 20, "they are gone")
