"""Bodies of keys that are known: each is bounded, and so are all of them together, and a tenant's.

Forty bodies that are never whole are held open at once; what they hold in memory is looked at from
outside, and whether somebody else's body is still taken.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.instance import NEIGHBOUR, Instance, wait_for
from tests.attack.line import Line, head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
MIB = 2**20
BODIES, BODY_MIB = 40, 9
TOGETHER_MIB, SHARE_MIB = 64, 32  # What all may hold, and one organization.
CHUNKED: dict[str, str | int] = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
LONG: dict[str, str | int] = {"Content_Type": "application/json", "Content_Length": 10 * MIB}


@contextlib.contextmanager
def held(
    instance: Instance, key: str, path: str, form: dict[str, str | int], method: str = "POST"
) -> Iterator[list[Line]]:
    """Hold bodies that lack their last tenth; yield the connections."""
    chunked = "Transfer_Encoding" in form
    piece = b"%x\r\n%b\r\n" % (MIB, b" " * MIB) if chunked else b" " * MIB
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(instance.connect()) for _ in range(BODIES)]
        for line in lines:
            line.send(head(method, path, key, **form))
        taking = lines
        for _ in range(BODY_MIB):
            taking = [line for line in taking if line.send(piece)]
        yield lines


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("POST", CAMPAIGNS, LONG),
        ("POST", f"{CAMPAIGNS}/1/contacts", CHUNKED),
        ("PUT", f"{CAMPAIGNS}/1", LONG),
        ("POST", f"{CAMPAIGNS}/template-preview", CHUNKED),
    ],
)
def test_bodies_together_are_bounded_and_leave_others_their_share(
    tmp_path: Path, method: str, path: str, form: dict[str, str | int]
) -> None:
    with Instance(tmp_path, body_idle_s=60) as instance:
        before_mb = instance.rss_mb()
        with held(instance, KEY, path, form, method) as lines:
            grown_mb = instance.peak_mb() - before_mb
            print(f"{grown_mb:.0f} MiB more")
            assert grown_mb < TOGETHER_MIB + 40, f"{BODIES} bodies of {BODY_MIB} MiB"
            assert instance.create(key=NEIGHBOUR, description="x" * 20_000), "another's is taken"
            refused = set[Line]()

            def nearly_all() -> bool:
                refused.update(line for line in lines if line not in refused and _no(line))
                return len(refused) >= BODIES - 4

            wait_for(nearly_all, "some are taken, as many as fit its share")
            assert len(refused) < BODIES
            assert instance.ask("GET", CAMPAIGNS)[0] == 200, "it may ask what has no body"
        wait_for(lambda: instance.sockets() < 20, "they are gone")
        assert instance.create(description="x" * 20_000), "its share is free again"


def _no(line: Line) -> bool:
    """Return whether a body was refused, as it should be."""
    line.socket.settimeout(0.2)
    try:
        status, headers, body = line.answer()
    except (TimeoutError, ConnectionError):
        return False
    assert (status, headers["retry-after"]) == (429, "1"), body
    assert b"together" in body
    return True


def test_what_organizations_hold_together_is_bounded_too(tmp_path: Path) -> None:
    """Three tenants, each within its share: the last one is told that it is not its fault."""
    more = [f"dg_attack_key_of_organization_{n}" for n in (2, 3, 4)]
    keys = ",".join(f"{key}:{n}" for n, key in enumerate(more, 2))
    with (
        Instance(tmp_path, body_idle_s=60, api_keys=keys) as instance,
        contextlib.ExitStack() as stack,
    ):
        before_mb = instance.rss_mb()
        found = []
        for key in (KEY, *more):
            for _ in range(3):
                line = stack.enter_context(instance.connect())
                line.send(head("POST", CAMPAIGNS, key, **LONG) + b" " * (BODY_MIB * MIB))
                found.append(line)
        line = stack.enter_context(instance.connect())
        line.send(head("POST", CAMPAIGNS, more[-1], **LONG) + b" " * (9 * MIB))
        status, headers, body = line.answer()
        assert (status, headers["retry-after"]) == (503, "1"), body
        assert instance.peak_mb() - before_mb < TOGETHER_MIB + 40


def test_a_file_is_no_body_in_memory(tmp_path: Path) -> None:
    """Uploads go to files and have a limit of their own: they take no share of JSON bodies."""
    rows = b"phone\n" + b"".join(b"+1202555%04d\n" % n for n in range(10_000)) * 4
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    with Instance(tmp_path, body_max_mb=1, bodies_max_mb=1) as instance:
        made = instance.create()
        body = part + rows * 5 + b"\r\n--b--\r\n"
        assert len(body) > 2 * MIB
        kind = "multipart/form-data; boundary=b"
        path = f"{CAMPAIGNS}/{made}/import-data"
        status, _ = instance.ask("POST", path, body, Content_Type=kind)
        assert status < 300
