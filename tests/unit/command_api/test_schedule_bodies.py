"""What schedules look like, in all their spellings, by example."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.domain.values.schedule import Frequency, Schedule
from command_api.http.schedule_bodies import (
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


UNUSABLE: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
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
     ("recurring_config", "days_of_week", 0)),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"time_zone": 5}},
     ("recurring_config", "time_zone")),
    ({"schedule_type": "recurring", "recurring_config": WEEKLY | {"end_date": "2026-03-01"}},
     ("recurring_config", "end_date")),
]  # fmt: skip


@pytest.mark.parametrize(("given", "loc"), UNUSABLE)
def test_what_is_no_schedule_says_where(given: dict[str, Any], loc: tuple[str | int, ...]) -> None:
    with pytest.raises(UnusableScheduleError) as no:
        parse_schedule(given, NOW)
    assert no.value.loc == loc
    assert no.value.msg


@pytest.mark.parametrize(
    ("more", "loc"),
    [
        ({}, ("start_time",)),
        ({"start_time": "25:00"}, ("start_time",)),
        ({"start_time": "24:00"}, ("start_time",)),
        ({"start_time": "09:00", "end_time": "09:00"}, ("end_time",)),
        ({"start_time": "09:00", "end_time": "24:01"}, ("end_time",)),
        ({"start_time": "09:00", "days_of_week": [0, 7]}, ("days_of_week", 1)),
        ({"start_time": "09:00", "days_of_week": "Monday"}, ("days_of_week",)),
        ({"start_time": "09:00", "timezone": "localtime"}, ("timezone",)),
    ],
)
def test_an_embedded_one_that_is_none_says_where(
    more: dict[str, Any], loc: tuple[str | int, ...]
) -> None:
    with pytest.raises(UnusableScheduleError) as no:
        parse_embedded({"schedule_type": "recurring"} | more, NOW)
    assert no.value.loc == loc


HOURS = {"start": "09:00", "end": "17:00"}


def test_the_guides_hours() -> None:
    given = HOURS | {"days": ["Monday", "friday"]}
    assert parse_hours(given, NEW_YORK) == CallingHours(
        start="09:00", end="17:00", days=(1, 5), time_zone=NEW_YORK
    )
    every = parse_hours(HOURS, None)
    assert every is not None
    assert (every.days, every.time_zone) == ((1, 2, 3, 4, 5, 6, 7), "UTC")
    assert parse_hours(None, NEW_YORK) is None


@pytest.mark.parametrize(
    ("given", "time_zone", "loc"),
    [
        ([], None, ("allowed_hours",)),
        ({}, None, ("allowed_hours", "start")),
        ({"start": "09:00"}, None, ("allowed_hours", "end")),
        (HOURS | {"start": "9:00"}, None, ("allowed_hours", "start")),
        (HOURS | {"end": "17"}, None, ("allowed_hours", "end")),
        (HOURS | {"end": 17}, None, ("allowed_hours", "end")),
        (HOURS | {"end": "09:00"}, None, ("allowed_hours", "end")),
        (HOURS | {"start": "24:00"}, None, ("allowed_hours", "start")),
        (HOURS | {"days": 3}, None, ("allowed_hours", "days")),
        (HOURS | {"days": ["monday", "someday"]}, None, ("allowed_hours", "days", 1)),
        (HOURS | {"days": [1]}, None, ("allowed_hours", "days", 0)),
        (HOURS, "localtime", ("time_zone",)),
        (None, "posixrules", ("time_zone",)),
    ],
)
def test_hours_that_are_none_say_where(
    given: Any, time_zone: str | None, loc: tuple[str | int, ...]
) -> None:
    with pytest.raises(UnusableScheduleError) as no:
        parse_hours(given, time_zone)
    assert no.value.loc == loc


@pytest.mark.parametrize(
    ("start", "end", "over"), [("22:00", "06:00", True), ("22:00", "00:00", True),
                               ("00:00", "24:00", True), ("09:00", "24:00:00", True),
                               ("00:00", "23:59", False)],
)  # fmt: skip
def test_hours_may_last_over_midnight_or_until_the_day_is_over(
    start: str, end: str, over: bool
) -> None:
    for hours in (
        parse_hours({"start": start, "end": end}, None),
        (parse_embedded({"schedule_type": "recurring", "start_time": start, "end_time": end}, NOW)
         or once("2026-03-03T00:00:00+00:00")).hours,
    ):  # fmt: skip
        assert hours is not None
        assert (hours.start, hours.end) == (start, end[:5])
        assert hours.needs() == (2 if over else 1), "builds before levels cannot read it"


# A Saturday, and nine minutes past midnight. Source: how users of other systems met it.
SATURDAY = datetime(2026, 11, 28, 0, 9, tzinfo=UTC)
AT = "2026-11-28T00:11:00Z"
AT_00_11 = datetime(2026, 11, 28, 0, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "config",
    [
        {"frequency": "daily"},
        {"frequency": "daily", "interval": 30},
        {"frequency": "daily", "end_date": "2026-11-28"},
        {"frequency": "weekly"},
        {"frequency": "weekly", "days_of_week": [6]},
        {"frequency": "weekly", "days_of_week": [1, 6], "interval": 4},
        {"frequency": "monthly"},
        {"frequency": "monthly", "day_of_month": 28},
        {"frequency": "monthly", "day_of_month": 28, "interval": 12, "end_date": "2026-11-28"},
    ],
)
@pytest.mark.parametrize(
    "at",
    [AT, AT[:-1], "2026-11-28T00:11:42Z", "2026-11-28T01:11:00+01:00", "2026-11-27T19:11:00-05:00"],
)
def test_the_first_run_is_at_scheduled_at_when_that_suits(config: dict[str, Any], at: str) -> None:
    given = {"schedule_type": "recurring", "scheduled_at": at}
    for parse in (parse_schedule, parse_embedded):
        found = parse(given | {"recurring_config": config | {"time": "00:11"}}, SATURDAY)
        assert found is not None
        assert found.first_at == AT_00_11


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"days_of_week": [5]}, AT_00_11),
        ({}, AT_00_11),
        ({"scheduled_at": "2026-11-28T00:11:30Z"}, AT_00_11),
        ({"days_of_week": [6]}, AT_00_11 + timedelta(days=1)),
        ({"scheduled_at": "2026-11-27T00:11:00Z", "days_of_week": [5]}, AT_00_11),  # Past by now.
        ({"scheduled_at": "2026-11-27T00:09:00Z", "days_of_week": [5]},
         datetime(2026, 12, 5, 0, 9, tzinfo=UTC)),  # 00:09 is now: the next one.
    ],
)  # fmt: skip
def test_the_first_embedded_run_is_at_scheduled_at_when_that_suits(
    more: dict[str, Any], expected: datetime
) -> None:
    found = parse_embedded({"schedule_type": "recurring", "scheduled_at": AT} | more, SATURDAY)
    assert found is not None
    assert found.first_at == expected


@pytest.mark.parametrize(
    ("at", "first_at", "time"),
    [
        # Clocks jump from 02:00 to 03:00: the first valid instant, and the time that was asked for.
        ("2026-03-08T02:30:00", "2026-03-08T07:00:00+00:00", "02:30"),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00+00:00", "01:30"),  # Of two, the first …
        ("2026-11-01T06:30:00Z", "2026-11-01T06:30:00+00:00", "01:30"),  # … unless it is said.
        ("2026-11-01T01:30:00-05:00", "2026-11-01T06:30:00+00:00", "01:30"),
    ],
)
def test_a_first_run_where_clocks_change(at: str, first_at: str, time: str) -> None:
    given = {"schedule_type": "recurring", "scheduled_at": at, "timezone": NEW_YORK}
    weekly = {"frequency": "weekly", "time": time}
    for found in (
        parse_embedded(given, NOW),
        parse_schedule(given | {"recurring_config": weekly}, NOW),
    ):
        assert found is not None
        assert found.recurrence is not None
        assert (found.first_at.isoformat(), found.recurrence.time) == (first_at, time)


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "right/UTC", "posix/Europe/Berlin", "Factory", "CEST", ""]
)
def test_a_zone_that_iana_does_not_have_is_none_wherever_it_stands(name: str) -> None:
    once_ = {"schedule_type": "once", "scheduled_at": "2026-03-03"}
    config = {"recurring_config": WEEKLY | {"time_zone": name}, "schedule_type": "recurring"}
    for given, loc in ((once_ | {"timezone": name}, ("timezone",)),
                       (config, ("recurring_config", "time_zone"))):  # fmt: skip
        for parse in (parse_schedule, parse_embedded):
            with pytest.raises(UnusableScheduleError, match="an IANA name is required") as no:
                parse(given, NOW)
            assert no.value.loc == loc
