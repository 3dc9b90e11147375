"""Connections to a carrier process: one request at a time on each, no request sent twice."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from pydantic import SecretStr

KEEPALIVE_S = 2.0  # Below uvicorn's 5: no request is sent into a connection that closes.


class CarrierConnections:
    """A pool of at most `most` connections, made as needed, the last used first.

    Each is a client of its own: httpx's pool of a hundred connections searches all of them at each
    request's begin and end, which took half of the time.
    """

    def __init__(
        self, base_url: str, timeout_s: float, most: int, secret: SecretStr | None = None
    ) -> None:
        self._base_url, self._timeout_s, self._secret = base_url, timeout_s, secret
        self._free = asyncio.Semaphore(most)
        self._tls = ssl.create_default_context()  # Costly to make, so all share it.
        self._idle: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a connection as soon as one is free."""
        async with self._free:
            client = self._idle.pop() if self._idle else self._make()
            try:
                yield client
            except BaseException:
                # After a time-out or cancellation its pool of one may stay busy for ever; as the
                # last one used it would be lent to every later request.
                await client.aclose()
                raise
            if has_stray_bytes(client):
                await client.aclose()
            else:
                self._idle.append(client)

    async def close(self) -> None:
        """Close the connections that are not lent out."""
        while self._idle:
            await self._idle.pop().aclose()

    def _make(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls,
            retries=0,  # A repeat rings twice.
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_S),
            trust_env=False,
        )
        bearer = f"Bearer {self._secret.get_secret_value()}" if self._secret else None
        return httpx.AsyncClient(
            base_url=self._base_url,
            headers={"authorization": bearer} if bearer else None,
            timeout=self._timeout_s,
            transport=transport,
            trust_env=False,
        )


def has_stray_bytes(client: httpx.AsyncClient) -> bool:
    """Say whether more than the response has come: the next request would take it for its own.

    h11 keeps such bytes for the next response, and httpx has no public way to see them. Bytes that
    come later are found by httpx itself: an idle connection that is readable is not used again.
    """
    pool = client._transport._pool  # type: ignore[attr-defined]  # Of an AsyncHTTPTransport.
    connections = [one._connection for one in pool.connections]
    return any(one is not None and one._h11_state.trailing_data[0] for one in connections)
