"""A carrier that is exchanged, or one for each dialer: no phone rings twice for one attempt."""

import asyncio
from collections import Counter

import pytest

from campaigns.domain.facts import CallAbandoned, CallEnded, CallRequested, CallStarted, Disposition
from campaigns.process.virtual_time import run_virtually
from dialer.carrier.port import Ended, Report
from dialer.service import Dialer
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import SETTINGS, Bench, bench


async def begun(b: Bench, carrier: ScriptedCarrier) -> tuple[Dialer, asyncio.Task[None]]:
    dialer = Dialer(b.log, b.clock, SETTINGS, None, carrier)
    await dialer.open()
    return dialer, asyncio.create_task(dialer.run())


async def ended(dialer: Dialer, running: "asyncio.Task[None]") -> None:
    await dialer.drain()
    running.cancel()
    await asyncio.wait([running])


async def killed(dialer: Dialer, running: "asyncio.Task[None]") -> None:
    dialer.reactions.stop()
    running.cancel()
    await asyncio.wait([running])


async def until_it_rings(carrier: ScriptedCarrier, rings: int) -> None:
    while len(carrier.rings) < rings:
        await asyncio.sleep(0.001)


def rung(*carriers: ScriptedCarrier) -> Counter[int]:
    return Counter(call.contact_id for carrier in carriers for _, call in carrier.rings)


@pytest.mark.parametrize("same", [False, True])
def test_a_restart_with_another_carrier_rings_nobody_again(same: bool) -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(20, max_concurrent_calls=5, calls_per_minute=600)
        old = b.carrier
        dialer, running = await begun(b, old)
        await until_it_rings(old, 5)
        await killed(dialer, running)  # As phones ring, before CallStarted stands.
        assert not b.of(CallStarted)
        new = old if same else ScriptedCarrier(b.clock)
        dialer, running = await begun(b, new)
        await asyncio.sleep(120)
        await ended(dialer, running)
        assert set(rung(*{id(c): c for c in (old, new)}.values()).values()) == {1}
        assert not b.of(CallAbandoned)
        unknown = [f for f in b.of(CallEnded) if f.disposition is Disposition.UNKNOWN]
        assert len(unknown) == (0 if same else 5)
        assert all(fact.retry_at is None for fact in unknown)
        assert {fact.carrier for fact in b.of(CallRequested)} == {old.id, new.id}

    run_virtually(scenario())


def test_two_dialers_with_a_carrier_each_ring_nobody_twice() -> None:
    """They should not run so, and are told; but it is not that which keeps the promise."""

    async def scenario() -> None:
        b = bench()
        await b.campaign(40, max_concurrent_calls=8)
        other = ScriptedCarrier(b.clock)
        b.carrier.set_up_s = other.set_up_s = 0.3  # Many are on their way when one is killed.
        lives = [await begun(b, b.carrier), await begun(b, other)]
        for _ in range(4):
            await asyncio.sleep(0.35)
            dialer, running = lives.pop(0)
            await killed(dialer, running)
            await asyncio.sleep(12.0)  # The other one takes its calls over.
            lives.append(await begun(b, dialer._carrier))  # type: ignore[arg-type]  # Scripted.
        await asyncio.sleep(120)
        for dialer, running in lives:
            await ended(dialer, running)
        assert set(rung(b.carrier, other).values()) <= {1}
        assert len(b.of(CallEnded)) == 40

    run_virtually(scenario())


def test_a_carrier_that_is_exchanged_while_calls_run_rings_nobody_again() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.set_up_s = 0.5
        await b.campaign(40, max_concurrent_calls=8, calls_per_minute=600)
        dialer, running = await begun(b, b.carrier)
        for name in ("second", "third", "second"):
            await asyncio.sleep(0.7)
            b.carrier.id = name  # As HttpCarrier finds out.
            b.carrier.calls.clear()
        await asyncio.sleep(200)
        await ended(dialer, running)
        assert set(rung(b.carrier).values()) <= {1}
        assert len(b.of(CallEnded)) == 40

    run_virtually(scenario())


def test_a_carrier_that_reports_while_a_dialer_opens_is_heard() -> None:
    """It may have been waiting for a dialer: a carrier process reports as soon as it can."""

    class Hasty(ScriptedCarrier):
        async def open(self, report: Report) -> None:
            await super().open(report)
            for call_id, state in self.calls.items():
                if isinstance(state, Ended):
                    report(call_id, state)

    async def scenario() -> None:
        b = bench()
        await b.campaign(20, max_concurrent_calls=5, calls_per_minute=600)
        carrier = Hasty(b.clock)
        dialer, running = await begun(b, carrier)
        await until_it_rings(carrier, 5)
        await killed(dialer, running)
        while not any(isinstance(state, Ended) for state in carrier.calls.values()):
            await asyncio.sleep(0.1)
        dialer, running = await begun(b, carrier)
        await asyncio.sleep(120)
        await ended(dialer, running)
        assert set(rung(carrier).values()) == {1}
        assert len(b.of(CallEnded)) == 20

    run_virtually(scenario())
