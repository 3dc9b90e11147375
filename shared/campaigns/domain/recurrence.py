"""When a recurring campaign begins: wall-clock times of a place, as instants. Pure.

Source: contract 4, 9.8 and 9.9: a local time that a clock change skips moves
forward to the first valid instant; if a local time occurs twice, the first one counts.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.domain.values.schedule import Frequency, Recurrence
from campaigns.domain.zones import zone

DAYS_AHEAD_MAX = 63  # Each recurrence has a first run within this many days.
_MONTHS = 12


def instant_of(day: date, at: time, place: ZoneInfo) -> datetime:
    """Return the instant of a local day and time at a place, in UTC."""
    local = datetime.combine(day, at, place)  # fold=0: of two, the first.
    found = local.astimezone(UTC)
    if found.astimezone(place).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    # Skipped: the clock jumps between the instants that the offsets after and before would give.
    before, after = local.replace(fold=1).astimezone(UTC), found
    shift = after.astimezone(place).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(place).utcoffset() == shift:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def clock_time(text: str) -> time:
    """Read HH:MM."""
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes))


def first_day(wanted: Recurrence, not_before: datetime, *, itself: bool = False) -> date | None:
    """Return the day of the first run after an instant; None: the schedule ends before.

    `itself`: the run may be at that very instant. `wanted.first_day` is ignored.
    """
    place, at = zone(wanted.time_zone), clock_time(wanted.time)
    local = not_before.astimezone(place).replace(tzinfo=None)
    for ahead in range(DAYS_AHEAD_MAX):
        day = local.date() + timedelta(days=ahead)
        if not _suits(wanted, day):
            continue
        begins = instant_of(day, at, place)
        now = begins == not_before or datetime.combine(day, at) == local  # Of two, the second.
        if begins > not_before or (itself and now):
            return None if wanted.end_date and day > wanted.end_date else day
    return None


def _suits(wanted: Recurrence, day: date) -> bool:
    match wanted.frequency:
        case Frequency.DAILY:
            return True
        case Frequency.WEEKLY:
            return not wanted.days_of_week or day.isoweekday() in wanted.days_of_week
        case Frequency.MONTHLY:
            in_month = wanted.day_of_month
            return not in_month or day == _of_month(day.year, day.month, in_month)


def next_run(of: Recurrence, after: datetime) -> datetime | None:
    """Return when the first run after an instant begins, in UTC; None: there is no further run."""
    place, at = zone(of.time_zone), clock_time(of.time)
    for day in _days(of, max(of.first_day, after.astimezone(place).date())):
        if of.end_date is not None and day > of.end_date:
            return None
        if day >= of.first_day and (begins := instant_of(day, at, place)) > after:
            return begins
    return None


def _days(of: Recurrence, near: date) -> Iterator[date]:
    """Yield the days of runs, in order, from one before `near` to one behind it."""
    first, step = of.first_day, of.interval
    try:
        match of.frequency:
            case Frequency.DAILY:
                begun = (near - first).days // step
                for n in range(begun, begun + 3):
                    yield first + timedelta(days=n * step)
            case Frequency.WEEKLY:
                monday = first - timedelta(days=first.weekday())
                begun = (near - monday).days // (7 * step)
                for n in range(begun, begun + 3):
                    for weekday in sorted(of.days_of_week or (first.isoweekday(),)):
                        yield monday + timedelta(days=7 * step * n + weekday - 1)
            case Frequency.MONTHLY:
                months = (near.year - first.year) * _MONTHS + near.month - first.month
                for n in range(months // step, months // step + 3):
                    years, month = divmod(first.month - 1 + n * step, _MONTHS)
                    in_month = of.day_of_month or first.day
                    yield _of_month(first.year + years, month + 1, in_month)
    except (OverflowError, ValueError):  # The end of the calendar.
        return


def _of_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
