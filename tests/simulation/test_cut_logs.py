"""After a log was cut and has grown again no phone rings: the dialer stops before it decides."""

import asyncio
from pathlib import Path

import pytest

from campaigns.domain.facts import CampaignPaused
from campaigns.process.errors import LogCutError
from campaigns.process.virtual_time import run_virtually
from dialer.service import Dialer
from tests.simulation.test_dialing import HERE, SETTINGS, Bench, bench


async def grow(b: Bench, count: int) -> None:
    """Pause a campaign from a writer that has read nothing, and append other records after it."""
    await b.pause()
    for n in range(count - 1):
        await b.offer(CampaignPaused(campaign_id=1000 + n, reason=None, paused_at=b.clock.now()))


async def life(b: Bench, directory: Path, for_s: float) -> None:
    dialer = Dialer(b.log, b.clock, SETTINGS, directory, b.carrier)
    await dialer.open()
    running = asyncio.create_task(dialer.run())
    await asyncio.sleep(for_s)
    await dialer.drain()
    running.cancel()
    await asyncio.wait([running])
    await dialer.close()


@pytest.mark.parametrize("grown", [1, 20, 28, 60])
def test_a_dialer_that_begins_again_does_not_ring_by_what_it_remembers(
    tmp_path: Path, grown: int
) -> None:
    """It rang ten people after the 200 to a pause that its store knew nothing of."""

    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=1, calls_per_minute=60)
        await life(b, tmp_path, 10)
        assert len(b.log._records[HERE]) > 2 + 20
        del b.log._records[HERE][2:]
        b.carrier.rings.clear()
        await grow(b, grown)
        with pytest.raises(LogCutError, match=str(HERE)):
            await life(b, tmp_path, 10)
        assert not b.carrier.rings

    run_virtually(scenario())


@pytest.mark.parametrize("grown", [1, 28, 60])
def test_a_dialer_under_whom_it_happens_stops_before_it_rings(grown: int) -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=1, calls_per_minute=60)
        dialer = Dialer(b.log, b.clock, SETTINGS, None, b.carrier)
        await dialer.open()
        running = asyncio.create_task(dialer.run())
        await asyncio.sleep(10)
        del b.log._records[HERE][2:]
        b.carrier.rings.clear()
        await grow(b, grown)
        await asyncio.wait([running], timeout=10)
        with pytest.raises(ExceptionGroup) as stopped:
            running.result()
        assert stopped.group_contains(LogCutError)
        assert not b.carrier.rings

    run_virtually(scenario())


def test_a_dialer_whose_log_has_only_grown_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=1, calls_per_minute=60)
        await life(b, tmp_path, 10)
        rung = len(b.carrier.rings)
        await b.offer(CampaignPaused(campaign_id=1000, reason=None, paused_at=b.clock.now()))
        await life(b, tmp_path, 10)
        assert len(b.carrier.rings) > rung

    run_virtually(scenario())
