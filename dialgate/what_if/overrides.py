"""The settings that a what-if run overrides. Pure."""

from typing import NamedTuple

from msgspec.structs import replace

from campaigns.domain.facts import AnyFact, CampaignCreated, CampaignScheduled, CampaignUpdated
from campaigns.domain.values.campaign_settings import CallingHours, CampaignSettings


class Overrides(NamedTuple):
    """Other settings; None leaves a setting as it was recorded."""

    calls_per_minute: int | None = None
    max_concurrent_calls: int | None = None
    max_attempts: int | None = None
    retry_delay_minutes: int | None = None
    calling_hours: CallingHours | None = None
    any_hours: bool = False  # Call whenever it runs, whatever hours were recorded.

    def applied(self, settings: CampaignSettings) -> CampaignSettings:
        """Return the settings with these overrides."""
        changed = {name: value for name, value in self._asdict().items() if value is not None}
        if changed.pop("any_hours"):
            changed["calling_hours"] = None
        return replace(settings, **changed)

    def to(self, fact: AnyFact) -> AnyFact:
        """Return a recorded fact as it would have been with these settings."""
        match fact:
            case CampaignCreated():
                return replace(fact, settings=self.applied(fact.settings))
            case CampaignUpdated(settings=CampaignSettings() as settings):
                return replace(fact, settings=self.applied(settings))
            case CampaignScheduled() if self.any_hours or self.calling_hours is not None:
                return replace(fact, schedule=replace(fact.schedule, hours=None))
            case _:
                return fact
