"""A client's socket: authentication, sending, receiving, closing.

Source: contract 6.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.security.utils import get_authorization_scheme_param

from campaigns.domain.api_keys import ApiKeys, Caller, key_hash
from campaigns.http.campaign_json import Shape
from campaigns.http.door import TOO_OFTEN, UNAUTHORIZED, wrong_key
from campaigns.http.rate_limits import RateLimits
from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.process.metrics import SHARES_SPENT
from projector.feeds.hub import Hub, Listener
from projector.queries.freshness import Queries

REST_S = 0.1  # Between two updates of a client: ten a second are enough for a person.
SLICE_FRAMES = 50  # Sent before the event loop is yielded: some 5 ms.
HEARTBEAT_S = 15.0  # The state is repeated at least this often. Source: contract 6.4.
TOO_MANY = "Too many connections"
UNKNOWN_KEY, NOT_FOUND, INTERNAL, TRY_LATER = 1008, 4004, 4000, 1013
TOKEN = "burki-token-"  # noqa: S105  (a name: the key follows it in the subprotocol)


@dataclass(frozen=True, slots=True)
class Feeds:
    """The dependencies of every socket."""

    queries: Queries
    hub: Hub
    clock: Clock
    keys: ApiKeys
    # Returns the caller of a key; for an unknown key, it catches up with the log first.
    caller_of_key: Callable[[str], Awaitable[Caller | None]]
    limits: RateLimits


class ClientSocket:
    """One client's socket: sends whole frames, one at a time."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket, self._turn = socket, asyncio.Lock()

    async def send(self, *shapes: Shape) -> None:
        """Send frames in this order."""
        async with self._turn:
            for count, shape in enumerate(shapes, start=1):
                await self._socket.send_text(orjson.dumps(shape).decode())
                if count % SLICE_FRAMES == 0:
                    # Sending alone does not yield while the buffer has room.
                    await asyncio.sleep(0)

    async def receive(self) -> Shape:
        """Return the next message that is a JSON object; others are ignored.

        Raises:
            WebSocketDisconnect: the client has gone.

        """
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            try:
                found = orjson.loads(message.get("text") or message.get("bytes") or b"")
            except orjson.JSONDecodeError:
                continue
            if isinstance(found, dict):
                return found


def key_of(socket: WebSocket) -> tuple[str, str | None]:
    """Return a client's key, and the subprotocol that carried it, if one did."""
    if token := socket.query_params.get("token"):
        return token, None
    for offered in socket.scope.get("subprotocols", ()):
        if offered.startswith(TOKEN):
            return offered.removeprefix(TOKEN), offered
    scheme, key = get_authorization_scheme_param(socket.headers.get("authorization"))
    return key if scheme.lower() == "bearer" else "", None


@asynccontextmanager
async def admitted(feeds: Feeds, socket: WebSocket) -> AsyncIterator[Caller | None]:
    """Admit a client for the duration of the context, and yield its caller; None: it was refused.

    The socket is accepted first: otherwise the client could not learn why it is closed
    (contract 6.3).
    """
    caller = await _caller(feeds, socket)
    if caller is None:
        yield None
        return
    if feeds.limits.wait_s(caller) > 0:
        await socket.close(TRY_LATER, TOO_OFTEN)
        yield None
        return
    leave = feeds.hub.admit(caller)
    if leave is None:
        SHARES_SPENT.labels("sockets").inc()
        await socket.close(TRY_LATER, TOO_MANY)
        yield None
        return
    try:
        yield caller
    finally:
        leave()


async def _caller(feeds: Feeds, socket: WebSocket) -> Caller | None:
    key, subprotocol = key_of(socket)
    await socket.accept(subprotocol)
    try:
        caller = await feeds.caller_of_key(key) if key else None
    except OperatingError as exc:
        await socket.close(INTERNAL, str(exc)[:100])
        return None
    if caller is None:
        often = wrong_key(feeds.limits, socket.client)
        await socket.close(*(TRY_LATER, often.detail) if often else (UNKNOWN_KEY, UNAUTHORIZED))
    return caller


def listener_of(
    feeds: Feeds, socket: WebSocket, caller: Caller, campaign_id: int | None
) -> Listener:
    """Return a client's listener. `campaign_id` None: a monitor."""
    client = socket.client.host if socket.client else ""
    hashed = key_hash(key_of(socket)[0])
    return Listener(caller.organization_id, hashed, client, feeds.clock.now(), campaign_id)


def key_valid(feeds: Feeds, listener: Listener) -> bool:
    """Say whether a listener's key is still valid."""
    return listener.key_hash in feeds.keys.callers


Talk = Callable[[Feeds, ClientSocket, Listener], Awaitable[None]]


async def converse(
    feeds: Feeds, socket: WebSocket, listener: Listener, send: Talk, receive: Talk
) -> None:
    """Send and receive until one of them ends, or the client must close."""
    client = ClientSocket(socket)
    with feeds.hub.listening(listener):
        both = [asyncio.ensure_future(one(feeds, client, listener)) for one in (send, receive)]
        leaving = asyncio.ensure_future(listener.leaving.wait())
        try:
            ended, _ = await asyncio.wait([*both, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (*both, leaving):
                one.cancel()
            await asyncio.gather(*both, leaving, return_exceptions=True)
    if listener.displaced:
        await socket.close(TRY_LATER, TOO_MANY)
        return
    for one in ended:
        if one.cancelled() or isinstance(failure := one.exception(), WebSocketDisconnect):
            return
        if failure is None:  # The campaign was deleted, or the key revoked.
            valid = key_valid(feeds, listener)
            code = NOT_FOUND if valid else UNKNOWN_KEY
            await socket.close(code, "Campaign not found" if valid else UNAUTHORIZED)
            return
        if isinstance(failure, OperatingError):  # The log or the store is away.
            await socket.close(INTERNAL, str(failure)[:100])
            return
        await socket.close(INTERNAL)
        raise failure


async def next_change(listener: Listener, within_s: float) -> bool:
    """Wait for a change, at most `within_s`; say whether there is one."""
    await asyncio.sleep(REST_S)
    try:
        async with asyncio.timeout(within_s):
            await listener.notified.wait()
    except TimeoutError:
        return False
    return True
