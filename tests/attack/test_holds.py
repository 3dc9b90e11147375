"""Nothing of one request holds the event loop: security, 2. A neighbour's pause passes beside it.

Each upload is sent whole, and while it is taken in, the neighbour pauses. How long the loop was
held is read from the instance's own metric.
"""

import re
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.attack.instance import Instance
from tests.attack.neighbour import Neighbour
from tests.support.system import KEY

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
HELD_MAX_S = "0.5"  # A bucket. Work is cut to 20 ms; two processors for everything say the rest.
PAUSE_MAX_S = 1.0
CUT = 0
MIB = 2**20
ROW = b"5551234567\n"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """Return parts, each its header's rest and what is in it, as a form."""
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + body + b"\r\n"
                    for head, body in parts) + b"--b--\r\n"  # fmt: skip


def file(body: bytes) -> bytes:
    """Return a form with one file."""
    return form((b'name="file"; filename="a.csv"', body))


# By what it is: the body, and its statuses.
UPLOADS: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "blank lines before the header": (lambda: file(b"\n" * 4_000_000 + b"phone\n" + ROW), (400,)),
    "blank lines behind the header": (lambda: file(b"phone\n" + b"\n" * 2_000_000 + ROW), (202,)),
    "rows of commas": (lambda: file(b"phone\n" + (b"," * 130_000 + b"\n") * 200 + ROW), (202,)),
    "a long line": (lambda: file(b"x" * 50 * MIB), (400,)),
    "a long line behind the header": (lambda: file(b"phone\n" + b"x" * 50 * MIB), (400,)),
    "a quotation mark not closed": (lambda: file(b'phone\n"' + b"1\n" * 10 * MIB), (400,)),
    "a million columns": (lambda: file(b"phone" + b",x" * 1_000_000 + b"\n" + ROW), (400,)),
    "bad numbers": (lambda: file(b"phone\n" + ROW + b"1\n" * 300_000), (202,)),
    "many parts": (lambda: form(*((b'name="x"', b"1") for _ in range(100_000))), (400, CUT)),
    "a part's huge header": (lambda: form((b'name="' + b"x" * 10 * MIB + b'"', b"1")), (400, CUT)),
    "a huge field": (lambda: form((b'name="column_mappings"', b"x" * 20 * MIB)), (400, CUT)),
}  # fmt: skip


def contacts(*each: bytes, times: int) -> bytes:
    """Return a body of contacts."""
    return b'{"contacts":[' + b",".join([b",".join(each)] * times) + b"]}"


PHONE = b'{"phone_number":"5551234567"'
# By what it is: a JSON body of contacts, and its status.
BODIES: dict[str, tuple[Callable[[], bytes], int]] = {
    "brackets": (lambda: b"[" + b"[]," * 3 * MIB + b"[]]", 422),
    "contacts that are brackets": (lambda: contacts(b"[]", times=3 * MIB), 422),
    "contacts with brackets": (
        lambda: contacts(PHONE + b',"x":[' + b"[]," * 4_000 + b"[]]}", times=800), 200),
    "a text": (lambda: b'{"contacts":[],"x":"' + b"x" * 9 * MIB + b'"}', 422),
    "contacts": (lambda: b'{"contacts":[' + b",".join(
        PHONE[:-5] + b'%04d","name":"Ann","variables":{"a":"%s"}}' % (n, b"x" * 900)
        for n in range(9_999)) + b"]}", 200),
}  # fmt: skip


@pytest.mark.parametrize("key", [None, "again"])
@pytest.mark.parametrize("what", BODIES)
def test_no_body_is_felt_next_door(
    instance: Instance, neighbour: Neighbour, what: str, key: str | None
) -> None:
    make, status = BODIES[what]
    campaign, body = instance.create(), make()
    keyed = {"Idempotency_Key": key} if key else {}
    path, found = f"/api/v1/campaigns/{campaign}/contacts", list[int]()

    def send() -> None:
        kind = "application/json"
        found.append(instance.ask("POST", path, body, key=KEY, Content_Type=kind, **keyed)[0])

    felt(instance, neighbour, send)
    assert found == [status]


@pytest.fixture(scope="module")
def neighbour(instance: Instance) -> Iterator[Neighbour]:
    """Return a neighbour of all attacks of this file; its pauses are audited at the end."""
    with Neighbour(instance) as found:
        yield found
        found.audit()


def longer(instance: Instance) -> float:
    """Return how many holds of the loop were longer than HELD_MAX_S."""
    _, metrics = instance.ask("GET", "/metrics")
    name = "dialgate_loop_hold_seconds"
    (below,) = re.findall(rf'{name}_bucket{{le="{re.escape(HELD_MAX_S)}"}} (\S+)', metrics)
    (every,) = re.findall(rf"{name}_count (\S+)", metrics)
    assert float(every) > 0, "they are measured"
    return float(every) - float(below)


@pytest.mark.parametrize("what", UPLOADS)
def test_no_upload_is_felt_next_door(instance: Instance, neighbour: Neighbour, what: str) -> None:
    make, statuses = UPLOADS[what]
    campaign, body, found = instance.create(), make(), list[int]()

    def upload() -> None:
        path = f"/api/v1/campaigns/{campaign}/import-data"
        kind = "multipart/form-data; boundary=b"
        try:
            found.append(instance.ask("POST", path, body, key=KEY, Content_Type=kind)[0])
        except OSError:  # Answered and closed in the middle of the body.
            found.append(CUT)

    felt(instance, neighbour, upload)
    assert found[0] in statuses


def felt(instance: Instance, neighbour: Neighbour, upload: Callable[[], object]) -> None:
    """Assert that a neighbour's pauses, while something is sent, are those of any day."""
    held_before, sending = longer(instance), threading.Thread(target=upload)
    sending.start()
    took_s = [neighbour.pause()]
    while sending.is_alive():
        took_s.append(neighbour.pause())
    sending.join()
    print(f"{len(took_s)} pauses, the longest {max(took_s):.3f} s")
    assert max(took_s) < PAUSE_MAX_S
    assert longer(instance) == held_before
