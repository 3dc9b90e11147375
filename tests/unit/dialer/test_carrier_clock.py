"""How far a carrier's clock may differ before a pause is best effort, by example."""

from datetime import datetime, timedelta

import pytest

from campaigns.process.virtual_time import NOON
from dialer.carrier.http.carrier_clock import WARN_AGAIN_S, CarrierClock

TIMEOUT_S, CHECK_S = 5.0, 10.0


class Bench:
    """Our clocks, set by the test, and a carrier's beside them."""

    def __init__(self) -> None:
        self.boot, self.ahead_s, self.theirs_ahead_s = 1000.0, 0.0, 0.0
        self.compared = CarrierClock(self, lease_s=2.0, timeout_s=TIMEOUT_S, check_s=CHECK_S)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.boot + self.ahead_s)

    def monotonic(self) -> float:
        return self.boot

    def boottime(self) -> float:
        return self.boot

    def compare(self, took_s: float = 0.0) -> None:
        asked_at = self.boot
        theirs = NOON + timedelta(seconds=self.boot + took_s / 2 + self.theirs_ahead_s)
        self.boot += took_s
        self.compared.compare(theirs, asked_at, self.boot)


def test_what_was_never_compared_does_not_agree() -> None:
    b = Bench()
    assert b.compared.difference_s is None
    assert not b.compared.agrees


@pytest.mark.parametrize(
    ("ahead_s", "agrees"),
    [(0.0, True), (4.999, True), (-4.999, True), (5.0, False), (-5.0, False), (-60.0, False)],
)
def test_clocks_agree_while_they_differ_by_less_than_the_carrier_timeout(
    ahead_s: float, agrees: bool
) -> None:
    b = Bench()
    b.theirs_ahead_s = ahead_s
    b.compare()
    assert b.compared.difference_s == pytest.approx(ahead_s, abs=1e-4)
    assert b.compared.agrees is agrees


def test_a_slow_answer_says_less() -> None:
    """It may have been written at any moment of the way: what remains possible counts."""
    b = Bench()
    b.theirs_ahead_s = 3.0
    b.compare(took_s=3.9)
    assert b.compared.agrees
    b.compare(took_s=4.1)
    assert not b.compared.agrees


def test_a_step_of_our_own_clock_shows_before_the_next_comparison() -> None:
    b = Bench()
    b.compare()
    b.ahead_s += 30.0
    assert b.compared.difference_s == pytest.approx(-30.0, abs=1e-4)
    assert not b.compared.agrees
    b.ahead_s -= 30.0
    assert b.compared.agrees


def test_a_comparison_that_is_old_says_nothing_and_a_new_one_does_again() -> None:
    b = Bench()
    b.compare()
    b.boot += 3 * CHECK_S + TIMEOUT_S
    assert b.compared.agrees
    b.boot += 0.001
    assert b.compared.difference_s is None
    assert not b.compared.agrees
    b.compare()
    assert b.compared.agrees


def test_another_carrier_is_not_known_by_the_clock_of_the_one_before() -> None:
    b = Bench()
    b.compare()
    b.compared.forget()
    assert not b.compared.agrees


def test_it_is_warned_about_once_in_a_while_and_again_when_it_recurs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    b = Bench()
    b.theirs_ahead_s = -60.0
    for _ in range(int(WARN_AGAIN_S / CHECK_S)):
        b.compare()
        b.boot += CHECK_S
    assert len(caplog.records) == 1
    assert "best effort" in caplog.text
    b.compare()
    assert len(caplog.records) == 2
    b.theirs_ahead_s = 0.0
    b.compare()
    b.theirs_ahead_s = 1.5  # More than half a lease: said, and still strict.
    b.compare()
    assert len(caplog.records) == 3
    assert "best effort" not in caplog.records[-1].getMessage()
