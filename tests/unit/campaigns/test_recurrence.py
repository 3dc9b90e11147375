"""When runs begin: wall-clock times of a place as instants, by example."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from campaigns.domain.recurrence import first_day, instant_of, next_run
from campaigns.domain.values.schedule import Frequency, Recurrence
from campaigns.domain.zones import zone

NEW_YORK = "America/New_York"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # A Monday; 07:00 in New York.


def recurrence(frequency: str = "daily", **more: object) -> Recurrence:
    fields = {"frequency": Frequency(frequency), "time": "09:00", "time_zone": NEW_YORK}
    return Recurrence.validated(fields | {"first_day": date(2026, 3, 2)} | more)


def runs(of: Recurrence, count: int, after: datetime = NOON) -> list[str]:
    """Return the next runs, as the clock at the place shows them."""
    found: list[str] = []
    while len(found) < count and (at := next_run(of, after)) is not None:
        found.append(f"{at.astimezone(zone(of.time_zone)):%m-%d %H:%M}")
        after = at
    return found


def test_a_daily_run_keeps_its_time_of_day_when_clocks_change() -> None:
    assert runs(recurrence(), 3) == ["03-02 09:00", "03-03 09:00", "03-04 09:00"]
    before, behind = (
        next_run(recurrence(), datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (7, 8)
    )
    assert before == datetime(2026, 3, 7, 14, 0, tzinfo=UTC)
    assert behind == datetime(2026, 3, 8, 13, 0, tzinfo=UTC), "summer time"


def test_intervals_count_from_the_first_day() -> None:
    assert runs(recurrence(interval=3), 3) == ["03-02 09:00", "03-05 09:00", "03-08 09:00"]
    later = NOON + timedelta(days=100)
    (found, *_) = runs(recurrence(interval=3), 1, later)
    assert (date(2026, *map(int, found[:5].split("-"))) - date(2026, 3, 2)).days % 3 == 0


def test_a_weekly_run_comes_on_its_days_every_so_many_weeks() -> None:
    of = recurrence("weekly", days_of_week=[3, 1], interval=2)
    assert runs(of, 4) == ["03-02 09:00", "03-04 09:00", "03-16 09:00", "03-18 09:00"]
    assert runs(recurrence("weekly"), 2) == ["03-02 09:00", "03-09 09:00"], "the first run's day"


def test_no_run_comes_before_the_first_day() -> None:
    of = recurrence("weekly", days_of_week=[1, 3], first_day=date(2026, 3, 4))
    assert runs(of, 2) == ["03-04 09:00", "03-09 09:00"]


def test_a_day_beyond_the_months_end_is_its_last() -> None:
    of = recurrence("monthly", day_of_month=31, first_day=date(2026, 1, 31))
    assert runs(of, 3) == ["03-31 09:00", "04-30 09:00", "05-31 09:00"]
    february = datetime(2028, 2, 1, tzinfo=UTC)
    assert runs(of, 1, february) == ["02-29 09:00"]
    assert runs(recurrence("monthly", interval=2), 2) == ["03-02 09:00", "05-02 09:00"]


def test_the_last_day_is_inclusive() -> None:
    assert runs(recurrence(end_date="2026-03-03"), 9) == ["03-02 09:00", "03-03 09:00"]


def test_the_first_run_is_the_next_that_suits() -> None:
    for frequency, more, day in (
        ("daily", {}, 2),
        ("daily", {"time": "06:00"}, 3),
        ("weekly", {"days_of_week": [5, 7]}, 6),
        ("weekly", {"time": "06:00"}, 3),
        ("monthly", {"day_of_month": 31}, 31),
        ("monthly", {}, 2),
    ):
        found = first_day(recurrence(frequency, **more), NOON)
        assert found == date(2026, 3, day), (frequency, more)
    assert first_day(recurrence(end_date="2026-03-01"), NOON) is None


def test_the_first_run_may_begin_at_the_very_instant_that_is_asked_for() -> None:
    nine = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    for frequency, more in (
        ("daily", {}),
        ("daily", {"interval": 30}),
        ("daily", {"end_date": "2026-03-02"}),
        ("weekly", {}),
        ("weekly", {"days_of_week": [1]}),
        ("monthly", {}),
        ("monthly", {"day_of_month": 2}),
    ):
        of = recurrence(frequency, **more)
        assert first_day(of, nine, itself=True) == date(2026, 3, 2), (frequency, more)
        assert first_day(of, nine) != date(2026, 3, 2), "after it"


def test_a_local_time_that_is_skipped_moves_to_the_first_valid_instant() -> None:
    place = zone(NEW_YORK)
    found = instant_of(date(2026, 3, 8), time(2, 30), place)
    assert found == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert found.astimezone(place).hour == 3


def test_of_a_local_time_that_there_is_twice_the_first_counts() -> None:
    found = instant_of(date(2026, 11, 1), time(1, 30), zone(NEW_YORK))
    assert found == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_each_next_run_is_later_and_none_is_left_out() -> None:
    """Against looking at every day."""
    for of in (
        recurrence(interval=4),
        recurrence("weekly", days_of_week=[2, 6], interval=3, first_day=date(2026, 3, 3)),
        recurrence("monthly", day_of_month=30, interval=5, first_day=date(2026, 3, 30)),
    ):
        begin, found = datetime(2026, 3, 1, tzinfo=UTC), list[datetime]()
        while len(found) < 40 and (at := next_run(of, begin)):
            found.append(at)
            begin = at
        asked = {next_run(of, found[0] + timedelta(hours=6 * n)) for n in range(4 * 365)}
        span = {at for at in asked if at is not None and at <= found[-1]}
        assert span <= set(found), of
        assert all(earlier < later for earlier, later in pairwise(found))
