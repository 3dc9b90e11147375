"""What schedules look like: the endpoint's, the SDKs' embedded one, the guide's hours. Pure.

`days_of_week` is 1..7 in `recurring_config`, and 0..6 in the embedded schedule: each keeps its
place. Source: public contract, section 4, 8.3 #15 to #17, 'decided' 8, 9 and 23.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from pydantic import TypeAdapter, ValidationError

from campaigns.facts import CallingHours, Frequency, Recurrence, Schedule, TimeOfDay
from campaigns.recurring import clock_time, first_day, instant_of, zone

Given = Mapping[str, Any]  # Any: JSON, not looked at yet.
ZONE_CHARS_MAX = 64
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME: TypeAdapter[str] = TypeAdapter(TimeOfDay)
YEAR_MAX = 2999  # Later is a slip of the pen, and the calendar ends in 9999.


class UnusableScheduleError(Exception):
    """What was given is no schedule."""

    def __init__(self, loc: tuple[str, ...], msg: str) -> None:
        super().__init__(msg)
        self.loc, self.msg = loc, msg


def parse_schedule(given: Given, now: datetime) -> Schedule | None:
    """Read a schedule as the endpoint takes it; None: `immediate`.

    Raises:
        UnusableScheduleError: it is none.

    """
    kind = _of(given, "schedule_type")
    if kind == "immediate":
        return None
    time_zone = _zone(given, "timezone", "UTC")
    if kind in ("scheduled", "once"):
        return Schedule(first_at=_instant(given, time_zone), time_zone=time_zone)
    if kind == "recurring":
        config = _of(given, "recurring_config")
        if not isinstance(config, dict):
            raise UnusableScheduleError(("recurring_config",), "recurring_config is required")
        not_before = now
        if _of(given, "scheduled_at") is not None:
            not_before = max(now, _instant(given, time_zone))
        return _recurring(config, time_zone, not_before)
    raise UnusableScheduleError(
        ("schedule_type",), "schedule_type must be immediate, scheduled or recurring"
    )


def parse_embedded(given: Given | None, now: datetime) -> Schedule | None:
    """Read a campaign's own schedule, as the SDKs send it; None: `immediate`, or none at all.

    Raises:
        UnusableScheduleError: it is none.

    """
    if not given or _of(given, "schedule_type") is None:
        return None
    if _of(given, "schedule_type") != "recurring" or _of(given, "recurring_config") is not None:
        schedule = parse_schedule(given, now)
    else:
        schedule = parse_schedule({**given, "recurring_config": _weekly(given)}, now)
    if schedule is None:
        return None
    begin, end = _time(given, "start_time"), _time(given, "end_time")
    if schedule.recurrence is not None:
        begin = begin or schedule.recurrence.time
    if begin is None or end is None:
        return schedule
    hours = _hours(begin, end, EVERY_DAY, schedule.time_zone, ("end_time",))
    return schedule.model_copy(update={"hours": hours})


def parse_hours(given: object, time_zone: object) -> CallingHours | None:
    """Read `allowed_hours` and `time_zone` of the guide's `execution_settings`; None: none given.

    Raises:
        UnusableScheduleError: they are none.

    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise UnusableScheduleError(("allowed_hours",), "an object is required")
    begin, end = _time(given, "start"), _time(given, "end")
    if begin is None or end is None:
        raise UnusableScheduleError(("allowed_hours",), "start and end are required")
    days = given.get("days") or list(WEEKDAYS)
    if not isinstance(days, list) or not all(isinstance(one, str) for one in days):
        raise UnusableScheduleError(("allowed_hours", "days"), "names of days are required")
    named = [one.strip().lower() for one in days]
    if unknown := [one for one in named if one not in WEEKDAYS]:
        raise UnusableScheduleError(("allowed_hours", "days"), f"there is no {unknown[0][:20]!r}")
    numbers = tuple(sorted({WEEKDAYS.index(one) + 1 for one in named}))
    place = _zone({"time_zone": time_zone}, "time_zone", "UTC")
    return _hours(begin, end, numbers, place, ("allowed_hours", "end"))


def _hours(
    begin: str, end: str, days: tuple[int, ...], time_zone: str, loc: tuple[str, ...]
) -> CallingHours:
    if end <= begin:
        raise UnusableScheduleError(loc, "it must be later than the beginning, on the same day")
    return CallingHours(start=begin, end=end, days=days, time_zone=time_zone)


def _recurring(config: Given, time_zone: str, not_before: datetime) -> Schedule:
    zone_given = {"time_zone": _of(config, "time_zone")}
    fields = {
        "frequency": _of(config, "frequency"),
        "interval": _or(_of(config, "interval"), 1),
        "days_of_week": _or(_of(config, "days_of_week"), ()),
        "day_of_month": _of(config, "day_of_month"),
        "time": _of(config, "time"),
        "time_zone": _zone(zone_given, "time_zone", time_zone, "recurring_config"),
        "end_date": _of(config, "end_date"),
        "first_day": date(1970, 1, 1),  # Not known yet.
    }
    try:
        wanted = Recurrence.model_validate(fields)
    except ValidationError as no:
        error = no.errors()[0]
        loc = ("recurring_config", *map(str, error["loc"]))
        raise UnusableScheduleError(loc, f"{'.'.join(loc)}: {error['msg']}") from no
    day = first_day(wanted, not_before)
    if day is None:
        raise UnusableScheduleError(("recurring_config", "end_date"), "no run begins before it")
    days = tuple(sorted(set(wanted.days_of_week)))
    recurrence = wanted.model_copy(update={"first_day": day, "days_of_week": days})
    at = instant_of(day, clock_time(wanted.time), zone(wanted.time_zone))
    return Schedule(first_at=at, time_zone=wanted.time_zone, recurrence=recurrence)


def _weekly(given: Given) -> dict[str, Any]:
    """Return the `recurring_config` that an embedded schedule stands for ('decided' 23)."""
    time_zone = _zone(given, "timezone", "UTC")
    at = _time(given, "start_time")
    if at is None:
        if _of(given, "scheduled_at") is None:
            raise UnusableScheduleError(("start_time",), "start_time or scheduled_at is required")
        at = f"{_instant(given, time_zone).astimezone(zone(time_zone)):%H:%M}"
    days = _or(_of(given, "days_of_week"), [])
    if not isinstance(days, list) or not all(type(one) is int and 0 <= one <= 6 for one in days):
        raise UnusableScheduleError(("days_of_week",), "0 (Monday) to 6 are required")
    weekly = {"frequency": Frequency.WEEKLY.value, "days_of_week": [one + 1 for one in days]}
    return weekly | {"time": at, "time_zone": time_zone}


def _of(given: Given, name: str) -> Any:
    """Return what stands under a name, in either spelling."""
    head, *tail = name.split("_")
    return given.get(name, given.get(head + "".join(part.title() for part in tail)))


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _zone(given: Given, name: str, otherwise: str, within: str | None = None) -> str:
    loc = (within, name) if within else (name,)
    value = _or(_of(given, name), otherwise)
    try:
        if not isinstance(value, str) or len(value) > ZONE_CHARS_MAX:
            raise LookupError
        zone(value)
    except LookupError as no:
        raise UnusableScheduleError(loc, f"Unknown {name}: an IANA name is required") from no
    return value


def _time(given: Given, name: str) -> str | None:
    value = _of(given, name)
    if isinstance(value, str) and len(value) == len("HH:MM:SS"):
        value = value[: len("HH:MM")]  # As Python writes a time.
    try:
        return None if value is None else _TIME.validate_python(value, strict=True)
    except ValidationError as no:
        raise UnusableScheduleError((name,), f"{name}: HH:MM is required") from no


def _instant(given: Given, time_zone: str) -> datetime:
    """Read `scheduled_at`: an offset of its own wins, else it is local time ('decided' 8)."""
    value = _of(given, "scheduled_at")
    try:
        if not isinstance(value, str):
            raise ValueError
        found = datetime.fromisoformat(value)
        if found.year > YEAR_MAX:
            raise ValueError
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        whole = time(found.hour, found.minute, found.second, found.microsecond)
        return instant_of(found.date(), whole, zone(time_zone))
    except (ValueError, OverflowError) as no:
        raise UnusableScheduleError(
            ("scheduled_at",), "scheduled_at: a time in ISO 8601 is required"
        ) from no
