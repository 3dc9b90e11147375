"""Wall clocks stepped under a running process (libfaketime): hours off, and off by what we allow.

The promise rests on clocks that nobody can set; only `ring_by` is a time of day, and for it dialer
and carrier may differ by less than the carrier timeout (ADR-0004).
"""

import os
import time
from pathlib import Path

import pytest

from tests.e2e.test_faults import (
    CARRIER_TIMEOUT_S,
    LONG_S,
    finished,
    late_requests,
    refused_late,
)
from tests.support.broker import required
from tests.support.client import Client, handled
from tests.support.system import PARTS, Process, System

pytestmark = pytest.mark.e2e

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # Where Debian's package `faketime` has it.
HOUR_S = 3600.0


@pytest.fixture(scope="session")
def faketime() -> Path:
    """Return the library that is loaded before libc; loud where it is missing."""
    if found := sorted(Path("/").glob(LIBRARIES.removeprefix("/"))):
        return found[0]
    reason = "no clock can be stepped: install faketime (apt-get install faketime)"
    if required(os.environ):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class WallClock:
    """The wall clock of one process; its other clocks are the machine's."""

    def __init__(self, process: Process, folder: Path, faketime: Path) -> None:
        """Give a process that is not started yet a clock of its own, right at first."""
        self._file = folder / f"{process.verb}.clock"
        self.step(0.0)
        process.environment |= {
            "LD_PRELOAD": str(faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Or waits on the monotonic clock return at once, and threads fight for the interpreter.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def step(self, seconds: float) -> None:
        """Step it to this distance from the right time."""
        staged = self._file.with_suffix(".staged")
        staged.write_text(f"{seconds:+.3f}")
        staged.rename(self._file)


def goes_on(client: Client, campaign: int) -> None:
    """Return once some calls have ended that had not."""
    before = client.done(campaign)
    client.wait_until(campaign, lambda found: handled(found) > before + 3)


def test_clocks_stepped_by_an_hour_keep_a_pause_true_and_calls_going(
    tmp_path: Path, faketime: Path
) -> None:
    system = System(tmp_path, "parts")
    clocks = {verb: WallClock(system[verb], tmp_path, faketime) for verb in PARTS[1:]}
    with system, system.client() as client:
        campaign = client.create(250, concurrent=10, calls_per_minute=1200)  # 20 a second.
        client.start(campaign)
        goes_on(client, campaign)
        for verb, clock in clocks.items():
            for seconds in (HOUR_S, -HOUR_S, 0.0):
                clock.step(seconds)
                assert client.pause(campaign), f"{verb} {seconds:+} s: paused in the middle"
                client.wait_until(campaign, lambda found: found["in_progress_contacts"] == 0)
                assert client.status(campaign) == "paused"
                client.resume(campaign)
                if verb == "dialer" and seconds < 0:
                    time.sleep(LONG_S)  # Each call comes late by its own terms: none may ring.
                else:
                    goes_on(client, campaign)
        client.hurry(campaign)
        report = finished(system, client, [campaign], rings=250, pauses=9)
    assert report.abandoned, "vacuous: no call was late for a dialer whose clock is behind"
    assert refused_late(system), "vacuous: the carrier refused none of them"


def test_clocks_that_differ_by_less_than_the_carrier_timeout_let_no_late_request_ring(
    tmp_path: Path, faketime: Path
) -> None:
    """By the dialer's clock, its requests have almost a carrier timeout longer to ring."""
    system = System(tmp_path, "parts")
    clock = WallClock(system["dialer"], tmp_path, faketime)
    clock.step(0.9 * CARRIER_TIMEOUT_S)
    report, held = late_requests(system)
    report.assert_clean(rings=150, pauses=1)
    assert refused_late(system) >= 4, f"vacuous: {held} requests were held"
