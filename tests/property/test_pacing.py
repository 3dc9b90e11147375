"""The limit holds in any sliding minute, however greedily a dialer asks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.domain.rate import Bucket, burst

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
limits = st.sampled_from([1, 2, 7, 10, 59, 60, 61, 119, 120, 600])
rests = st.sampled_from([0, 0, 0, 1, 17, 60_000_000, 3_600_000_000])  # Microseconds more.


def asked(limit: int, more: list[int]) -> list[datetime]:
    """Ask whenever a token is there, at the earliest microsecond, and rest a while at times."""
    bucket, now, found = Bucket(), NOON, list[datetime]()
    for rest_us in more:
        now += timedelta(microseconds=rest_us)
        while int(bucket.left(limit, now)) < 1:
            now = max(bucket.next_at(limit, now, 0), now + timedelta(microseconds=1))
        bucket.spend(limit, now)
        found.append(now)
    return found


@settings(max_examples=150, deadline=None)
@example(60, [0] * 200)
@example(600, [0] * 1500)
@example(1, [0] * 5)
@given(limits, st.lists(rests, min_size=1, max_size=400))
def test_the_limit_holds_in_any_sliding_minute(limit: int, more: list[int]) -> None:
    found = asked(limit, more)
    first = 0
    for last, at in enumerate(found):
        while found[first] <= at - MINUTE:
            first += 1
        assert last - first + 1 <= limit


def test_the_limit_is_used_but_for_the_burst() -> None:
    for limit in (1, 10, 60, 600):
        found = asked(limit, [0] * (10 * limit))
        minutes = (found[-1] - found[0]) / MINUTE
        assert len(found) / minutes >= limit - burst(limit), "pacing is no idling"


@given(limits, st.lists(st.integers(-200, 200), min_size=1, max_size=50), st.integers(-100, 100))
def test_a_request_costs_one_token_whatever_the_clock_does(
    limit: int, steps: list[int], later: int
) -> None:
    """`spend` writes out what `left` says."""
    bucket, now = Bucket(), NOON
    for step_s in steps:
        now += timedelta(seconds=step_s)
        before = bucket.left(limit, now)
        bucket.spend(limit, now)
        assert bucket.tokens == pytest.approx(before - 1)
    assert bucket.left(limit, now + timedelta(seconds=later)) <= burst(limit)
