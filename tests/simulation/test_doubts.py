"""A ring that begins long after its call was given back, and that no living dialer heard of."""

import asyncio
from datetime import datetime

from campaigns.domain.facts import Abandonment, CallAbandoned, CallLate
from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.virtual_time import run_virtually
from dialer.calls.rechecks import REST_S, ROUND_S
from dialer.carrier.port import CallOrder, Placed
from tests.simulation.test_dialing import bench, dialing


def test_a_dialer_that_stays_finds_a_late_ring_that_nobody_tells_it_of() -> None:
    """The report went to a dialer that died of it; this one neither starts nor gains anything."""

    async def scenario() -> None:
        b = bench()
        b.carrier.refuses_late, b.carrier.talk_s, b.carrier.deaf = False, 3600.0, True
        await b.campaign(1)
        place, ringing = b.carrier.place, list[asyncio.Task[Placed]]()

        async def forgetful(call: CallOrder, ring_by: datetime) -> Placed:
            b.carrier.set_up_s = 30.0  # It knows nothing of the call until then.
            ringing.append(asyncio.create_task(place(call, ring_by)))
            b.carrier.place = silent  # type: ignore[method-assign]
            raise CarrierUnavailableError("the answer was lost")

        async def silent(call: CallOrder, ring_by: datetime) -> Placed:
            raise CarrierUnavailableError("silent, and it never rings")

        b.carrier.place = forgetful  # type: ignore[method-assign]
        async with dialing(b):
            await asyncio.sleep(30.0)
            given_back = b.of(CallAbandoned)[0]
            assert given_back.reason is Abandonment.NOT_PLACED
            assert not b.carrier.hung_up
            await asyncio.sleep(REST_S + ROUND_S + 1.0)
            assert b.carrier.hung_up == [given_back.call_id]
            (late,) = b.of(CallLate)
            assert late.call_id == given_back.call_id == b.carrier.rings[0][1].call_id

    run_virtually(scenario())
