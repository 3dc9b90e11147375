"""How a campaign calls: its settings and its calling hours, as facts hold them. Pure."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
DAY_END = "24:00"
EndOfHours = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Weekday = Annotated[int, Field(ge=1, le=7)]  # 1 is Monday.


class CallingHours(BaseModel):
    """When a campaign may call: from `start` until before `end`, beginning on these days.

    From level 2 on a window may last until the day is over, or over midnight into the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start: TimeOfDay
    end: EndOfHours  # Not start. Earlier than it: on the day after. DAY_END: when the day is over.
    days: tuple[Weekday, ...]  # On which it begins.
    time_zone: str  # IANA's name.

    def needs(self) -> int:
        """Return the level that a reader of this has (see campaigns.domain.levels)."""
        return 2 if self.end == DAY_END or self.end < self.start else 1


class CampaignSettings(BaseModel):
    """How a campaign calls. Bounds: public contract, create and 'decided' 18."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_attempts: int = Field(default=3, ge=1, le=10)  # In total, a contact and run.
    retry_delay_minutes: int = Field(default=30, ge=5, le=1440)
    max_concurrent_calls: int = Field(default=5, ge=1, le=1000)
    calls_per_minute: int = Field(default=10, ge=1, le=60000)
    leave_voicemail: bool = False
    voicemail_message: str | None = None
    enable_voicemail_detection: bool | None = None  # None: as the carrier does.
    calling_hours: CallingHours | None = None  # None: whenever it runs.
