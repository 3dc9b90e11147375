"""What a stop cuts off is answered: it may still take effect, and nothing has broken."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from dialgate.shutdown import Shutdown


async def waits(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait for a barrier that is not passed."""
    await asyncio.Event().wait()


async def has_begun(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer half, and wait."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.Event().wait()


async def cut_off(app: Any, method: str, *, stopping: bool) -> list[Message]:
    """Cancel a request as the server does when its time is over; return what was sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": method, "path": "/", "headers": []}
    request = asyncio.ensure_future(Shutdown(app, lambda: stopping)(scope, receive, send))
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait([request])
    if request.cancelled():
        raise asyncio.CancelledError
    return sent


@pytest.mark.parametrize(("method", "may_still"), [("POST", True), ("GET", False)])
async def test_who_waits_when_the_server_stops_is_told_503(method: str, may_still: bool) -> None:
    start, body = await cut_off(waits, method, stopping=True)
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert orjson.loads(body["body"])["may_still_take_effect"] is may_still


@pytest.mark.parametrize(("app", "stopping"), [(has_begun, True), (waits, False)])
async def test_any_other_cancellation_is_let_through(app: Any, stopping: bool) -> None:
    with pytest.raises(asyncio.CancelledError):
        await cut_off(app, "POST", stopping=stopping)
