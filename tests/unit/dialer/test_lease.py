"""The lease, to the edge."""

from datetime import UTC, datetime, timedelta

from dialer.calls.lease import began_late, may_begin, not_found_counts_at, rang_late, ring_by

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_no_ring_begins_later_than_the_lease_after_the_request() -> None:
    assert ring_by(NOON, 2.5) == NOON + timedelta(seconds=2.5)


def test_a_call_may_begin_within_its_lease_and_not_at_its_end() -> None:
    assert may_begin(100.0, 2.0, 100.0)
    assert may_begin(100.0, 2.0, 101.999)
    assert not may_begin(100.0, 2.0, 102.0)
    assert not may_begin(100.0, 2.0, 1000.0)


def test_a_ring_is_late_when_no_barrier_waits_for_it_any_more() -> None:
    assert not rang_late(100.0, 2.0, 5.0, 107.0)
    assert rang_late(100.0, 2.0, 5.0, 107.001)


def test_not_found_counts_once_lease_timeout_and_lag_have_passed() -> None:
    assert not_found_counts_at(100.0, 2.0, 5.0, 0.5) == 107.5


def test_what_may_begin_is_never_late() -> None:
    for now in (100.0, 101.0, 101.9999):
        assert may_begin(100.0, 2.0, now)
        assert not rang_late(100.0, 2.0, 0.001, now)


def test_a_ring_began_late_by_the_carriers_instant_when_every_barrier_had_given_up() -> None:
    latest = ring_by(NOON, 2.0)
    assert not began_late(latest + timedelta(seconds=5), latest, 5.0)
    assert began_late(latest + timedelta(seconds=5, microseconds=1), latest, 5.0)
