"""Connections: their number, pipelined requests, and clients that must read their answers."""

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialgate.connections.server import ACCEPTED_AT_ONCE
from tests.attack.flood import UPGRADE
from tests.attack.instance import NEIGHBOUR, Instance, wait_for
from tests.attack.line import Line, head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
PLACES = 64  # (256 descriptors - 128 kept) / 2.
PIPELINED_MAX = 32


def statuses(found: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", found)]


@contextlib.contextmanager
def crowd(instance: Instance, count: int, first: bytes = b"") -> Iterator[list[Line]]:
    """Hold this many connections, each of which has sent these bytes."""
    with contextlib.ExitStack() as held:
        lines = [held.enter_context(instance.connect()) for _ in range(count)]
        for line in lines:
            line.send(first)
        yield lines


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"GET / HTTP/1.1\r\nX-A: ",
        head("POST", CAMPAIGNS, KEY, Content_Length=100) + b"{",
        head("GET", "/ws/campaigns/monitor", KEY, **UPGRADE),
        head("GET", "/ws/campaigns/monitor", None, **UPGRADE),
        head("GET", CAMPAIGNS, KEY),
    ],
    ids=["nothing", "a head", "a body", "a socket", "a socket without a key", "kept"],
)
def test_more_connections_than_files_keep_nobody_out(instance: Instance, first: bytes) -> None:
    with crowd(instance, 300, first):
        for _ in range(5):
            assert instance.ask("GET", CAMPAIGNS, key=NEIGHBOUR)[0] == 200
            assert instance.ask("GET", "/health/live", key=None)[0] == 200
        assert instance.sockets() <= PLACES + 10
    wait_for(lambda: instance.sockets() < 20, "they are gone")
    assert instance.log_bytes() < 20_000


def test_who_has_asked_before_he_is_accepted_is_served_whoever_comes_behind(
    tmp_path: Path,
) -> None:
    """Eight places, hundreds in the backlog: no connection is displaced before it was read from."""
    with Instance(tmp_path, descriptors=144) as instance, contextlib.ExitStack() as held:
        asked = head("GET", CAMPAIGNS, NEIGHBOUR)
        # asyncio makes a connection of a socket two turns after it was accepted. Two turns' are in,
        # over the bound, two turns' are not in yet, and one turn's are being closed.
        most = instance.sockets() + 5 * ACCEPTED_AT_ONCE
        for first in (b"", b"GET / HTTP/1.1\r\nX-A: ", asked):
            os.kill(instance["up"].pid, signal.SIGSTOP)
            try:
                lines = [held.enter_context(instance.connect()) for _ in range(300)]
                for line in lines[:150] + lines[151:]:
                    line.send(first)
                lines[150].send(asked)
            finally:
                os.kill(instance["up"].pid, signal.SIGCONT)
            # Where all have asked, all places may be taken by requests under way.
            assert lines[150].answer()[0] in ((200, 503) if first == asked else (200,))
            assert instance.sockets() <= most
        wait_for(lambda: instance.ask("GET", CAMPAIGNS)[0] == 200, "all of them were answered")


def test_sockets_leave_others_their_half(instance: Instance) -> None:
    with crowd(instance, PLACES // 2, head("GET", "/ws/campaigns/monitor", KEY, **UPGRADE)) as all_:
        assert [line.answer()[0] for line in all_] == [101] * (PLACES // 2)
        with instance.connect() as one_more:
            one_more.send(head("GET", "/ws/campaigns/monitor", KEY, **UPGRADE))
            assert one_more.answer()[0] == 503
        assert instance.ask("GET", CAMPAIGNS)[0] == 200
    wait_for(lambda: instance.sockets() < 20, "they are gone")


def test_a_start_with_too_few_files_says_how_many_are_needed(tmp_path: Path) -> None:
    instance = Instance(tmp_path, descriptors=100)
    process = instance["up"].spawn()
    assert process.wait() == 2
    assert "expected to be allowed at least 144 open files, found 100" in process.output()


def test_a_start_takes_as_many_files_as_it_may_have(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance["up"].prefix = ["sh", "-c", 'ulimit -Sn 60; ulimit -Hn 300; exec "$@"', "sh"]
    with instance:
        limits = Path(f"/proc/{instance['up'].pid}/limits").read_text()
        (found,) = re.findall(r"Max open files\s+(\d+)\s+(\d+)", limits)
        assert found == ("300", "300")
        assert instance.ask("GET", CAMPAIGNS)[0] == 200


def test_requests_that_wait_behind_one_another_are_bounded(instance: Instance) -> None:
    before_mb = instance.rss_mb()
    tiny = b"GET / HTTP/1.1\r\n\r\n" * 14_000  # 250 KB: what is read at once.
    with crowd(instance, 30, tiny):
        assert instance.rss_mb() - before_mb < 40
    few = head("GET", CAMPAIGNS, KEY) * PIPELINED_MAX
    with instance.connect() as line:
        line.send(few + head("GET", CAMPAIGNS, KEY, Connection="close"))
        assert statuses(line.rest()) == [200] * (PIPELINED_MAX + 1)


@pytest.mark.parametrize(
    "wrong",
    [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0", b"GET /\xff HTTP/1.1\r\n:\r\n\r\n",
     head("POST", CAMPAIGNS, KEY, Transfer_Encoding="chunked") + b"zz\r\n"],
)  # fmt: skip
def test_who_stands_before_what_is_no_http_is_answered_first(
    instance: Instance, wrong: bytes
) -> None:
    with instance.connect() as line:
        line.send(head("GET", f"{CAMPAIGNS}/999", KEY) * 3 + wrong)
        assert statuses(line.rest()) == [404, 404, 404, 400]


def small_reader(instance: Instance) -> Line:
    """Return a connection whose client takes little at once."""
    line = Line.__new__(Line)
    line.socket = socket.socket()
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.socket.settimeout(20)
    line.socket.connect(("127.0.0.1", instance.port))
    return line


def test_who_takes_nothing_is_dropped_and_who_takes_little_is_not(tmp_path: Path) -> None:
    with Instance(tmp_path, answer_idle_s=1, idle_s=60) as instance:
        large = head("GET", "/openapi.json") * PIPELINED_MAX
        with small_reader(instance) as idle, small_reader(instance) as slow:
            idle.send(large)
            slow.send(large)
            taken = 0

            def dropped() -> bool:
                nonlocal taken
                taken += len(slow.socket.recv(2_000))
                _, metrics = instance.ask("GET", "/metrics")
                return 'closed_total{why="answer"} 1.0' in metrics

            wait_for(dropped, "the one that takes nothing is dropped")
            assert slow.socket.recv(2_000), "the other one is served"
            assert taken > 10_000
