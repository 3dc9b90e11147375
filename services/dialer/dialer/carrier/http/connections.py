"""Connections to a carrier process: one request at a time on each, no request sent twice."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from pydantic import SecretStr

KEEPALIVE_S = 2.0  # Below uvicorn's 5: no request is sent into a connection that closes.


class CarrierConnection:
    """One connection, kept for the next request: httpx's transport, without its client.

    The client, which merges addresses, cookies and redirects, took a third of each request's time.
    """

    def __init__(
        self, base_url: str, timeout_s: float, tls: ssl.SSLContext, secret: SecretStr | None
    ) -> None:
        self._base = httpx.URL(base_url)
        self._headers = {"accept": "*/*"} | _authorization(self._base, secret)
        self._timeouts = {"timeout": httpx.Timeout(timeout_s).as_dict()}
        self.transport = self._transport(tls)
        self.is_closed = False

    def _transport(self, tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=tls,
            retries=0,  # A repeat rings twice.
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_S),
            trust_env=False,
        )

    @asynccontextmanager
    async def stream(
        self,
        verb: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: str | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request, once, and yield its response, whose body is to be read from its stream.

        Raises:
            httpx.TransportError: no whole response; the request may have arrived.

        """
        where = self._base.raw_path.partition(b"?")[0].rstrip(b"/") + path.encode()
        request = httpx.Request(
            verb,
            self._base.copy_with(raw_path=where),
            headers=self._headers | dict(headers or {}),
            content=content,
            extensions=self._timeouts,
        )
        response = await self.transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close it for good."""
        self.is_closed = True
        await self.transport.aclose()


def _authorization(base: httpx.URL, secret: SecretStr | None) -> dict[str, str]:
    """Return the header: of the user in the carrier's address, else of our secret, if any."""
    if base.username or base.password:
        pair = f"{base.username}:{base.password}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"authorization": f"Bearer {secret.get_secret_value()}"} if secret else {}


class CarrierConnections:
    """A pool of at most `most` connections, made as needed, the last used first.

    Each is a transport of its own: httpx's pool of a hundred connections searches all of them at
    each request's begin and end, which took half of the time.
    """

    def __init__(
        self, base_url: str, timeout_s: float, most: int, secret: SecretStr | None = None
    ) -> None:
        self._base_url, self._timeout_s, self._secret = base_url, timeout_s, secret
        self._free = asyncio.Semaphore(most)
        self._tls = ssl.create_default_context()  # Costly to make, so all share it.
        self._idle: list[CarrierConnection] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[CarrierConnection]:
        """Lend a connection as soon as one is free."""
        async with self._free:
            connection = self._idle.pop() if self._idle else self._make()
            try:
                yield connection
            except BaseException:
                # After a time-out or cancellation its pool of one may stay busy for ever; as the
                # last one used it would be lent to every later request.
                await connection.aclose()
                raise
            if has_stray_bytes(connection):
                await connection.aclose()
            else:
                self._idle.append(connection)

    async def close(self) -> None:
        """Close the connections that are not lent out."""
        while self._idle:
            await self._idle.pop().aclose()

    def _make(self) -> CarrierConnection:
        return CarrierConnection(self._base_url, self._timeout_s, self._tls, self._secret)


def has_stray_bytes(connection: CarrierConnection) -> bool:
    """Say whether more than the response has come: the next request would take it for its own.

    h11 keeps such bytes for the next response, and httpx has no public way to see them. Bytes that
    come later are found by httpx itself: an idle connection that is readable is not used again.
    """
    pool = connection.transport._pool
    connections = [one._connection for one in pool.connections]  # type: ignore[attr-defined]  # httpcore's.
    return any(one is not None and one._h11_state.trailing_data[0] for one in connections)
