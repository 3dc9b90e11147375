"""When a campaign may call: its windows, and when they open. Pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.domain.campaign import Campaign
from campaigns.domain.recurrence import clock_time, instant_of
from campaigns.domain.values.campaign_settings import DAY_END, CallingHours
from campaigns.domain.zones import zone

_DAYS_AHEAD_MAX = 9  # A window opens at least once a week.
_TURNS_MAX = 50  # Bounds the search for windows that are never open together.


def windows(campaign: Campaign) -> list[CallingHours]:
    """Return the windows that must all be open before a call is requested."""
    of_schedule = campaign.schedule.hours if campaign.schedule else None
    return [one for one in (campaign.settings.calling_hours, of_schedule) if one is not None]


def opens_at(campaign: Campaign, now: datetime) -> datetime | None:
    """Return when all windows are next open. None: they are open now.

    If they are never open together, it is some day ahead, when the search begins again.
    """
    if not (all_of_them := windows(campaign)):
        return None
    at = now
    for _ in range(_TURNS_MAX):
        later = max(opens_of(hours, at) for hours in all_of_them)
        if later == at:
            break
        at = later
    return None if at == now else at


def opens_of(hours: CallingHours, now: datetime) -> datetime:
    """Return when one window is next open; `now` if it is open."""
    try:
        place = zone(hours.time_zone)
    except LookupError:  # This machine does not know the time zone: no calls.
        return now + timedelta(days=_DAYS_AHEAD_MAX)
    today = now.astimezone(place).date()
    for ahead in range(-1, _DAYS_AHEAD_MAX):  # Yesterday's window may last beyond midnight.
        day = today + timedelta(days=ahead)
        if day.isoweekday() not in hours.days:
            continue
        if now < closes_at(hours, day, place):
            return max(instant_of(day, clock_time(hours.start), place), now)
    return now + timedelta(days=_DAYS_AHEAD_MAX)


def closes_at(hours: CallingHours, day: date, place: ZoneInfo) -> datetime:
    """Return when the window that begins on this day ends: perhaps on the next one.

    Source: contract 4: it belongs to the day on which it begins.
    """
    if hours.end == DAY_END:
        return instant_of(day + timedelta(days=1), time(), place)
    if hours.end <= hours.start:
        day += timedelta(days=1)
    return instant_of(day, clock_time(hours.end), place)
