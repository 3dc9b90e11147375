"""When a campaign begins by itself, as facts hold it. Pure."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from campaigns.domain.values.campaign_settings import CallingHours, TimeOfDay, Weekday
from campaigns.domain.values.instants import Instant


class Frequency(StrEnum):
    """What a recurring schedule counts."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Recurrence(BaseModel):
    """When runs begin, again and again. Bounds: public contract, section 4, 'decided' 9."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frequency: Frequency
    interval: int = Field(default=1, ge=1, le=365)  # Every so many days, weeks or months.
    days_of_week: tuple[Weekday, ...] = ()  # Weekly; none: the first run's.
    day_of_month: int | None = Field(default=None, ge=1, le=31)  # Monthly; None: the first run's.
    time: TimeOfDay
    time_zone: str  # IANA's name.
    end_date: date | None = None  # The last day on which a run may begin.
    first_day: date  # Of the first run; intervals count from it.


class Schedule(BaseModel):
    """When a campaign begins by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    first_at: Instant
    time_zone: str  # IANA's name; as it was given.
    recurrence: Recurrence | None = None  # None: once.
    hours: CallingHours | None = None  # While its runs may call, besides the settings' own.
