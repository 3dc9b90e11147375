"""How a campaign calls: its settings and its calling hours, as facts hold them. Pure."""

from typing import Annotated

from msgspec import Meta

from campaigns.domain.values.value import Value, one_line

TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
TimeOfDay = Annotated[str, Meta(pattern=TIME_OF_DAY), one_line(5)]
DAY_END = "24:00"
EndOfHours = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"), one_line(5)]
Weekday = Annotated[int, Meta(ge=1, le=7)]  # 1 is Monday.


class CallingHours(Value, frozen=True, kw_only=True):
    """When a campaign may call: from `start` until before `end`, beginning on these days.

    From level 2 on a window may last until the end of the day, or cross midnight.
    """

    STRICT = False

    start: TimeOfDay
    end: EndOfHours  # Not start. Earlier than start: on the next day. DAY_END: the end of the day.
    days: tuple[Weekday, ...]  # On which it begins.
    time_zone: str  # IANA's name.

    def needs(self) -> int:
        """Return the level that a reader needs (see campaigns.domain.levels)."""
        return 2 if self.end == DAY_END or self.end < self.start else 1


class CampaignSettings(Value, frozen=True, kw_only=True):
    """How a campaign calls. Bounds: contract 1.3 row 2 and 9.18."""

    STRICT = False

    max_attempts: Annotated[int, Meta(ge=1, le=10)] = 3  # In total, for each contact and run.
    retry_delay_minutes: Annotated[int, Meta(ge=5, le=1440)] = 30
    max_concurrent_calls: Annotated[int, Meta(ge=1, le=1000)] = 5
    calls_per_minute: Annotated[int, Meta(ge=1, le=60000)] = 10
    leave_voicemail: bool = False
    voicemail_message: str | None = None
    enable_voicemail_detection: bool | None = None  # None: as the carrier does.
    calling_hours: CallingHours | None = None  # None: whenever it runs.
