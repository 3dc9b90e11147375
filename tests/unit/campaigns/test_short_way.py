"""The short way answers plain commands, and hands everything else on as it came."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from starlette.types import Message, Receive, Scope, Send

from campaigns.http.door import ID_MAX
from campaigns.http.edge import install
from campaigns.http.short_way import RAISED, ShortWay
from campaigns.http.size_limits import Limits

PATH = "/api/v1/campaigns/{campaign_id}/pause"


class Plain:
    """A route, as far as the short way knows one."""

    path = PATH

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.asked = failure, list[int]()

    async def plain(self, request: Request, number: int) -> Response:
        self.asked.append(number)
        if self.failure is not None:
            raise self.failure
        return Response(str(number))


class Whole:
    """The application behind it: remembers what it was asked."""

    def __init__(self) -> None:
        self.scopes = list[Scope]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


def request(path: str = PATH.format(campaign_id=7), **other: Any) -> Scope:
    return {
        "type": "http", "method": "POST", "path": path, "query_string": b"",
        "headers": [(b"host", b"here"), (b"content-length", b"0")],
    } | other  # fmt: skip


async def asked(route: Plain, scope: Scope) -> tuple[Whole, list[Message]]:
    """Send one request; return the application behind, and what was sent by the short way."""
    whole, sent = Whole(), list[Message]()

    async def receive() -> Message:
        raise AssertionError("a plain request has no body to read")

    async def send(message: Message) -> None:
        sent.append(message)

    await ShortWay(whole, [route])(scope, receive, send)  # type: ignore[list-item]  # Enough of one.
    return whole, sent


async def test_a_plain_request_is_answered_and_goes_no_further() -> None:
    route = Plain()
    whole, sent = await asked(route, request())
    assert (route.asked, whole.scopes) == ([7], [])
    assert [message.get("body") for message in sent] == [None, b"7"]


@pytest.mark.parametrize(
    "other",
    [
        {"method": "GET"},
        {"type": "websocket"},
        {"query_string": b"dry_run=true"},
        {"headers": [(b"content-length", b"2")]},
        {"headers": [(b"content-length", b"00")]},
        {"headers": [(b"transfer-encoding", b"chunked")]},
        *({"path": PATH.format(campaign_id=strange)} for strange in ("0", "01", "x", "٣", "1/2")),
        {"path": PATH.format(campaign_id=ID_MAX + 1)},
        {"path": "/api/v1/campaigns/7/start"},
        {"path": "/7/pause"},
        {"path": "/api/v1/campaigns/7/pause/"},
    ],
)
async def test_any_other_request_goes_the_whole_way(other: dict[str, Any]) -> None:
    route = Plain()
    whole, sent = await asked(route, request(**other))
    assert (route.asked, sent, len(whole.scopes)) == ([], [], 1)
    assert RAISED not in whole.scopes[0]


async def test_the_largest_id_takes_the_short_way() -> None:
    route = Plain()
    await asked(route, request(PATH.format(campaign_id=ID_MAX)))
    assert route.asked == [ID_MAX]


@pytest.mark.parametrize("failure", [HTTPException(404), KeyError("a bug")])
async def test_an_error_is_for_the_whole_way_to_answer(failure: Exception) -> None:
    route = Plain(failure)
    whole, sent = await asked(route, request())
    assert (route.asked, sent) == ([7], []), "it was done once, and not answered here"
    assert whole.scopes[0][RAISED] is failure


def test_the_bounds_come_before_the_short_way() -> None:
    app = FastAPI()
    install(app, Limits(1_000, 1_000), [APIRouter()])
    assert [one.cls.__name__ for one in app.user_middleware] == ["Edge", "ShortWay"]  # type: ignore[attr-defined]  # A class each.
