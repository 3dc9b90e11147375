"""What a carrier declares while a dialer runs: it holds from the next permission on."""

import asyncio
from datetime import datetime

import pytest

from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from campaigns.process.virtual_time import run_virtually
from dialer.carrier.port import CallOrder, Placed
from dialer.service import Dialer
from dialgate.metrics import exposition
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import SETTINGS, Bench, bench, dialing

OVER_S = SETTINGS.lease_s + SETTINGS.carrier_timeout_s


def guarantee(dialer: Dialer) -> object:
    return receipt_shape(dialer.campaigns.by_id[42], None)["guarantee"]


def test_a_carrier_that_no_longer_refuses_late_rings_is_best_effort_at_once() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(60, max_concurrent_calls=5, calls_per_minute=60)
        async with dialing(b) as dialer:
            await asyncio.sleep(5.5)  # Between two requests.
            assert guarantee(dialer) == "strict"
            before = len(b.of(CallRequested))
            b.carrier.refuses_late = False
            await asyncio.sleep(5.5)  # Between two requests.
            said = [fact.refuses_late for fact in b.of(CallRequested)]
            assert said[:before] == [True] * before
            assert said[before:]
            assert not any(said[before:])
            assert guarantee(dialer) == "best effort"
            b.carrier.refuses_late = True
            await asyncio.sleep(5.5)  # Between two requests.
            assert b.of(CallRequested)[-1].refuses_late

    run_virtually(scenario())


def test_clocks_that_do_not_agree_any_more_are_no_reason_to_trust_a_carrier() -> None:
    """As HttpCarrier does it: what it declares falls with the clocks, and comes back with them."""

    async def scenario() -> None:
        b = bench()
        await b.campaign(60, max_concurrent_calls=5, calls_per_minute=60)
        async with dialing(b):
            for agree in (True, False, True):
                b.carrier.refuses_late = b.carrier.clocks_agree = agree
                await asyncio.sleep(5.5)  # Between two requests.
                assert b.of(CallRequested)[-1].refuses_late is agree

    run_virtually(scenario())


class Slow(ScriptedCarrier):
    """The network holds requests back for `hold_s`, and then they ring however late it is."""

    hold_s = OVER_S + 3.0

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        return await asyncio.shield(asyncio.create_task(self._later(call, ring_by)))

    async def _later(self, call: CallOrder, ring_by: datetime) -> Placed:
        await asyncio.sleep(self.hold_s)
        return await super().place(call, ring_by.replace(year=2100))


def slow_bench() -> Bench:
    b = bench()
    b.carrier = Slow(b.clock)
    b.carrier.lookup_lag_s = 20.0  # Nobody believes "not found" before it rings.
    b.carrier.talk_s = 30.0
    return b


@pytest.mark.parametrize("again", [False, True])
def test_a_ring_that_was_permitted_as_strict_is_judged_by_what_the_carrier_has_been(
    again: bool,
) -> None:
    async def scenario() -> None:
        b = slow_bench()
        await b.campaign(1)
        async with dialing(b):
            await asyncio.sleep(1)
            (request,) = b.of(CallRequested)
            assert request.refuses_late
            b.carrier.refuses_late = False  # Restarted with other settings before it rings …
            await asyncio.sleep(1)
            b.carrier.refuses_late = again  # … and perhaps back again, once it has taken the call.
            await asyncio.sleep(28)
            assert b.carrier.hung_up[:1] == [request.call_id]
        assert [fact.reason for fact in b.of(CallAbandoned)][:1] == [Abandonment.RANG_LATE]
        assert b.of(CallLate)
        assert not b.of(CallStarted)

    run_virtually(scenario())


@pytest.mark.parametrize(("first_s", "then_s"), [(0.0, 20.0), (20.0, 0.0)])
def test_not_found_waits_for_the_longest_lag_that_the_carrier_has_had(
    first_s: float, then_s: float
) -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.lookup_lag_s = first_s
        b.carrier.outcome = lambda _: None  # Silent, and never rings.
        await b.campaign(1)
        async with dialing(b):
            await asyncio.sleep(1)
            b.carrier.lookup_lag_s = then_s
            await asyncio.sleep(60)
        request, abandoned = b.of(CallRequested)[0], b.of(CallAbandoned)[0]
        assert abandoned.reason is Abandonment.NOT_PLACED
        waited_s = (abandoned.abandoned_at - request.requested_at).total_seconds()
        assert OVER_S + 20.0 <= waited_s <= OVER_S + 21.0

    run_virtually(scenario())


def test_a_carrier_that_no_longer_says_not_found_for_certain_is_not_believed() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.outcome = lambda _: None
        await b.campaign(1)
        async with dialing(b):
            await asyncio.sleep(1)
            b.carrier.lookup_lag_s = None
            await asyncio.sleep(60)
        assert not b.of(CallAbandoned)
        assert [fact.disposition for fact in b.of(CallEnded)] == [Disposition.UNKNOWN]

    run_virtually(scenario())


def test_a_carrier_that_takes_fewer_calls_at_once_gets_no_more_of_them() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.set_up_s = 1.0
        await b.campaign(200, max_concurrent_calls=50)
        async with dialing(b) as dialer:
            await asyncio.sleep(3)
            assert len(dialer.state.placing) > 10
            b.carrier.placing_max = 3
            await asyncio.sleep(3)
            for _ in range(100):
                assert len(dialer.state.placing) <= 3
                await asyncio.sleep(0.05)

    run_virtually(scenario())


def test_an_operator_sees_whether_the_carrier_is_strict_and_how_far_its_clock_is() -> None:
    async def scenario() -> None:
        b = bench()
        async with dialing(b) as dialer:
            b.carrier.clock_difference_s = -1.5
            text = exposition([dialer])[0].decode()
            assert 'dialgate_carrier_strict{part="dialer"} 1.0' in text
            assert 'dialgate_carrier_clock_difference_seconds{part="dialer"} -1.5' in text
            b.carrier.refuses_late, b.carrier.clock_difference_s = False, None
            text = exposition([dialer])[0].decode()
            assert 'dialgate_carrier_strict{part="dialer"} 0.0' in text
            assert "dialgate_carrier_clock_difference_seconds{" not in text

    run_virtually(scenario())
