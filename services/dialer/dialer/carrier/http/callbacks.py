"""Callbacks: the carrier process reports a call's end to the dialer, in a few tries.

A lost callback costs nothing but time: dialers look calls up. Callbacks go only to origins that an
operator allows, and only to the dialers' route; the token in their path is never logged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.observability import limit_repetitions
from dialer.carrier.http.wire import CALLBACK_PATH, event
from dialer.carrier.port import Ended
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier

CALLBACKS_AT_ONCE = 16  # Workers, and connections.
CALLBACKS_WAITING_MAX = 10_000  # More are dropped: the dialer looks the call up.
CALLBACK_TIMEOUT_S = 2.0  # Of one try.
CALLBACK_RETRIES_S = (0.2, 1.0)  # Waits between tries; then it is given up.

logger = logging.getLogger(__name__)
limit_repetitions(logger)


@dataclass(frozen=True, slots=True)
class _Callback:
    url: str
    origin: str  # What may be logged of it.
    body: bytes


def allowed_origin(url: str, allowed: Collection[str]) -> str | None:
    """Return the origin that a callback would go to; None where it must not go.

    `allowed`: origins, as `http://dialer:8000`. With none, this machine's loopback is allowed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    token = parts.path.removeprefix(CALLBACK_PATH)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if (
        parts.scheme not in ("http", "https")
        or not host
        or not plain
        or token == parts.path
        or not token
        or not token.replace("-", "").replace("_", "").isalnum()
    ):
        return None
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    return origin if (origin in allowed if allowed else loopback(host)) else None


def loopback(host: str) -> bool:
    """Say whether a host is this machine's loopback."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Callbacks:
    """The callbacks of one carrier process, to the origins that are allowed."""

    def __init__(self, carrier: SimulatedCarrier, allowed: Collection[str] = ()) -> None:
        self._carrier, self._allowed = carrier, allowed
        self._waiting: asyncio.Queue[_Callback] = asyncio.Queue(CALLBACKS_WAITING_MAX)

    def report(self, call_id: str, ended: Ended) -> None:
        """Take a call's end; the carrier's `Report`."""
        try:
            url = self._carrier.callback_url(call_id)
            if url is None:
                return
            if (origin := allowed_origin(url, self._allowed)) is None:
                logger.warning(
                    "a call's end is not told: its callback address is not one that"
                    " DIALGATE_CARRIER_CALLBACK_ALLOWED names"
                )
                return
            body = event(call_id, ended).model_dump_json().encode()
            self._waiting.put_nowait(_Callback(url, origin, body))
        except (CarrierUnavailableError, asyncio.QueueFull) as exc:
            logger.warning("callback for %s dropped: %s", call_id, type(exc).__name__)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Send them, until the block ends; what is unsent then is dropped."""
        limits = httpx.Limits(max_connections=CALLBACKS_AT_ONCE, keepalive_expiry=2.0)
        async with (
            httpx.AsyncClient(timeout=CALLBACK_TIMEOUT_S, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            workers = [group.create_task(self._work(client)) for _ in range(CALLBACKS_AT_ONCE)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            callback = await self._waiting.get()
            if not await _deliver(client, callback):
                logger.info("callback to %s given up", callback.origin)


async def _deliver(client: httpx.AsyncClient, callback: _Callback) -> bool:
    for wait_s in (*CALLBACK_RETRIES_S, None):
        try:
            response = await client.post(
                callback.url,
                content=callback.body,
                headers={"content-type": "application/json"},
            )
            if response.is_success:
                return True
            if response.is_client_error:  # The token of a dialer that has ended.
                return False
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            logger.info("callback to %s: %s", callback.origin, type(exc).__name__)
        if wait_s is not None:
            await asyncio.sleep(wait_s)
    return False
