"""A body that is sent with bad intent costs its sender alone: security, 3, 4 and 5."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.instance import Instance, wait_for
from tests.attack.line import Line, head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
CHUNKED = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
MIB = 2**20
SOON_S = 15.0  # Before the deadlines of an ordinary process, on a busy machine too.

# What never ends, by what it is: how it begins, and what comes again and again.
ENDLESS = {
    "trailers": (b"2\r\n{}\r\n0\r\n", b"a:\r\n" * 16_384),
    "trailers that are long": (b"2\r\n{}\r\n0\r\n", b"a: " + b"x" * 65_000 + b"\r\n"),
    "one trailer's name": (b"2\r\n{}\r\n0\r\n", b"a" * 65_536),
    "one trailer's value": (b"2\r\n{}\r\n0\r\na: ", b"x" * 65_536),
    "a chunk's extension": (b"2;a=", b"x" * 65_536),
    "chunks of a byte": (b"", b"1\r\n \r\n" * 10_000),
    "chunks": (b"", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
}


def flood(instance: Instance, first: bytes, again: bytes, mib: int) -> None:
    """Send this many MiB over two connections, while they are accepted."""
    with instance.connect(timeout_s=5) as one, instance.connect(timeout_s=5) as other:
        lines = [line for line in (one, other) if line.send(first)]
        for _ in range(mib * MIB // len(again) // 2):
            lines = [line for line in lines if line.send(again)]


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_takes_no_memory(instance: Instance, what: str, key: str | None) -> None:
    first, again = ENDLESS[what]
    before_mb = instance.rss_mb()
    for path in (CAMPAIGNS, f"{CAMPAIGNS}/1/pause", f"{CAMPAIGNS}/1/import-data"):
        flood(instance, head("POST", path, key, **CHUNKED) + first, again, 12)
    grown_mb = instance.rss_mb() - before_mb
    assert grown_mb < 40, f"{grown_mb:.0f} MiB more for 36 MiB of {what}"
    assert instance.ask("GET", CAMPAIGNS)[0] == 200
    instance.quiet()


def test_trailers_are_allowed_and_change_nothing(instance: Instance) -> None:
    with instance.connect() as line:
        line.send(head("POST", f"{CAMPAIGNS}/999/pause", KEY, **CHUNKED, Connection="close"))
        line.send(b"2\r\n{}\r\n0\r\nAuthorization: Bearer other\r\nX-Request-ID: late\r\n\r\n")
        status, headers, _ = line.answer()
        assert (status, headers["x-request-id"] != "late") == (404, True)


def waited_s(line: Line) -> tuple[bytes, float]:
    """Return what comes until the other side closes, and how long that took."""
    began = time.monotonic()
    return line.rest(), time.monotonic() - began


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Return an instance with short deadlines."""
    knobs = {"head_s": 2, "body_s": 3, "body_idle_s": 1}
    with Instance(tmp_path_factory.mktemp("hurried"), **knobs) as running:
        yield running


SLOW = {
    "a body of which one byte comes": (head("POST", CAMPAIGNS, KEY, Content_Length=100), b"{"),
    "a body of which none comes": (head("POST", CAMPAIGNS, KEY, Content_Length=100), b""),
    "chunks": (head("POST", CAMPAIGNS, KEY, **CHUNKED), b"2\r\n{}\r\n"),
    "trailers": (head("POST", CAMPAIGNS, KEY, **CHUNKED), b"2\r\n{}\r\n0\r\na: b\r\n"),
    "a file": (
        head("POST", f"{CAMPAIGNS}/1/import-data", KEY, Content_Length=1000,
             Content_Type="multipart/form-data; boundary=b"),
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nphone\n',
    ),
    "a second request's body": (
        head("GET", CAMPAIGNS, KEY) + head("PUT", f"{CAMPAIGNS}/1", KEY, Content_Length=9), b"{"
    ),
    "a patch of a body": (head("PATCH", f"{CAMPAIGNS}/1", KEY, Content_Length=9), b"{"),
}  # fmt: skip


@pytest.mark.parametrize("what", SLOW)
def test_a_body_that_stands_still_is_not_waited_for(hurried: Instance, what: str) -> None:
    request, first = SLOW[what]
    with hurried.connect() as line:
        line.send(request + first)
        found, took_s = waited_s(line)
    assert b"HTTP/1.1 408 " in found, found
    assert found.count(b"HTTP/1.1 ") == request.count(b" HTTP/1.1\r\n"), "each has its one answer"
    assert took_s < SOON_S


def test_a_body_that_drips_has_its_end_too(hurried: Instance) -> None:
    with hurried.connect() as line:
        line.send(head("POST", CAMPAIGNS, KEY, Content_Length=1000))
        began = time.monotonic()
        while line.send(b" ") and time.monotonic() - began < 2 * SOON_S:
            time.sleep(0.3)  # The attack itself.
        assert time.monotonic() - began < SOON_S
        assert line.rest().startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_in_pieces_is_taken(hurried: Instance) -> None:
    body = b'{"name": "slow", "assistant_id": 1, "campaign_type": "call"}'
    with hurried.connect() as line:
        line.send(head("POST", CAMPAIGNS, KEY, Content_Length=len(body),
                       Content_Type="application/json"))  # fmt: skip
        for at in range(0, len(body), 20):
            time.sleep(0.4)
            line.send(body[at : at + 20])
        assert line.answer()[0] == 200


def test_blank_lines_are_no_sign_of_life(hurried: Instance) -> None:
    """An idle connection that sends the line breaks which HTTP allows before a request."""
    with hurried.connect() as line:
        line.send(head("GET", CAMPAIGNS, KEY))
        assert line.answer()[0] == 200
        began = time.monotonic()
        while line.send(b"\r\n") and time.monotonic() - began < 2 * SOON_S:
            time.sleep(0.2)
        assert time.monotonic() - began < SOON_S


def test_an_upload_without_a_key_is_not_stored(instance: Instance) -> None:
    asked = head("POST", f"{CAMPAIGNS}/1/import-data", None, Content_Length=90 * MIB,
                 Content_Type="multipart/form-data; boundary=b")  # fmt: skip
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    with instance.connect() as line:
        line.send(asked + part)
        sent = 0
        while sent < 90 * MIB and line.send(b"1" * MIB):
            sent += MIB
        assert sent < 20 * MIB, "it went on reading"
        assert not [one for one in instance.descriptors() if "(deleted)" in one]
    wait_for(lambda: instance.sockets() < 20, "its connections are closed")


def test_where_a_body_goes_is_unknown_until_the_key_is_known(tmp_path: Path) -> None:
    """Each kind of no is said before a byte of the body: 401, 403, 404, 405, 413, 429."""
    with Instance(tmp_path) as instance:
        _, made = instance.ask("POST", "/api/v1/keys", {"scope": "read", "rate_limit": 1_000})
        _, spent = instance.ask("POST", "/api/v1/keys", {"scope": "operate", "rate_limit": 1})
        reads, spent_key = made["key"], spent["key"]
        assert instance.ask("POST", f"{CAMPAIGNS}/9/pause", key=spent_key)[0] == 404
        for what, key, method, path, status in (
            ("no key", None, "POST", CAMPAIGNS, 401),
            ("a wrong key", "wrong", "PUT", f"{CAMPAIGNS}/1", 401),
            ("no key for keys", None, "POST", "/api/v1/keys", 401),
            ("no key for contacts", None, "POST", f"{CAMPAIGNS}/1/contacts", 401),
            ("no key for a preview", None, "POST", f"{CAMPAIGNS}/template-preview", 401),
            ("no key for a file", None, "POST", f"{CAMPAIGNS}/1/import-data", 401),
            ("a key that reads", reads, "POST", CAMPAIGNS, 403),
            ("a key that reads, for a pause", reads, "POST", f"{CAMPAIGNS}/1/pause", 403),
            ("a key that reads, for keys", reads, "POST", "/api/v1/keys", 403),
            ("a key that is spent", spent_key, "POST", CAMPAIGNS, 429),
            ("no such path", KEY, "POST", "/api/v1/campaign", 404),
            ("no such method", KEY, "PUT", CAMPAIGNS, 405),
            ("too much", KEY, "POST", CAMPAIGNS, 413),
        ):
            length = 11 * MIB if status == 413 else 5_000_000
            for form in ({"Content_Length": length}, CHUNKED):
                if status == 413 and form is CHUNKED:
                    continue  # It cannot be known before.
                for expects in ({}, {"Expect": "100-continue"}):
                    with instance.connect() as line:
                        more = {"Content_Type": "application/json"} | form | expects
                        line.send(head(method, path, key, **more))
                        found, headers, _ = line.answer()
                        assert found == status, (what, form, expects)
                        assert headers["connection"] == "close", (what, form)
                        assert line.closed(), what


def test_who_may_send_is_asked_to_go_on(instance: Instance) -> None:
    body = b'{"name": "asked", "assistant_id": 1, "campaign_type": "call"}'
    with instance.connect() as line:
        line.send(head("POST", CAMPAIGNS, KEY, Content_Length=len(body), Expect="100-continue",
                       Content_Type="application/json"))  # fmt: skip
        assert line.answer()[0] == 100
        line.send(body)
        status, headers, _ = line.answer()
        assert (status, "connection" in headers) == (200, False)
        line.send(head("GET", CAMPAIGNS, KEY))
        assert line.answer()[0] == 200, "the connection is kept"
