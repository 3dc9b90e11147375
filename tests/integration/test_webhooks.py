"""Events are delivered signed, at least once, in order; hostile receivers cost only waits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import WebhookVerificationError

from campaigns.process.clock import SystemClock
from campaigns.webhooks.address_guard import AddressRefusedError
from campaigns.webhooks.delivery import UndeliveredError, deliver
from campaigns.webhooks.endpoint import Endpoint, WebhookAnswer
from campaigns.webhooks.webhook_settings import WebhookSettings
from tests.support.receiver import (
    GARBAGE,
    NEVER,
    RESET,
    SECRET,
    Receiver,
    an_event,
    receiving,
)

OTHER = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"


@dataclass
class Failures:
    """What was told of failed deliveries."""

    answers: list[WebhookAnswer] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def note(self, answer: WebhookAnswer, wait_s: float) -> None:
        self.answers.append(answer)
        self.waits.append(wait_s)


async def delivered(receiver: Receiver, retry_s: float = 10.0, *secrets: str) -> Failures:
    """Deliver one event to the receiver."""
    failures = Failures()
    settings = WebhookSettings(
        timeout_s=0.15, retry_wait_s=0.01, retry_wait_max_s=0.04, retry_s=retry_s
    )
    signing = [SecretStr(one) for one in secrets or (SECRET,)]
    endpoint = Endpoint(receiver.url, signing, settings.timeout_s, private=True)
    try:
        await deliver(endpoint, an_event(), settings, SystemClock(), failures.note)
    finally:
        await endpoint.close()
    return failures


async def test_an_event_is_delivered_as_it_is_and_its_signature_holds() -> None:
    async with receiving() as receiver:
        assert not (await delivered(receiver)).answers
    (request,) = receiver.requests
    assert request.checked() == an_event().body
    assert request.path == "/hook"
    assert request.headers["webhook-id"] == "0@7/0"
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    with pytest.raises(WebhookVerificationError):
        request.checked(OTHER)


async def test_while_a_secret_is_replaced_both_sign() -> None:
    async with receiving() as receiver:
        await delivered(receiver, 10.0, SECRET, OTHER)
    (request,) = receiver.requests
    assert request.checked(SECRET) == request.checked(OTHER) == an_event().body


async def test_whatever_a_receiver_does_its_event_comes_again_with_growing_waits() -> None:
    script = ("500", NEVER, RESET, GARBAGE, "302 Found\r\nlocation: /elsewhere", "404")
    async with receiving(*script) as receiver:
        failures = await delivered(receiver)
    assert [answer.status for answer in failures.answers] == [500, None, None, None, 302, 404]
    assert failures.waits == [0.01, 0.02, 0.04, 0.04, 0.04, 0.04]
    assert len(receiver.requests) == len(script) + 1
    assert {request.path for request in receiver.requests} == {"/hook"}, "it followed the redirect"
    assert {request.checked() for request in receiver.requests} == {an_event().body}
    assert {request.headers["webhook-id"] for request in receiver.requests} == {"0@7/0"}


async def test_a_receiver_is_waited_for_as_long_as_it_asks() -> None:
    async with receiving("503\r\nretry-after: 1", "503\r\nRetry-After: nonsense") as receiver:
        failures = await delivered(receiver)
    assert failures.waits == [1.0, 0.02]
    async with receiving("503\r\nretry-after: 20") as receiver:
        with pytest.raises(
            UndeliveredError, match="0@7/0: not delivered within 10 s: answered 503"
        ):
            await delivered(receiver)


async def test_a_date_in_retry_after_is_a_wait_until_then() -> None:
    async with receiving("429\r\nretry-after: Fri, 31 Dec 2999 23:59:59 GMT") as receiver:
        endpoint = Endpoint(receiver.url, [SecretStr(SECRET)], 5.0, private=True)
        answer = await endpoint.post("1", b"{}", SystemClock().now())
        await endpoint.close()
    assert answer.retry_after_s is not None
    assert answer.retry_after_s > 365 * 86_400


async def test_a_receiver_that_is_gone_gets_nothing_more() -> None:
    async with receiving("410") as receiver:
        with pytest.raises(UndeliveredError, match="it answered 410"):
            await delivered(receiver)
    assert len(receiver.requests) == 1


async def test_one_connection_serves_all_deliveries_and_long_answers_are_not_read() -> None:
    async with receiving("200", "200 OK\r\nx: y", "200") as receiver:
        endpoint = Endpoint(receiver.url, [SecretStr(SECRET)], 5.0, private=True)
        for n in range(3):
            assert (await endpoint.post(str(n), b"{}", SystemClock().now())).delivered
        await endpoint.close()
    assert receiver.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_unless_it_is_allowed_nothing_inside_is_connected_to(host: str) -> None:
    async with receiving() as receiver:
        endpoint = Endpoint(f"https://{host}:{receiver.port}/", [SecretStr(SECRET)], 5.0)
        with pytest.raises(AddressRefusedError, match="DIALGATE_WEBHOOK_PRIVATE=true allows it"):
            await endpoint.post("1", b"{}", SystemClock().now())
        await endpoint.close()
        await asyncio.sleep(0)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://receiver/", False), ("ftp://receiver/", True), ("https:///hook", True),
        ("https://user:word@receiver/", True), ("https://receiver:port/", True),
        ("file:///x", True), ("https://receiver/#part", True),
    ],
)  # fmt: skip
def test_only_a_url_to_deliver_to_is_taken(url: str, private: bool) -> None:
    with pytest.raises(AddressRefusedError) as told:
        Endpoint(url, [], 5.0, private=private)
    assert "word" not in str(told.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_ü" * 9])
def test_a_weak_secret_signs_nothing_and_is_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="at least 24 bytes") as told:
        Endpoint("https://receiver/", [SecretStr(secret)], 5.0)
    assert not (text := secret.removeprefix("whsec_")) or text not in str(told.value)


async def answered_by(serve: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> WebhookAnswer:
    """Post to a receiver that answers so; return what counts."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))
            await serve(writer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/", [SecretStr(SECRET)], 0.4, private=True)
    try:
        return await endpoint.post("1", b"{}", datetime(2026, 3, 1, tzinfo=UTC))
    finally:
        await endpoint.close()
        server.close()


async def test_an_answer_without_end_is_not_read_and_its_status_counts() -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            sent += 0x10000

    assert (await answered_by(endless)).delivered
    assert sent < 50 * 2**20, "what sockets hold, and no gigabytes"


async def test_an_answer_that_drips_is_taken_by_its_status_alone() -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert (await answered_by(dripping)).delivered


@pytest.mark.parametrize(
    "line", [b"x-a: b\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"H"], ids=["head", "100", "drip"]
)
async def test_a_head_without_end_is_no_answer(line: bytes) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" if line != b"H" else b"")
        while True:
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0.001)

    answer = await answered_by(endless)
    assert answer.status is None
    assert (answer.error or "").startswith("no answer")


async def test_a_receiver_without_tls_gets_nothing_and_holds_no_connection() -> None:
    async with receiving() as plain:
        url = plain.url.replace("http:", "https:")
        endpoint = Endpoint(url, [SecretStr(SECRET)], 0.3, private=True)
        answer = await endpoint.post("1", b"{}", datetime(2026, 3, 1, tzinfo=UTC))
        await endpoint.close()
        assert answer.status is None
    assert plain.requests == []
