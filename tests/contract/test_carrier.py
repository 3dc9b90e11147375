"""One carrier, in the process and as a process of its own: the same promises of both."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from campaigns.domain.facts import Disposition
from campaigns.process.clock import SystemClock
from campaigns.process.errors import CarrierNonsenseError, CarrierUnavailableError
from dialer.carrier.http.app import create_carrier_app
from dialer.carrier.http.callback_route import callback_router
from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.port import (
    CallOrder,
    Carrier,
    Elsewhere,
    Ended,
    NoRing,
    NotFound,
    RefusedLate,
    Rung,
    Taken,
)
from dialer.carrier.simulated.outcome import CarrierTerms, outcome
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier
from tests.support.waiting import until

CLOCK = SystemClock()
QUICK = CarrierTerms(
    setup_s=0.005, ringing_min_s=0.01, ringing_max_s=0.02, talk_min_s=0.01, talk_max_s=0.03
)
LONG = replace(QUICK, ringing_min_s=30, ringing_max_s=30)
CALL = CallOrder("a", campaign_id=42, contact_id=7, run=1, attempt=2, to="+4930123456")
Ends = dict[str, Ended]
Connect = Callable[[CarrierTerms], AbstractAsyncContextManager[tuple[Carrier, Ends]]]


def soon(seconds: float = 5.0) -> datetime:
    return CLOCK.now() + timedelta(seconds=seconds)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rings.jsonl").read_text().splitlines()]


def rings(folder: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(folder / "carrier.db")
    try:
        return db.execute("select call_id, state from rings order by number").fetchall()
    finally:
        db.close()


def simulated(folder: Path, terms: CarrierTerms) -> SimulatedCarrier:
    return SimulatedCarrier(folder / "carrier.db", terms, CLOCK, folder / "rings.jsonl")


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app on a loopback port of its own, really."""
    config = uvicorn.Config(
        app, port=0, log_level="warning", timeout_graceful_shutdown=1, ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started or serving.done())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


GARBAGE = [  # What stands in an end instead of what can be so.
    '"duration_s": Infinity', '"duration_s": NaN', '"duration_s": 1e400', '"duration_s": 1e308',
    '"duration_s": 86401', '"duration_s": "long"', '"duration_s": null', '"duration_s": -1',
    '"ended_at": "9999-12-31T23:59:59+00:00"', '"ended_at": "9999-12-31T23:59:59-12:00"',
    '"began_at": "9999-12-31T23:59:59-12:00"', '"ended_at": "2026-01-01T11:59:59Z"',
    '"ended_at": "0001-01-01T00:00:00+14:00"', '"ended_at": 1e300', '"disposition": "bored"',
    '"error": 7', '"error": ["x"]', '"began_at": "2026-01-01T12:00:00"',
]  # fmt: skip


def _ended(instead: str) -> str:
    """Return a call's end as JSON, with something else in it: of two of a name the last counts."""
    event = (
        '"call_id": "a", "state": "ended", "began_at": "2026-01-01T12:00:00Z",'
        ' "ended_at": "2026-01-01T12:00:01Z", "disposition": "busy", "duration_s": 0'
    )
    return "{" + ", ".join(filter(None, (event, instead))) + "}"


class CarrierContract:
    """What the dialer may rely on."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        raise NotImplementedError

    async def test_a_call_rings_and_its_end_is_reported(self, connect: Connect) -> None:
        async with connect(QUICK) as (carrier, ends):
            before = CLOCK.now()
            placed = await carrier.place(CALL, soon())
            assert isinstance(placed, Rung)
            assert before <= placed.began_at <= CLOCK.now()
            await until(lambda: ends)
            fate = outcome(QUICK, "a")
            lasted = timedelta(seconds=fate.ringing_s + fate.talk_s)
            assert ends["a"] == Ended(
                placed.began_at, placed.began_at + lasted, fate.disposition, fate.talk_s
            )
            assert await carrier.look_up("a") == ends["a"]

    async def test_the_log_has_the_line_before_the_answer(
        self, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(QUICK) as (carrier, _):
            placed = await carrier.place(CALL, soon())
            assert isinstance(placed, Rung)
            (line,) = lines(tmp_path)
            assert isinstance(line.pop("ring"), str)
            began_at = placed.began_at - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
            assert line == {
                "call_id": "a",
                "campaign_id": 42,
                "contact_id": 7,
                "run": 1,
                "attempt": 2,
                "to": "+4930123456",
                "began_at_ns": began_at // timedelta(microseconds=1) * 1000,
            }

    async def test_a_call_that_rings_is_found_ringing(self, connect: Connect) -> None:
        async with connect(LONG) as (carrier, _):
            placed = await carrier.place(CALL, soon())
            assert await carrier.look_up("a") == placed

    async def test_a_call_in_set_up_is_found_taken(self, connect: Connect) -> None:
        async with connect(replace(QUICK, setup_s=30)) as (carrier, _):
            placing = asyncio.create_task(carrier.place(CALL, soon()))
            async with asyncio.timeout(20):
                while await carrier.look_up("a") == NotFound():
                    await asyncio.sleep(0.005)
            assert await carrier.look_up("a") == Taken()
            placing.cancel()
            await asyncio.wait([placing])

    async def test_no_ring_begins_after_ring_by(self, connect: Connect, tmp_path: Path) -> None:
        async with connect(QUICK) as (carrier, ends):
            assert await carrier.place(CALL, soon(-0.001)) == RefusedLate()
            assert await carrier.look_up("a") == RefusedLate()
            assert lines(tmp_path) == []
            assert not ends

    async def test_a_carrier_that_cannot_refuse_rings_late(self, connect: Connect) -> None:
        async with connect(replace(QUICK, refuses_late=False)) as (carrier, _):
            assert not carrier.refuses_late
            assert isinstance(await carrier.place(CALL, soon(-1)), Rung)

    async def test_a_second_place_rings_again(self, connect: Connect, tmp_path: Path) -> None:
        async with connect(LONG) as (carrier, _):
            first, second = await carrier.place(CALL, soon()), await carrier.place(CALL, soon())
            assert isinstance(first, Rung)
            assert isinstance(second, Rung)
            assert [line["call_id"] for line in lines(tmp_path)] == ["a", "a"]
            assert len({line["ring"] for line in lines(tmp_path)}) == 2
            assert rings(tmp_path) == [("a", "ringing"), ("a", "ringing")]
            assert await carrier.look_up("a") == second

    async def test_who_stops_waiting_does_not_stop_the_ring(self, connect: Connect) -> None:
        async with connect(replace(LONG, setup_s=0.5)) as (carrier, _):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(carrier.place(CALL, soon()), 0.05)
            async with asyncio.timeout(20):
                while not isinstance(await carrier.look_up("a"), Rung):
                    await asyncio.sleep(0.01)

    async def test_an_unknown_call_is_not_found(self, connect: Connect) -> None:
        async with connect(QUICK) as (carrier, _):
            assert await carrier.look_up("no/such?call") == NotFound()

    async def test_a_call_younger_than_the_lag_is_not_found(self, connect: Connect) -> None:
        async with connect(replace(LONG, lookup_lag_s=1.5)) as (carrier, _):
            assert carrier.lookup_lag_s == 1.5
            placed = await carrier.place(CALL, soon())
            assert await carrier.look_up("a") == NotFound()
            async with asyncio.timeout(20):
                while (found := await carrier.look_up("a")) == NotFound():
                    await asyncio.sleep(0.05)
            assert found == placed

    async def test_hanging_up_ends_a_call_and_says_so(self, connect: Connect) -> None:
        async with connect(LONG) as (carrier, ends):
            await carrier.place(CALL, soon())
            await carrier.hang_up("a")
            await until(lambda: ends)
            assert ends["a"].disposition is Disposition.FAILED
            assert (ends["a"].error, ends["a"].duration_s) == ("hung up", 0)
            assert await carrier.look_up("a") == ends["a"]

    async def test_what_is_hung_up_in_set_up_never_rings(
        self, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(replace(QUICK, setup_s=1.0)) as (carrier, ends):
            placing = asyncio.create_task(carrier.place(CALL, soon()))
            async with asyncio.timeout(20):
                while await carrier.look_up("a") == NotFound():
                    await asyncio.sleep(0.005)
            await carrier.hang_up("a")
            assert await placing == NoRing("hung up")
            assert lines(tmp_path) == []
            assert not ends

    async def test_hanging_up_what_is_unknown_is_no_error(self, connect: Connect) -> None:
        async with connect(QUICK) as (carrier, _):
            await carrier.hang_up("nobody")

    async def test_a_refusal_is_a_definite_no(self, connect: Connect, tmp_path: Path) -> None:
        async with connect(replace(QUICK, refusals=1)) as (carrier, _):
            assert await carrier.place(CALL, soon()) == NoRing("refused by the carrier")
            assert await carrier.look_up("a") == NoRing("refused by the carrier")
            assert lines(tmp_path) == []

    async def test_a_lost_answer_hides_a_ring(self, connect: Connect) -> None:
        async with connect(replace(LONG, lost_answers=1)) as (carrier, _):
            with pytest.raises(CarrierUnavailableError):
                await carrier.place(CALL, soon())
            assert isinstance(await carrier.look_up("a"), Rung)

    async def test_a_silent_carrier_rings_nobody(self, connect: Connect, tmp_path: Path) -> None:
        async with connect(replace(QUICK, silence=1)) as (carrier, _):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(carrier.place(CALL, soon()), 0.05)
            assert await carrier.look_up("a") == NotFound()
            assert lines(tmp_path) == []

    async def test_a_slow_answer_comes_after_the_ring(self, connect: Connect) -> None:
        async with connect(replace(LONG, answer_latency_s=0.1)) as (carrier, _):
            placed = await carrier.place(CALL, soon())
            assert isinstance(placed, Rung)
            assert CLOCK.now() - placed.began_at >= timedelta(seconds=0.09)

    async def test_a_lost_report_leaves_the_look_up(self, connect: Connect) -> None:
        async with connect(replace(QUICK, lost_reports=1)) as (carrier, ends):
            await carrier.place(CALL, soon())
            async with asyncio.timeout(20):
                while not isinstance(await carrier.look_up("a"), Ended):
                    await asyncio.sleep(0.01)
            assert not ends

    async def test_a_restarted_carrier_finishes_what_it_had_begun(self, connect: Connect) -> None:
        terms = replace(QUICK, ringing_min_s=1.0, ringing_max_s=1.0)
        async with connect(terms) as (carrier, ends):
            placed = await carrier.place(CALL, soon())
            assert isinstance(placed, Rung)
            assert not ends
        async with connect(terms) as (carrier, _):
            async with asyncio.timeout(20):
                while not isinstance(found := await carrier.look_up("a"), Ended):
                    await asyncio.sleep(0.01)
        fate = outcome(terms, "a")
        assert found.began_at == placed.began_at
        assert found.ended_at - found.began_at == timedelta(seconds=fate.ringing_s + fate.talk_s)

    async def test_a_hundred_calls_at_once_all_ring_and_end(
        self, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(QUICK) as (carrier, ends):
            calls = [replace(CALL, call_id=f"c{number}") for number in range(100)]
            placed = await asyncio.gather(*(carrier.place(call, soon()) for call in calls))
            assert all(isinstance(answer, Rung) for answer in placed)
            await until(lambda: len(ends) == 100)
        assert sorted(line["call_id"] for line in lines(tmp_path)) == sorted(ends)
        assert {state for _, state in rings(tmp_path)} == {"ended"}


class TestSimulatedCarrier(CarrierContract):
    """In the process."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        @asynccontextmanager
        async def connect(terms: CarrierTerms) -> AsyncIterator[tuple[Carrier, Ends]]:
            carrier, ends = simulated(tmp_path, terms), Ends()
            await carrier.open(ends.__setitem__)
            yield carrier, ends
            await carrier.close()

        return connect

    async def test_it_is_the_same_carrier_after_a_restart_and_another_on_another_file(
        self, tmp_path: Path
    ) -> None:
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
        ids = list[str | None]()
        for folder in ("one", "two", "one"):
            carrier = simulated(tmp_path / folder, QUICK)
            assert carrier.id is None
            await carrier.open(Ends().__setitem__)
            ids.append(carrier.id)
            await carrier.close()
        assert ids[0] == ids[2] != ids[1]
        assert None not in ids

    async def test_a_carrier_in_memory_goes_on_when_opened_again(self) -> None:
        carrier, ends = SimulatedCarrier(":memory:", QUICK, CLOCK), Ends()
        await carrier.open(ends.__setitem__)
        await carrier.place(CALL, soon())
        await carrier.close()
        with pytest.raises(CarrierUnavailableError):
            await carrier.look_up("a")
        await carrier.open(ends.__setitem__)
        await until(lambda: ends)
        await carrier.close()

    async def test_two_carriers_never_share_a_file(self, tmp_path: Path) -> None:
        first, second = simulated(tmp_path, QUICK), simulated(tmp_path, QUICK)
        await first.open(Ends().__setitem__)
        with pytest.raises(CarrierUnavailableError, match="another carrier"):
            await second.open(Ends().__setitem__)
        await first.close()
        await second.open(Ends().__setitem__)
        await second.close()

    async def test_a_damaged_file_is_told_and_left_as_it_is(self, tmp_path: Path) -> None:
        """It is the only record of rings: an empty one could let a phone ring twice."""
        path = tmp_path / "carrier.db"
        path.write_bytes(damaged := b"what a disk has left of it " * 200)
        for _ in range(2):  # It releases its lock.
            with pytest.raises(CarrierUnavailableError, match="expected the carrier's file, found"):
                await simulated(tmp_path, CarrierTerms()).open(lambda *_: None)
        assert path.read_bytes() == damaged

    async def test_a_line_without_its_state_is_not_written_twice(self, tmp_path: Path) -> None:
        """Killed between the line and carrier.db: the line says that it rings."""
        carrier = simulated(tmp_path, LONG)
        await carrier.open(Ends().__setitem__)
        placed = await carrier.place(CALL, soon())
        await carrier.close()
        forget(tmp_path)
        await carrier.open(Ends().__setitem__)
        assert await carrier.look_up("a") == placed
        await carrier.close()
        assert len(lines(tmp_path)) == 1

    async def test_a_torn_line_is_no_ring_and_swallows_none(self, tmp_path: Path) -> None:
        carrier, log = simulated(tmp_path, LONG), tmp_path / "rings.jsonl"
        await carrier.open(Ends().__setitem__)
        await carrier.place(CALL, soon())
        await carrier.close()
        torn = log.read_bytes()[:-10]
        log.write_bytes(torn)
        forget(tmp_path)
        await carrier.open(Ends().__setitem__)
        async with asyncio.timeout(20):
            while not isinstance(await carrier.look_up("a"), Rung):
                await asyncio.sleep(0.005)
        await carrier.close()
        first, second = log.read_bytes().splitlines()
        assert first == torn
        assert json.loads(second)["call_id"] == "a"

    async def test_a_call_in_set_up_is_refused_when_the_restart_came_late(
        self, tmp_path: Path
    ) -> None:
        carrier = simulated(tmp_path, replace(QUICK, setup_s=0.5))
        await carrier.open(Ends().__setitem__)
        placing = asyncio.create_task(carrier.place(CALL, soon(0.55)))
        await asyncio.sleep(0.01)
        await carrier.close()
        with pytest.raises(CarrierUnavailableError):
            await placing
        await asyncio.sleep(0.55)
        await carrier.open(Ends().__setitem__)
        async with asyncio.timeout(20):
            while await carrier.look_up("a") == Taken():
                await asyncio.sleep(0.005)
        assert await carrier.look_up("a") == RefusedLate()
        await carrier.close()
        assert lines(tmp_path) == []


def forget(folder: Path) -> None:
    """Take carrier.db back to before the ring's beginning was committed."""
    db = sqlite3.connect(folder / "carrier.db")
    db.execute("update rings set state = 'taken', began_at_ns = null")
    db.commit()
    db.close()


class TestHttpCarrier(CarrierContract):
    """As a process of its own, as far as sockets can tell."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        @asynccontextmanager
        async def connect(terms: CarrierTerms) -> AsyncIterator[tuple[Carrier, Ends]]:
            app, ends = FastAPI(), Ends()
            async with (
                served(create_carrier_app(simulated(tmp_path, terms), CLOCK)) as url,
                served(app) as own_url,
            ):
                carrier = HttpCarrier(url, own_url, 5.0, CLOCK, lease_s=2.0)
                app.include_router(callback_router(carrier))
                await carrier.open(ends.__setitem__)
                yield carrier, ends
                await carrier.close()

        return connect

    async def test_a_stranger_cannot_report(self) -> None:
        app, ends = FastAPI(), Ends()
        carrier = HttpCarrier("http://127.0.0.1:9", None, 0.1, CLOCK, lease_s=2.0, open_s=0)
        app.include_router(callback_router(carrier))
        with pytest.raises(CarrierUnavailableError):
            await carrier.open(ends.__setitem__)
        event = {
            "call_id": "a",
            "state": "ended",
            "began_at": "2026-01-01T12:00:00Z",
            "ended_at": "2026-01-01T12:00:01Z",
            "disposition": "busy",
            "duration_s": 0,
        }
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://dialer") as client:
            path = "/carrier/events"
            assert (await client.post(f"{path}/guess", json=event)).status_code == 404
            assert not ends
            assert (await client.post(f"{path}/{carrier.token}", json=event)).status_code == 204
            assert ends["a"].disposition is Disposition.BUSY
            assert (await client.post(f"{path}/{carrier.token}", json={})).status_code == 422
        await carrier.close()

    @pytest.mark.parametrize("instead", GARBAGE)
    async def test_a_report_that_cannot_be_so_is_422_and_a_look_up_says_nothing(
        self, instead: str
    ) -> None:
        body = _ended(instead)
        app, ends = FastAPI(), Ends()

        @app.get("/calls/{call_id}")
        async def look_up(call_id: str) -> Response:
            return Response(body, media_type="application/json")

        async with served(app) as url:
            carrier = HttpCarrier(url, None, 1.0, CLOCK, lease_s=2.0)
            app.include_router(callback_router(carrier))
            carrier._report = ends.__setitem__  # As `open` does, of a carrier that says its terms.
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                path = f"/carrier/events/{carrier.token}"
                headers = {"content-type": "application/json"}
                answer = await client.post(path, content=body, headers=headers)
                assert answer.status_code == 422, answer.text
                answer = await client.post(path, content=_ended(""), headers=headers)
                assert answer.status_code == 204, "one that can be so is taken"
            assert list(ends) == ["a"]
            with pytest.raises(CarrierUnavailableError):
                await carrier.look_up("a")
            await carrier.close()

    async def test_an_answer_without_end_is_not_read_to_its_end(self) -> None:
        app = FastAPI()

        async def without_end() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)

        @app.get("/calls/{call_id}")
        async def look_up(call_id: str) -> StreamingResponse:
            return StreamingResponse(without_end())

        async with served(app) as url:
            carrier = HttpCarrier(url, None, 30.0, CLOCK, lease_s=2.0)
            with pytest.raises(CarrierNonsenseError):
                await carrier.look_up("a")
            await carrier.close()

    async def test_a_carrier_that_is_down_is_unavailable(self) -> None:
        carrier = HttpCarrier("http://127.0.0.1:9", None, 0.5, CLOCK, lease_s=2.0)
        for asking in (carrier.place(CALL, soon()), carrier.look_up("a"), carrier.hang_up("a")):
            with pytest.raises(CarrierUnavailableError):
                await asking
        assert (carrier.refuses_late, carrier.lookup_lag_s) == (False, None)
        await carrier.close()

    async def test_an_answer_that_says_nothing_is_no_answer(self) -> None:
        """A proxy's 404 is not the carrier's "not found"."""
        async with served(FastAPI()) as url:
            carrier = HttpCarrier(url, None, 1.0, CLOCK, lease_s=2.0)
            for asking in (carrier.place(CALL, soon()), carrier.look_up("a")):
                with pytest.raises(CarrierUnavailableError):
                    await asking
            await carrier.close()

    async def test_clocks_that_differ_are_warned_about(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with served(create_carrier_app(simulated(tmp_path, QUICK), Shifted(3))) as url:
            carrier = HttpCarrier(url, None, 10.0, CLOCK, lease_s=2.0)
            await carrier.open(Ends().__setitem__)
            assert carrier.clock_difference_s == pytest.approx(3, abs=0.5)
            assert carrier.refuses_late
            assert "differs from ours by +" in caplog.text
            await carrier.close()

    async def test_a_carrier_whose_clock_breaks_the_assumption_is_not_taken_to_refuse_late_rings(
        self, tmp_path: Path
    ) -> None:
        """It refuses by its own clock: a minute behind, it rings a minute late."""
        theirs = Shifted(-60)
        async with served(create_carrier_app(simulated(tmp_path, QUICK), theirs)) as url:
            carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, check_s=0.05)
            assert (carrier.refuses_late, carrier.clock_difference_s) == (False, None)
            await carrier.open(Ends().__setitem__)
            assert carrier.clock_difference_s == pytest.approx(-60, abs=0.5)
            assert not carrier.refuses_late
            theirs.ahead_s = 0.0
            await until(lambda: carrier.refuses_late)
            theirs.ahead_s = 60.0
            await until(lambda: not carrier.refuses_late)
            await carrier.close()

    async def test_other_terms_hold_from_the_next_check_on(self, tmp_path: Path) -> None:
        served_carrier = simulated(tmp_path, QUICK)
        async with served(create_carrier_app(served_carrier, CLOCK)) as url:
            carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, check_s=0.05)
            await carrier.open(Ends().__setitem__)
            assert (carrier.refuses_late, carrier.lookup_lag_s) == (True, 0.0)
            served_carrier.refuses_late, served_carrier.lookup_lag_s = False, 20.0
            await until(lambda: not carrier.refuses_late)
            assert carrier.lookup_lag_s == 20.0
            await carrier.close()


class Shifted(SystemClock):
    """A wall clock that is ahead by as much as a test says."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)


class Exchangeable:
    """An address at which one carrier process answers, and then another."""

    def __init__(self, *apps: FastAPI) -> None:
        self.apps, self.now = apps, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":  # Each has its own.
            async with AsyncExitStack() as stack:
                for app in self.apps:
                    await stack.enter_async_context(app.router.lifespan_context(app))
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await self.apps[self.now](scope, receive, send)


class TestAnotherCarrierBehindTheAddress:
    """Its process is replaced while a dialer runs: its answers count for its own calls alone."""

    @pytest.fixture
    async def there(self, tmp_path: Path) -> AsyncIterator[tuple[Exchangeable, HttpCarrier, Path]]:
        first, second = tmp_path / "first", tmp_path / "second"
        for folder in (first, second):
            folder.mkdir()
        apps = [create_carrier_app(simulated(folder, QUICK), CLOCK) for folder in (first, second)]
        behind = Exchangeable(*apps)
        async with served(behind) as url:  # type: ignore[arg-type]  # As good as an app.
            carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, check_s=300)
            await carrier.open(Ends().__setitem__)
            yield behind, carrier, second
            await carrier.close()

    async def test_it_takes_no_call_that_was_meant_for_the_other(
        self, there: tuple[Exchangeable, HttpCarrier, Path]
    ) -> None:
        behind, carrier, second = there
        before = carrier.id
        assert isinstance(await carrier.place(CALL, soon()), Rung)
        behind.now = 1
        assert await carrier.place(replace(CALL, call_id="b"), soon()) == Elsewhere()
        assert carrier.id not in (None, before)
        await until(lambda: carrier.refuses_late)  # It is asked for its terms at once.
        assert isinstance(await carrier.place(replace(CALL, call_id="c"), soon()), Rung)
        assert [call_id for call_id, _ in rings(second)] == ["c"]

    async def test_its_no_is_not_the_others(
        self, there: tuple[Exchangeable, HttpCarrier, Path]
    ) -> None:
        behind, carrier, _ = there
        before = carrier.id
        await carrier.place(CALL, soon())
        behind.now = 1
        with pytest.raises(CarrierUnavailableError):
            await carrier.look_up("a")
        assert carrier.id != before
        assert await carrier.look_up("a") == NotFound()  # Asked as itself, it says so.
        behind.now = 0
        with pytest.raises(CarrierUnavailableError):
            await carrier.hang_up("a")
        assert carrier.id == before

    async def test_an_answer_without_a_name_is_nobodys(self, tmp_path: Path) -> None:
        """A proxy's, or an older carrier's: that a phone rang is believed, and nothing else."""
        answers = {"PUT": ("no-ring", 200), "GET": ("not-found", 404)}
        app = FastAPI()

        @app.api_route("/calls/{call_id}", methods=["PUT", "GET"])
        async def call(request: Request) -> JSONResponse:
            state, status = answers[request.method]
            return JSONResponse({"state": state, "reason": "-", "began_at": str(soon())}, status)

        behind = Exchangeable(create_carrier_app(simulated(tmp_path, QUICK), CLOCK), app)
        async with served(behind) as url:  # type: ignore[arg-type]  # As good as an app.
            carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, check_s=300)
            await carrier.open(Ends().__setitem__)
            before, behind.now = carrier.id, 1
            for asking in (carrier.place(CALL, soon()), carrier.look_up("a")):
                with pytest.raises(CarrierUnavailableError):
                    await asking
            answers["PUT"] = ("ringing", 200)
            assert isinstance(await carrier.place(CALL, soon()), Rung)
            assert carrier.id == before
            await carrier.close()
