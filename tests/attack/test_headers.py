"""The headers of every answer: of the application, of the protocol, of a page."""

import pytest

from tests.attack.instance import Instance
from tests.attack.line import head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
UPGRADE: dict[str, str | int] = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": 13,
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip

ASKED = {
    "a list": (head("GET", CAMPAIGNS, KEY), 200),
    "its head alone": (head("HEAD", CAMPAIGNS, KEY), 200),
    "a new key": (
        head("POST", "/api/v1/keys", KEY, Content_Length=2, Content_Type="application/json")
        + b"{}",
        200,
    ),
    "nobody we know": (head("GET", CAMPAIGNS), 401),
    "no such path": (head("GET", "/nothing"), 404),
    "no such verb": (head("PUT", CAMPAIGNS, KEY), 405),
    "a command that is not possible": (head("POST", f"{CAMPAIGNS}/999/pause", KEY), 404),
    "an id that is none": (head("GET", f"{CAMPAIGNS}/x", KEY), 422),
    "too large a body": (head("POST", CAMPAIGNS, KEY, Content_Length=10**9), 413),
    "too large a head": (head("GET", CAMPAIGNS, KEY, X_Long="x" * 70_000), 431),
    "no HTTP": (b"nonsense\r\n\r\n", 400),
    "the page of the documentation": (head("GET", "/docs"), 200),
    "its document": (head("GET", "/openapi.json"), 200),
    "health": (head("GET", "/health/live"), 200),
    "metrics": (head("GET", "/metrics"), 200),
    "a socket": (head("GET", "/ws/campaigns/monitor", KEY, **UPGRADE), 101),
    "a socket that is none": (head("GET", "/ws/nothing", KEY, **UPGRADE), 403),
}


@pytest.mark.parametrize("what", ASKED)
def test_no_answer_is_stored_or_guessed_at_or_tells_what_serves_it(
    instance: Instance, what: str
) -> None:
    asked, status = ASKED[what]
    with instance.connect() as line:
        line.send(asked)
        found, headers, _ = line.answer(has_body=not asked.startswith(b"HEAD"))
    assert found == status
    if status != 403:  # What turns a socket away has no headers but the library's own.
        assert headers["x-content-type-options"] == "nosniff"
        page = headers.get("content-type", "").startswith("text/html")
        # A page's own forms must name their Origin (ADR-0039); nobody else learns of it.
        assert headers["referrer-policy"] == ("same-origin" if page else "no-referrer")
        assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "x-powered-by" not in headers


def test_a_refusal_comes_behind_the_answer_before_it(instance: Instance) -> None:
    """An answer to HEAD has no body that it could be sent together with."""
    with instance.connect() as line:
        line.send(head("HEAD", CAMPAIGNS, KEY) + b"nonsense\r\n\r\n")
        assert line.answer(has_body=False)[0] == 200
        assert line.answer()[0] == 400
        assert line.closed()


def test_nobody_is_invited_to_send_a_body_that_is_refused_already(instance: Instance) -> None:
    asked = head("POST", CAMPAIGNS, KEY, Expect="100-continue", Transfer_Encoding="chunked")
    with instance.connect() as line:
        line.send(asked + b"nonsense\r\n")
        found = line.rest()
    assert found.startswith(b"HTTP/1.1 400")
    assert found.count(b"HTTP/1.1 ") == 1
