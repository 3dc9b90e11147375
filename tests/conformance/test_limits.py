"""The limits of a request: its head, its body, its time; and what cannot be a dry run.

Source: contract 7.3 and 10.
"""

import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.conformance.session import API, DRAFT, Asking, people
from tests.support.system import KEY, System

pytestmark = pytest.mark.e2e
HEAD_MAX = 64 * 1024
FIELDS_MAX = 256
REQUEST = f"GET {API} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()


def raw(system: System, head: bytes) -> bytes:
    """Send bytes; return all that comes back until the connection is closed."""
    address = urlsplit(system.commands_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        found = b""
        with contextlib.suppress(ConnectionError):  # It may close on us before all of it is sent.
            wire.sendall(head)
        with contextlib.suppress(ConnectionError):
            while piece := wire.recv(65_536):
                found += piece
        return found


def test_headers_have_a_limit_and_what_is_within_it_passes(api: Asking) -> None:
    fits = api.send("GET", "", X_Long="x" * (HEAD_MAX // 2))
    assert fits.status_code == 200
    detail = f"The request's line and headers are over {HEAD_MAX} bytes"
    many = {f"X_{n}": "x" * 400 for n in range(HEAD_MAX // 400)}
    for query, headers in (
        ("", {"X_Long": "x" * HEAD_MAX}),
        ("", many),
        (f"?search={'x' * 50_000}", {"X_Long": "x" * 20_000}),
    ):
        answer = api.send("GET", query, **headers)
        assert (answer.status_code, answer.json()) == (431, {"detail": detail})
    short = {f"X_{n}": "x" for n in range(FIELDS_MAX)}
    answer = api.send("GET", "", **short)
    detail = f"The request has over {FIELDS_MAX} headers"
    assert (answer.status_code, answer.json()) == (431, {"detail": detail})
    few = dict(list(short.items())[: FIELDS_MAX // 2])
    assert api.send("GET", "", **few).status_code == 200


def test_headers_without_an_end_are_not_taken_in(system: System) -> None:
    answer = raw(system, REQUEST + b"X-Long: " + b"x" * 20_000_000)
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer, "closed, with or without an answer"
    answer = raw(system, REQUEST + b"X-Long: " + b"x" * HEAD_MAX)
    assert answer.split(b"\r\n\r\n")[1].startswith(b'{"detail":')


def test_headers_that_take_for_ever_are_not_waited_for(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with System(tmp_path_factory.mktemp("slow"), head_s=0.5) as system:
        assert raw(system, REQUEST).startswith(b"HTTP/1.1 408 ")
        assert raw(system, b"") == b"", "one that asks nothing is closed"
        whole = REQUEST + b"Connection: close\r\n\r\n"
        assert raw(system, whole).startswith(b"HTTP/1.1 200 ")
        api = Asking(system)
        for _ in range(3):
            assert api.send("GET", "").status_code == 200
            time.sleep(1.0)  # A connection that is kept and rests is no head that takes long.
        api.http.close()


def test_bodies_have_a_limit(api: Asking) -> None:
    answer = api.send("POST", "", DRAFT | {"description": "x" * 11 * 2**20})
    assert (answer.status_code, "over" in answer.json()["detail"]) == (413, True)


def test_what_cannot_be_tried_is_not_done_in_earnest(api: Asking) -> None:
    one = api.create()
    before = api.get("")["total"]
    for path, body in (
        ("?dry_run=true", DRAFT),
        (f"/{one}/contacts?dry_run=true", {"contacts": people(1)}),
        ("/api/v1/keys?dry_run=true", {}),
    ):
        (error,) = api.refused(422, "POST", path, body)
        assert error["loc"] == ["query", "dry_run"]
    assert (api.get("")["total"], api.get(f"/{one}")["total_contacts"]) == (before, 0)
