"""The token bucket, by example."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.domain.rate import Bucket, burst, refill_per_s

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("limit", "calls"), [(1, 1), (10, 1), (60, 1), (119, 1), (120, 2), (6000, 100), (60_000, 1000)]
)
def test_the_burst_is_one_seconds_worth_and_at_least_one(limit: int, calls: int) -> None:
    assert burst(limit) == calls


@pytest.mark.parametrize("limit", [1, 10, 60, 6000, 60_000])
def test_burst_and_a_minutes_refill_make_one_more_than_the_limit(limit: int) -> None:
    assert burst(limit) + 60 * refill_per_s(limit) == pytest.approx(limit + 1)


def test_a_bucket_is_full_before_the_first_request() -> None:
    assert Bucket().left(120, NOON) == 2


def test_a_request_takes_a_token_and_time_brings_it_back() -> None:
    bucket = Bucket()
    bucket.spend(60, NOON)
    assert bucket.left(60, NOON) == 0
    assert bucket.left(60, at(0.5)) == pytest.approx(0.5)
    assert bucket.left(60, at(1)) == 1
    assert bucket.left(60, at(3600)) == 1, "never more than the burst"


def test_others_requests_may_overdraw_it() -> None:
    bucket = Bucket()
    for _ in range(3):
        bucket.spend(60, NOON)
    assert bucket.left(60, NOON) == -2
    assert bucket.left(60, at(3)) == 1


def test_a_clock_that_was_set_back_a_little_refills_nothing() -> None:
    bucket = Bucket()
    bucket.spend(60, NOON)
    assert bucket.left(60, at(-30)) == 0
    bucket.spend(60, at(-30))
    assert (bucket.tokens, bucket.at) == (-1, NOON.timestamp())


def test_a_clock_that_was_set_back_by_hours_does_not_stop_the_calls_for_hours() -> None:
    """A dialer's clock was an hour ahead for a moment: there were no calls in the next hour."""
    bucket = Bucket()
    bucket.spend(60, at(3600))
    assert bucket.left(60, NOON) == 1
    bucket.spend(60, NOON)
    assert (bucket.tokens, bucket.at) == (0, NOON.timestamp())
    assert bucket.next_at(60, NOON, 0) == at(1)


def test_the_next_request_is_when_one_more_than_those_on_their_way_fit() -> None:
    bucket = Bucket()
    assert bucket.next_at(60, NOON, 0) == NOON
    bucket.spend(60, NOON)
    assert bucket.next_at(60, NOON, 0) == at(1)
    assert bucket.next_at(60, NOON, 2) == at(3)


def test_what_another_clock_has_requested_ahead_is_waited_for() -> None:
    bucket = Bucket()
    bucket.spend(60, at(3))
    next_at = bucket.next_at(60, NOON, 0)
    assert next_at == at(4)
    assert bucket.left(60, next_at) == 1
    assert bucket.left(60, at(3.9)) < 1
