"""When a campaign begins by itself, as facts hold it. Pure."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from campaigns.domain.values.campaign_settings import CallingHours, TimeOfDay, Weekday
from campaigns.domain.values.instants import Instant
from campaigns.domain.values.value import Value


class Frequency(StrEnum):
    """The unit of a recurring schedule."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Recurrence(Value, frozen=True, kw_only=True):
    """When the runs of a recurring campaign begin. Bounds: contract 4, 9.9."""

    STRICT = False

    frequency: Frequency
    interval: Annotated[int, Meta(ge=1, le=365)] = 1  # Every so many days, weeks or months.
    days_of_week: tuple[Weekday, ...] = ()  # Weekly; none: the first run's.
    # Monthly; None: the first run's.
    day_of_month: Annotated[int, Meta(ge=1, le=31)] | None = None
    time: TimeOfDay
    time_zone: str  # IANA's name.
    end_date: date | None = None  # The last day on which a run may begin.
    first_day: date  # Of the first run; intervals count from it.


class Schedule(Value, frozen=True, kw_only=True):
    """When a campaign begins by itself."""

    STRICT = False

    first_at: Instant
    time_zone: str  # IANA's name; as it was given.
    recurrence: Recurrence | None = None  # None: once.
    hours: CallingHours | None = None  # When its runs may call, in addition to the settings' hours.
