"""Schedules in bodies: the endpoint's, the SDKs' embedded one, the guide's hours. Pure.

`days_of_week` is 1..7 in `recurring_config`, and 0..6 in the embedded schedule: each keeps its
spelling. Source: contract 4, 8.3 rows 15 to 17, 9.8, 9.9 and 9.23.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import Field, TypeAdapter, ValidationError

from campaigns.domain.recurrence import clock_time, first_day, instant_of
from campaigns.domain.values.campaign_settings import DAY_END, TIME_OF_DAY, CallingHours
from campaigns.domain.values.schedule import Frequency, Recurrence, Schedule
from campaigns.domain.zones import names, zone

Given = Mapping[str, Any]  # Any: JSON, not validated yet.
Loc = tuple[str | int, ...]  # The place in the body, as a 422 names it.
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=TIME_OF_DAY)])
YEAR_MAX = 2999  # Later is a typing error, and the calendar ends in 9999.


class UnusableScheduleError(Exception):
    """The body is not a usable schedule."""

    def __init__(self, loc: Loc, msg: str) -> None:
        super().__init__(msg)
        self.loc, self.msg = loc, msg


def parse_schedule(given: Given, now: datetime) -> Schedule | None:
    """Read a schedule as the endpoint takes it; None: `immediate`.

    Raises:
        UnusableScheduleError: it is not a schedule.

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
        start = None
        if _of(given, "scheduled_at") is not None:  # Times of runs are whole minutes.
            start = _instant(given, time_zone).replace(second=0, microsecond=0)
        return _recurring(config, time_zone, start, now)
    raise UnusableScheduleError(
        ("schedule_type",), "schedule_type must be immediate, scheduled or recurring"
    )


def parse_embedded(given: Given | None, now: datetime) -> Schedule | None:
    """Read a campaign's own schedule, as the SDKs send it; None: `immediate`, or none.

    Raises:
        UnusableScheduleError: it is not a schedule.

    """
    if not given or _of(given, "schedule_type") is None:
        return None
    if _of(given, "schedule_type") != "recurring" or _of(given, "recurring_config") is not None:
        schedule = parse_schedule(given, now)
    else:
        schedule = parse_schedule({**given, "recurring_config": _weekly(given)}, now)
    if schedule is None:
        return None
    begin, end = _time(given, "start_time"), _end_time(given, "end_time")
    if schedule.recurrence is not None:
        begin = begin or schedule.recurrence.time
    if begin is None or end is None:
        return schedule
    hours = _hours(begin, end, EVERY_DAY, schedule.time_zone, ("end_time",))
    return replace(schedule, hours=hours)


def parse_hours(given: object, time_zone: object) -> CallingHours | None:
    """Read `allowed_hours` and `time_zone` of the guide's `execution_settings`; None: none given.

    Raises:
        UnusableScheduleError: they are not calling hours.

    """
    place = _zone({"time_zone": time_zone}, "time_zone", "UTC")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise UnusableScheduleError(("allowed_hours",), "an object is required")
    begin = _time(given, "start", "allowed_hours")
    end = _end_time(given, "end", "allowed_hours")
    for name, one in (("start", begin), ("end", end)):
        if one is None:
            raise UnusableScheduleError(("allowed_hours", name), "start and end are required")
    assert begin is not None and end is not None, "just looked at"  # noqa: PT018
    days = _weekdays(given.get("days") or list(WEEKDAYS))
    return _hours(begin, end, days, place, ("allowed_hours", "end"))


def _weekdays(given: object) -> tuple[int, ...]:
    """Read `days` of `allowed_hours`: their English names."""
    if not isinstance(given, list):
        raise UnusableScheduleError(("allowed_hours", "days"), "names of days are required")
    numbers = set[int]()
    for index, one in enumerate(given):
        loc = ("allowed_hours", "days", index)
        if not isinstance(one, str):
            raise UnusableScheduleError(loc, "the name of a day is required")
        if (name := one.strip().lower()) not in WEEKDAYS:
            raise UnusableScheduleError(loc, f"there is no {name[:20]!r}")
        numbers.add(WEEKDAYS.index(name) + 1)
    return tuple(sorted(numbers))


def _hours(begin: str, end: str, days: tuple[int, ...], time_zone: str, loc: Loc) -> CallingHours:
    if end == begin:
        why = "it is the beginning too; 00:00 to 24:00 is the whole day"
        raise UnusableScheduleError(loc, why)
    return CallingHours(start=begin, end=end, days=days, time_zone=time_zone)


def _recurring(config: Given, time_zone: str, start: datetime | None, now: datetime) -> Schedule:
    """Read a `recurring_config`; its first run begins at `start` or later, and after `now`."""
    zone_given = {"time_zone": _of(config, "time_zone")}
    fields = {
        "frequency": _of(config, "frequency"),
        "interval": _or(_of(config, "interval"), 1),
        "days_of_week": _or(_of(config, "days_of_week"), ()),
        "day_of_month": _of(config, "day_of_month"),
        "time": _of(config, "time"),
        "time_zone": _zone(zone_given, "time_zone", time_zone, "recurring_config"),
        "end_date": _of(config, "end_date"),
        "first_day": date(1970, 1, 1),  # Computed below.
    }
    try:
        wanted = Recurrence.validated(fields)
    except ValidationError as exc:
        error = exc.errors()[0]
        loc = ("recurring_config", *error["loc"])
        raise UnusableScheduleError(loc, f"{'.'.join(map(str, loc))}: {error['msg']}") from exc
    ahead = start is not None and start > now
    day = first_day(wanted, start if start and ahead else now, itself=ahead)
    if day is None:
        raise UnusableScheduleError(("recurring_config", "end_date"), "no run begins before it")
    days = tuple(sorted(set(wanted.days_of_week)))
    recurrence = replace(wanted, first_day=day, days_of_week=days)
    at = instant_of(day, clock_time(wanted.time), zone(wanted.time_zone))
    if start and ahead:
        at = max(at, start)  # Of a local time that occurs twice, the one that was given.
    return Schedule(first_at=at, time_zone=wanted.time_zone, recurrence=recurrence)


def _weekly(given: Given) -> dict[str, Any]:
    """Return the `recurring_config` that an embedded schedule means (contract 9.23)."""
    time_zone = _zone(given, "timezone", "UTC")
    at = _time(given, "start_time")
    if at is None:
        if _of(given, "scheduled_at") is None:
            raise UnusableScheduleError(("start_time",), "start_time or scheduled_at is required")
        start = _start(given)
        at = f"{start.astimezone(zone(time_zone)) if start.tzinfo else start:%H:%M}"
    days = _or(_of(given, "days_of_week"), [])
    if not isinstance(days, list):
        raise UnusableScheduleError(("days_of_week",), "0 (Monday) to 6 are required")
    for index, one in enumerate(days):
        if type(one) is not int or not 0 <= one <= 6:
            raise UnusableScheduleError(("days_of_week", index), "0 (Monday) to 6 are required")
    weekly = {"frequency": Frequency.WEEKLY.value, "days_of_week": [one + 1 for one in days]}
    return weekly | {"time": at, "time_zone": time_zone}


def _of(given: Given, name: str) -> Any:
    """Return the value of a name, in either spelling."""
    head, *tail = name.split("_")
    return given.get(name, given.get(head + "".join(part.title() for part in tail)))


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _zone(given: Given, name: str, otherwise: str, within: str | None = None) -> str:
    loc = (within, name) if within else (name,)
    value = _or(_of(given, name), otherwise)
    if not isinstance(value, str) or value not in names():
        raise UnusableScheduleError(loc, f"Unknown {name}: an IANA name is required")
    return value


def _time(given: Given, name: str, within: str | None = None) -> str | None:
    value = _of(given, name)
    if isinstance(value, str) and len(value) == len("HH:MM:SS"):
        value = value[: len("HH:MM")]  # As Python writes a time.
    try:
        return None if value is None else _TIME.validate_python(value, strict=True)
    except ValidationError as exc:
        loc = (within, name) if within else (name,)
        raise UnusableScheduleError(loc, f"{name}: HH:MM is required") from exc


def _end_time(given: Given, name: str, within: str | None = None) -> str | None:
    if _of(given, name) in (DAY_END, f"{DAY_END}:00"):
        return DAY_END
    return _time(given, name, within)


def _instant(given: Given, time_zone: str) -> datetime:
    """Read `scheduled_at`: an offset of its own wins, else it is local time (contract 9.8)."""
    found = _start(given)
    try:
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        return instant_of(found.date(), found.time().replace(fold=0), zone(time_zone))
    except (ValueError, OverflowError) as exc:
        raise _no_start() from exc


def _start(given: Given) -> datetime:
    """Read `scheduled_at` as it was given: without a time zone it is local time."""
    value = _of(given, "scheduled_at")
    try:
        if not isinstance(value, str):
            raise ValueError
        found = datetime.fromisoformat(value)
    except ValueError as exc:
        raise _no_start() from exc
    if found.year > YEAR_MAX:
        raise _no_start()
    return found


def _no_start() -> UnusableScheduleError:
    return UnusableScheduleError(("scheduled_at",), "scheduled_at: a time in ISO 8601 is required")
