"""No order is sent twice, wherever its connection breaks; its outcome is looked up.

Over real sockets: at every byte of the request and of the answer, by RST and by FIN, on a fresh
connection and on one that was kept alive.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from campaigns.process.clock import SystemClock
from dialer.calls.call import Call
from dialer.calls.call_states import Logged
from dialer.calls.effects import LookUp, Offer
from dialer.calls.inputs import Answered, Input, LookedUp
from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.http.connections import CarrierConnection, CarrierConnections
from dialer.carrier.port import CallOrder, Found, NoRing, NotFound, Rung
from dialer.carrier_requests import CarrierRequests
from tests.support.breaking_carrier import (
    BEGAN,
    ID,
    BreakingCarrier,
    Ending,
    Framing,
    breaking_carrier,
    response,
)
from tests.unit.dialer.rig import OPENED, Rig

CLOCK = SystemClock()
RING_BY = BEGAN + timedelta(seconds=5)
LEASE_S = 86_400.0
LONG_BYTES = 4_000_000  # More than both ends' buffers take: the request is being sent.


class Placer:
    """What the dialer does at the carrier: places calls, and asks about them."""

    def __init__(self, carrier: HttpCarrier) -> None:
        self.told = list[Input]()
        self.carrier = carrier
        self._requests = CarrierRequests(carrier, CLOCK, 5.0, self.told.append)

    async def place(self, call_id: str, variables: dict[str, str] | None = None) -> object:
        """Place a call; return what the reactor is told of the answer."""
        sent_at = CLOCK.boottime()
        order = CallOrder(call_id, 42, 7, run=1, attempt=2, to="+4930", variables=variables or {})
        call = Call(
            call_id, 42, 7, 1, 2, LEASE_S, 5.0, True, RING_BY, Logged.PERMITTED, sent_at, ID
        )
        await self._requests.place(order, call, sent_at)
        said = self.told.pop()
        assert isinstance(said, Answered)
        assert not self.told
        return said.answer

    async def ask(self, call_id: str) -> Found | None:
        """Look a call up; return what the reactor is told."""
        await self._requests.look_up(call_id, None)
        said = self.told.pop()
        assert isinstance(said, LookedUp)
        return said.found


class Repeating(httpx.AsyncHTTPTransport):
    """A transport as other clients have it: what has failed is sent again."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.TransportError:
            return await super().handle_async_request(request)


class RepeatingConnection(CarrierConnection):
    """A connection whose transport repeats."""

    def _transport(self, tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
        return Repeating(verify=tls, trust_env=False)


class RepeatingConnections(CarrierConnections):
    """Connections whose transports repeat."""

    def _make(self) -> CarrierConnection:
        return RepeatingConnection(self._base_url, self._timeout_s, self._tls, self._secret)


@asynccontextmanager
async def connected(server: BreakingCarrier) -> AsyncIterator[Placer]:
    carrier = HttpCarrier(server.url, None, 5.0, CLOCK, lease_s=2.0, check_s=300.0)
    await carrier.open(lambda *_: None)
    try:
        yield Placer(carrier)
    finally:
        await carrier.close()


def name(number: int) -> str:
    return f"call-{number:06}"  # All of one length: so are the exchanges.


async def measured(
    server: BreakingCarrier, placer: Placer, call: str = name(999_999)
) -> tuple[int, int]:
    """Return the bytes of a request, for a call with an id of this length, and of an answer."""
    assert await placer.place(call) == Rung(BEGAN)
    return server.request_bytes, server.answer_bytes


async def broken(server: BreakingCarrier, placer: Placer, call: str, byte: int, how: Ending) -> int:
    """Place a call whose exchange breaks, and ask about it; return how often it was placed."""
    before, questions = server.placings, server.questions
    server.break_at(byte, how)
    assert await placer.place(call) is None, f"byte {byte}: an answer that did not come"
    placings = server.placings - before
    assert server.questions == questions, "the client has asked on its own"
    assert await placer.ask(call) == (Rung(BEGAN) if server.rung[call] else NotFound())
    return placings


NO_RING: dict[str, object] = {"state": "no-ring", "reason": "busy here"}


@pytest.mark.parametrize(
    "stray",
    [response("200 OK", NO_RING), response("404 Not Found", {"state": "not-found"}), b"H", b"\r\n"],
    ids=["a whole one", "not found", "the first byte of one", "a line's end"],
)
@pytest.mark.parametrize("later", [False, True])
async def test_a_second_answer_to_one_request_is_nobodys(stray: bytes, later: bool) -> None:
    """A carrier, or a proxy before it, answers twice: the next call's outcome is its own."""
    async with breaking_carrier() as server, connected(server) as placer:
        whole = response("200 OK", {"state": "ringing", "began_at": BEGAN})
        server.instead = whole if later else whole + stray
        assert await placer.place(name(1)) == Rung(BEGAN)
        if later:
            await server.say(stray)
        server.instead = response("200 OK", NO_RING | {"reason": "its own"})
        assert await placer.place(name(2)) == NoRing("its own")
        assert server.rung == {name(1): 1, name(2): 1}
        assert await placer.place(name(3)) == NoRing("its own")
        assert server.answered_last == 1, "a connection without stray bytes is used again"


@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize("how", list(Ending))
async def test_a_placing_is_sent_once_at_whichever_byte_its_connection_breaks(
    how: Ending, kept_alive: bool
) -> None:
    async with breaking_carrier() as server, connected(server) as placer:
        request, answer = await measured(server, placer)
        server.break_at(0, how)
        assert await placer.place(name(999_998)) is None  # That connection is not lent again.
        for byte in range(request + answer):
            if kept_alive:
                assert await placer.place(name(500_000 + byte)) == Rung(BEGAN)
            assert await broken(server, placer, name(byte), byte, how) == 1, f"byte {byte}"
            assert server.rung[name(byte)] == (byte >= request), f"byte {byte}"
            assert bool(server.answered_before) is kept_alive


@pytest.mark.parametrize("how", list(Ending))
async def test_an_answer_that_has_come_whole_counts_and_is_not_asked_for_again(how: Ending) -> None:
    async with breaking_carrier() as server, connected(server) as placer:
        request, answer = await measured(server, placer)
        for number in range(20):
            before = server.placings
            server.break_at(request + answer, how)
            said = await placer.place(name(number))
            # A reset may overtake the answer: then it is asked for, as any other.
            assert said == Rung(BEGAN) or (said is None and how is Ending.RESET)
            assert await placer.place(name(100 + number)) == Rung(BEGAN), "on another connection"
            assert server.placings - before == 2
        assert set(server.rung.values()) == {1}


@pytest.mark.parametrize("framing", [Framing.CHUNKED, Framing.UNTIL_CLOSE])
@pytest.mark.parametrize("how", list(Ending))
async def test_half_an_answer_says_nothing_however_its_end_is_told(
    framing: Framing, how: Ending
) -> None:
    async with breaking_carrier(framing) as server, connected(server) as placer:
        request, answer = await measured(server, placer)
        for byte in range(request, request + answer):
            assert await broken(server, placer, name(byte), byte, how) == 1, f"byte {byte}"
        assert set(server.rung.values()) == {1}


@pytest.mark.parametrize("how", list(Ending))
async def test_a_request_that_is_still_being_sent_is_not_begun_again(how: Ending) -> None:
    variables = {"text": "x" * LONG_BYTES}
    async with breaking_carrier() as server, connected(server) as placer:
        for number, byte in enumerate([1, 100, 5_000, 70_000, LONG_BYTES // 2, LONG_BYTES]):
            for kept_alive in (False, True):
                if kept_alive:
                    await placer.place(name(900 + number))
                before, call = server.placings, name(2 * number + kept_alive)
                server.break_at(byte, how)
                assert await placer.place(call, variables) is None
                assert server.placings - before == 1
                assert await placer.ask(call) == NotFound()


@pytest.mark.parametrize(
    "instead",
    [
        response("307 Temporary Redirect", {}, location="/calls/elsewhere"),
        response("308 Permanent Redirect", {}, location="/calls/elsewhere"),
        response("401 Unauthorized", {}, www_authenticate='Basic realm="x"'),
        response("408 Request Timeout", {}, connection="close"),
        response("425 Too Early", {}, retry_after="0"),
        response("429 Too Many Requests", {}, retry_after="0"),
        response("502 Bad Gateway", {}),
        response("503 Service Unavailable", {}, retry_after="0"),
        response("503 Service Unavailable", {}, retry_after="0", connection="close"),
    ],
    ids=lambda raw: raw[9:12].decode(),
)
async def test_an_answer_that_invites_a_repeat_gets_none(instead: bytes) -> None:
    async with breaking_carrier() as server, connected(server) as placer:
        server.instead = instead
        assert await placer.place(name(1)) is None
        assert server.rung == {name(1): 1}
        assert await placer.ask(name(1)) == Rung(BEGAN)


@pytest.mark.parametrize("how", list(Ending))
@pytest.mark.parametrize("phase", ["unread", "in the request", "unanswered", "in head", "in body"])
async def test_the_dialer_asks_what_became_of_it_and_records_nothing_before(
    phase: str, how: Ending
) -> None:
    async with breaking_carrier() as server, connected(server) as placer:
        rig = Rig(carrier=ID)
        call_id = rig.permitted().call_id
        request, answer = await measured(server, placer, "x" * len(call_id))
        byte = {
            "unread": 0, "in the request": request - 1, "unanswered": request,
            "in head": request + 20, "in body": request + answer - 1,
        }[phase]  # fmt: skip
        server.break_at(byte, how)
        assert await placer.place(call_id) is None
        assert rig.react(Answered(call_id, None)) == [LookUp(call_id)]
        asked_at, found = rig.boot, await placer.ask(call_id)
        effects = rig.react(LookedUp(call_id, asked_at, found, ID))
        recorded = [
            type(fact).__name__ for e in effects if isinstance(e, Offer) for fact in e.facts
        ]
        assert recorded == (["CallStarted"] if byte >= request else [])  # "Not found" may be early.
        assert server.rung[call_id] == (byte >= request)
        OPENED.pop().close()


@pytest.mark.parametrize("how", list(Ending))
@pytest.mark.parametrize("kept_alive", [False, True])
async def test_a_client_that_repeats_is_seen_to_ring_twice(how: Ending, kept_alive: bool) -> None:
    """What the tests above must be able to see."""
    async with breaking_carrier() as server, connected(server) as placer:
        request, answer = await measured(server, placer)
        await placer.carrier._placing.close()
        placer.carrier._placing = RepeatingConnections(server.url, 5.0, 1)
        for number, byte in enumerate([0, 1, request - 1, request, request + answer // 4]):
            if kept_alive:
                assert await placer.place(name(900 + number)) == Rung(BEGAN)
            before = server.placings
            server.break_at(byte, how)
            assert await placer.place(name(byte)) == Rung(BEGAN)
            assert server.placings - before == 2, f"byte {byte}"
            assert server.rung[name(byte)] == (2 if byte >= request else 1)
