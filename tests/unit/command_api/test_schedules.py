"""What schedules look like, in all their spellings, by example."""

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.facts import CallingHours, Frequency, Schedule
from command_api.schedules import (
    UnusableScheduleError,
    parse_embedded,
    parse_hours,
    parse_schedule,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # A Monday; 07:00 in New York.
NEW_YORK = "America/New_York"
WEEKLY = {"frequency": "weekly", "days_of_week": [1, 3], "time": "09:00", "time_zone": NEW_YORK}


def once(at: str, time_zone: str = "UTC") -> Schedule:
    return Schedule(first_at=datetime.fromisoformat(at), time_zone=time_zone)


@pytest.mark.parametrize("kind", ["scheduled", "once"])
@pytest.mark.parametrize(
    ("at", "time_zone", "expected"),
    [
        ("2026-03-02T14:00:00Z", NEW_YORK, "2026-03-02T14:00:00+00:00"),
        ("2026-03-02T09:00:00", NEW_YORK, "2026-03-02T14:00:00+00:00"),
        ("2026-03-02T09:00:00+02:00", NEW_YORK, "2026-03-02T07:00:00+00:00"),
        ("2026-03-02T09:00:00", None, "2026-03-02T09:00:00+00:00"),
    ],
)
def test_an_offset_wins_and_otherwise_it_is_local_time(
    kind: str, at: str, time_zone: str | None, expected: str
) -> None:
    given = {"schedule_type": kind, "scheduled_at": at, "timezone": time_zone}
    assert parse_schedule(given, NOW) == once(expected, time_zone or "UTC")


def test_immediate_is_no_schedule() -> None:
    assert parse_schedule({"schedule_type": "immediate", "timezone": "nonsense"}, NOW) is None
    assert parse_embedded(None, NOW) is None
    assert parse_embedded({"timezone": "UTC", "days_of_week": []}, NOW) is None


def test_a_recurring_one_begins_with_the_next_day_that_suits() -> None:
    found = parse_schedule({"schedule_type": "recurring", "recurring_config": WEEKLY}, NOW)
    assert found is not None
    assert found.first_at == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    assert found.recurrence is not None
    assert (found.recurrence.frequency, found.recurrence.interval) == (Frequency.WEEKLY, 1)
    assert found.recurrence.days_of_week == (1, 3)
    later = {"scheduled_at": "2026-03-03T00:00:00Z", "schedule_type": "recurring"}
    found = parse_schedule(later | {"recurring_config": WEEKLY}, NOW)
    assert found is not None
    assert found.first_at == datetime(2026, 3, 4, 14, 0, tzinfo=UTC), "not before scheduled_at"


def test_the_sdks_embedded_week_counts_its_days_from_0() -> None:
    for given in (
        {"schedule_type": "recurring", "days_of_week": [0, 2], "start_time": "09:00",
         "end_time": "17:00", "timezone": NEW_YORK},
        {"scheduleType": "recurring", "daysOfWeek": [0, 2], "startTime": "09:00",
         "endTime": "17:00", "timezone": NEW_YORK},
    ):  # fmt: skip
        found = parse_embedded(given, NOW)
        assert found is not None
        assert found.recurrence is not None
        assert found.recurrence.days_of_week == (1, 3)
        assert found.hours == CallingHours(
            start="09:00", end="17:00", days=(1, 2, 3, 4, 5, 6, 7), time_zone=NEW_YORK
        )


def test_without_a_start_time_the_time_of_scheduled_at_counts() -> None:
    given = {"schedule_type": "recurring", "scheduled_at": "2026-03-03T14:30:00Z"}
    found = parse_embedded(given | {"timezone": NEW_YORK}, NOW)
    assert found is not None
    assert found.recurrence is not None
    assert (found.recurrence.time, found.hours) == ("09:30", None)


def test_what_is_shown_is_taken_back() -> None:
    shown = {
        "schedule_type": "recurring",
        "scheduled_at": "2026-03-02T14:00:00+00:00",
        "timezone": NEW_YORK,
        "days_of_week": [0, 2],
        "start_time": None,
        "end_time": None,
        "recurring_config": {**WEEKLY, "interval": 1, "day_of_month": None, "end_date": None},
    }
    found = parse_embedded(shown, NOW)
    assert found is not None
    assert found.recurrence is not None
    assert found.recurrence.days_of_week == (1, 3)


UNUSABLE: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("schedule_type",)),
    ({"schedule_type": "sometimes"}, ("schedule_type",)),
    ({"schedule_type": ["scheduled"]}, ("schedule_type",)),
    ({"schedule_type": "scheduled"}, ("scheduled_at",)),
    ({"schedule_type": "scheduled", "scheduled_at": "soon"}, ("scheduled_at",)),
    ({"schedule_type": "scheduled", "scheduled_at": 17}, ("scheduled_at",)),
    ({"schedule_type": "scheduled", "scheduled_at": "9999-12-31T23:59:59-12:00"},
     ("scheduled_at",)),
    ({"schedule_type": "scheduled", "scheduled_at": "2026-03-03", "timezone": "Mars/Base"},
     ("timezone",)),
    ({"schedule_type": "recurring"}, ("recurring_config",)),
    ({"schedule_type": "recurring", "recurring_config": {}}, ("recurring_config", "frequency")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"time": "9 o'clock"}},
     ("recurring_config", "time")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"interval": 0}},
     ("recurring_config", "interval")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"days_of_week": [0]}},
     ("recurring_config", "days_of_week", "0")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"time_zone": 5}},
     ("recurring_config", "time_zone")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"end_date": "2026-03-01"}},
     ("recurring_config", "end_date")),
]  # fmt: skip


@pytest.mark.parametrize(("given", "loc"), UNUSABLE)
def test_what_is_no_schedule_says_where(given: dict[str, Any], loc: tuple[str, ...]) -> None:
    with pytest.raises(UnusableScheduleError) as no:
        parse_schedule(given, NOW)
    assert no.value.loc == loc
    assert no.value.msg


@pytest.mark.parametrize(
    ("more", "loc"),
    [
        ({}, "start_time"),
        ({"start_time": "25:00"}, "start_time"),
        ({"start_time": "09:00", "end_time": "08:00"}, "end_time"),
        ({"start_time": "09:00", "days_of_week": [7]}, "days_of_week"),
        ({"start_time": "09:00", "days_of_week": "Monday"}, "days_of_week"),
    ],
)
def test_an_embedded_one_that_is_none_says_where(more: dict[str, Any], loc: str) -> None:
    with pytest.raises(UnusableScheduleError) as no:
        parse_embedded({"schedule_type": "recurring"} | more, NOW)
    assert no.value.loc == (loc,)


def test_the_guides_hours() -> None:
    given = {"start": "09:00", "end": "17:00", "days": ["Monday", "friday"]}
    assert parse_hours(given, NEW_YORK) == CallingHours(
        start="09:00", end="17:00", days=(1, 5), time_zone=NEW_YORK
    )
    every = parse_hours({"start": "09:00", "end": "17:00"}, None)
    assert every is not None
    assert (every.days, every.time_zone) == ((1, 2, 3, 4, 5, 6, 7), "UTC")
    assert parse_hours(None, NEW_YORK) is None
    for unusable in ({}, {"start": "09:00"}, {**given, "days": ["someday"]}, {**given, "days": 3}):
        with pytest.raises(UnusableScheduleError):
            parse_hours(unusable, NEW_YORK)
    with pytest.raises(UnusableScheduleError):
        parse_hours({**given, "end": "09:00"}, NEW_YORK)
