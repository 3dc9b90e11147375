"""The windows in which a campaign may call, by example: over midnight, to the end of a day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.domain.zones import zone
from campaigns.gates.hours import closes_at, opens_of

NEW_YORK, BEIRUT = "America/New_York", "Asia/Beirut"
FRIDAY = (5,)
WEEK = (1, 2, 3, 4, 5, 6, 7)


def hours(start: str, end: str, days: tuple[int, ...], place: str = "UTC") -> CallingHours:
    return CallingHours(start=start, end=end, days=days, time_zone=place)


def local(text: str, place: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone(place)).astimezone(UTC)


@pytest.mark.parametrize("place", ["UTC", NEW_YORK, "Asia/Kolkata", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-27T21:59", "2026-11-27T22:00"),  # A Friday.
        ("2026-11-27T22:00", None),
        ("2026-11-27T23:59", None),
        ("2026-11-28T00:00", None),
        ("2026-11-28T05:59", None),
        ("2026-11-28T06:00", "2026-12-04T22:00"),
        ("2026-11-27T03:00", "2026-11-27T22:00"),  # Thursday's would be open.
        ("2026-11-28T23:00", "2026-12-04T22:00"),  # Saturday's too.
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(
    now: str, opens: str | None, place: str
) -> None:
    at = local(now, place)
    found = opens_of(hours("22:00", "06:00", FRIDAY, place), at)
    assert found == (at if opens is None else local(opens, place))


@pytest.mark.parametrize(
    ("end", "now", "opens"),
    [
        ("24:00", "2026-11-27T23:59:59", None),
        ("24:00", "2026-11-28T00:00", "2026-12-04T09:00"),
        ("00:00", "2026-11-27T23:59:59", None),
        ("00:00", "2026-11-28T00:00", "2026-12-04T09:00"),
        ("23:59", "2026-11-27T23:59", "2026-12-04T09:00"),
        ("08:59", "2026-11-28T08:58", None),
    ],
)
def test_a_window_may_last_until_its_day_is_over(end: str, now: str, opens: str | None) -> None:
    at = local(now, NEW_YORK)
    found = opens_of(hours("09:00", end, FRIDAY, NEW_YORK), at)
    assert found == (at if opens is None else local(opens, NEW_YORK))


def test_a_whole_day_every_day_is_always_open() -> None:
    begin = datetime(2026, 3, 27, tzinfo=UTC)  # Clocks change in Beirut, at midnight.
    for place in ("UTC", NEW_YORK, BEIRUT):
        for minutes in range(0, 4 * 24 * 60, 7):
            at = begin + timedelta(minutes=minutes)
            assert opens_of(hours("00:00", "24:00", WEEK, place), at) == at


def test_a_window_ends_when_its_day_does_where_midnight_is_skipped() -> None:
    """On 29 March 2026 clocks in Beirut jump from 00:00 to 01:00."""
    saturday = date(2026, 3, 28)
    assert closes_at(hours("22:00", "24:00", (6,), BEIRUT), saturday, zone(BEIRUT)) == datetime(
        2026, 3, 28, 22, tzinfo=UTC
    )
    assert closes_at(hours("22:00", "00:30", (6,), BEIRUT), saturday, zone(BEIRUT)) == datetime(
        2026, 3, 28, 22, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("day", "length_h"), [(date(2026, 3, 7), 7), (date(2026, 10, 31), 9), (date(2026, 6, 1), 8)]
)
def test_a_night_in_which_clocks_change_is_as_long_as_clocks_say(day: date, length_h: int) -> None:
    night, place = hours("22:00", "06:00", WEEK, NEW_YORK), zone(NEW_YORK)
    begins = local(f"{day}T22:00", NEW_YORK)
    assert closes_at(night, day, place) - begins == timedelta(hours=length_h)


def test_hours_of_a_place_that_this_machine_does_not_know_are_shut() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert opens_of(hours("00:00", "24:00", WEEK, "Mars/Base"), now) > now
