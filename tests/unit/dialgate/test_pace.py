"""When events are due, by their records' times."""

from datetime import timedelta

from campaigns.testing.sample_records import NOON
from dialgate.events.pace import Pace


def due(pace: Pace, *after_s: float) -> list[float]:
    return [pace.due(NOON + timedelta(seconds=one), 100.0 + n) for n, one in enumerate(after_s)]


def test_at_speed_one_events_are_as_far_apart_as_they_were() -> None:
    assert due(Pace(1.0, 60.0), 0, 5, 5, 7.5) == [100, 105, 105, 107.5]


def test_at_speed_ten_they_are_ten_times_as_close() -> None:
    assert due(Pace(10.0, 60.0), 0, 5, 25) == [100, 100.5, 102.5]


def test_a_wait_is_never_longer_than_its_bound() -> None:
    assert due(Pace(1.0, 60.0), 0, 3600, 3601) == [100, 160, 161]
    assert due(Pace(10.0, 60.0), 0, 86_400) == [100, 160]


def test_a_clock_that_was_set_back_makes_no_wait_and_none_is_waited_for_twice() -> None:
    assert due(Pace(1.0, 60.0), 0, 10, 2, 11) == [100, 110, 110, 111]


def test_at_full_speed_nothing_is_waited_for() -> None:
    pace = Pace(None, 60.0)
    assert due(pace, 0, 10) == [100, 100]
    assert not pace.waits(5.0)
    assert Pace(1.0, 60.0).waits(5.0)
