"""When a campaign may call: its windows, and when they open. Pure."""

from datetime import datetime, timedelta

from campaigns.campaign import Campaign
from campaigns.facts import CallingHours
from campaigns.recurring import clock_time, instant_of, zone

_DAYS_AHEAD_MAX = 9  # A window opens at least once a week.
_TURNS_MAX = 50  # Windows that never are open together would be looked at for ever.


def windows(campaign: Campaign) -> list[CallingHours]:
    """Return all that must be open for a call to be asked for."""
    of_schedule = campaign.schedule.hours if campaign.schedule else None
    return [one for one in (campaign.settings.calling_hours, of_schedule) if one is not None]


def opens_at(campaign: Campaign, now: datetime) -> datetime | None:
    """Return when all windows are open next; None: they are open now.

    When they never are open together it is some day ahead, to be asked again then.
    """
    at = now
    for _ in range(_TURNS_MAX):
        later = max((_opens_at(hours, at) for hours in windows(campaign)), default=at)
        if later == at:
            break
        at = later
    return None if at == now else at


def _opens_at(hours: CallingHours, now: datetime) -> datetime:
    """Return when one window is open next: `now` when it is."""
    try:
        place = zone(hours.time_zone)
    except LookupError:  # This machine does not know it (any more): better nobody is called.
        return now + timedelta(days=_DAYS_AHEAD_MAX)
    today = now.astimezone(place).date()
    for ahead in range(_DAYS_AHEAD_MAX):
        day = today + timedelta(days=ahead)
        if day.isoweekday() not in hours.days:
            continue
        begins = instant_of(day, clock_time(hours.start), place)
        if now < instant_of(day, clock_time(hours.end), place):
            return max(begins, now)
    return now + timedelta(days=_DAYS_AHEAD_MAX)
