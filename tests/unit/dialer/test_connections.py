"""Which connection is lent again, and what it sends."""

import asyncio
import ssl

import httpx
import pytest
from pydantic import SecretStr

from dialer.carrier.http.connections import CarrierConnection, CarrierConnections


async def test_a_connection_that_did_well_is_lent_again() -> None:
    connections = CarrierConnections("http://127.0.0.1:9", 1.0, 2)
    async with connections.one() as first:
        pass
    async with connections.one() as second:
        assert second is first
    await connections.close()


@pytest.mark.parametrize("failure", [OSError, asyncio.CancelledError])
async def test_a_connection_that_failed_is_never_lent_again(failure: type[BaseException]) -> None:
    """A dialer that was frozen while it placed calls never got some contacts called.

    Its clients woke to requests that had timed out, took their only connection for busy ever
    after, and were lent, as the last ones used, to every later request.
    """
    connections = CarrierConnections("http://127.0.0.1:9", 1.0, 1)
    with pytest.raises(failure):
        async with connections.one() as first:
            raise failure
    assert first.is_closed
    async with connections.one() as second:
        assert second is not first
    await connections.close()


class Kept(CarrierConnection):
    """A connection that keeps its requests, and answers each alike."""

    def _transport(self, tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
        self.kept = list[httpx.Request]()

        def answer(request: httpx.Request) -> httpx.Response:
            self.kept.append(request)
            return httpx.Response(200, content=b"there")

        return httpx.MockTransport(answer)  # type: ignore[return-value]  # What is used of one.


@pytest.mark.parametrize(
    ("base_url", "secret", "where", "authorization"),
    [
        ("http://here:9", None, "http://here:9/calls/a%2Fb", None),
        ("http://here:9/", "s", "http://here:9/calls/a%2Fb", "Bearer s"),
        ("https://here/v1/", None, "https://here/v1/calls/a%2Fb", None),
        ("http://user:p%40ss@here", "s", "http://here/calls/a%2Fb", "Basic dXNlcjpwQHNz"),
    ],
)
async def test_a_request_has_its_address_its_body_and_whom_it_is_of(
    base_url: str, secret: str | None, where: str, authorization: str | None
) -> None:
    tls = ssl.create_default_context()
    connection = Kept(base_url, 1.0, tls, SecretStr(secret) if secret else None)
    async with connection.stream("PUT", "/calls/a%2Fb", {"dialgate-carrier": "x"}, "{}") as said:
        assert await said.aread() == b"there"
    (sent,) = connection.kept
    assert str(sent.url.copy_with(username=None, password=None)) == where
    assert sent.headers.get("authorization") == authorization
    assert (sent.content, sent.headers["content-length"]) == (b"{}", "2")
    assert sent.headers["dialgate-carrier"] == "x"
    assert sent.extensions["timeout"] == {"connect": 1.0, "read": 1.0, "write": 1.0, "pool": 1.0}
