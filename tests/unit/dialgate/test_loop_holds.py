"""What holds the event loop is measured, and said once."""

import asyncio
import contextlib
import time

import pytest

from dialgate.loop_holds import HOLD_S, HOLD_WARN_S, LOOK_S, measure


def longer(than_s: float) -> float:
    """Return how many holds were longer, of those measured until now."""
    (metric,) = HOLD_S.collect()
    by = {one.labels.get("le"): one.value for one in metric.samples if one.name.endswith("bucket")}
    return float(by["+Inf"] - by[str(than_s)])


async def measured(hold_s: float, times: int) -> None:
    measuring = asyncio.create_task(measure())
    for _ in range(times):
        await asyncio.sleep(2 * LOOK_S)
        time.sleep(hold_s)  # The hold itself.
        await asyncio.sleep(2 * LOOK_S)
    measuring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await measuring


def test_a_hold_is_measured_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    before = longer(HOLD_WARN_S)
    asyncio.run(measured(HOLD_WARN_S + 2 * LOOK_S, 3))
    assert longer(HOLD_WARN_S) - before == 3
    said = [record.getMessage() for record in caplog.records if "held for" in record.getMessage()]
    assert len(said) == 1
    assert float(said[0].split()[-2]) >= HOLD_WARN_S
