"""Update a campaign's texts and settings, while nobody is called. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from campaigns.domain.campaign import Campaign, Move
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import (
    UNCHANGED,
    Decider,
    Decision,
    Reason,
    Rejected,
    Stale,
    Unchanged,
)
from campaigns.domain.facts import CampaignUpdated, Event, Schedule
from command_api.commands.lifecycle import MoveCampaign, lifecycle, lost, own_campaign, unknown
from command_api.commands.schedule import ScheduleCampaign
from command_api.commands.schedule import decide as decide_schedule


@dataclass(frozen=True, slots=True)
class UpdateCampaign(MoveCampaign):
    """Ask for other texts or settings; what is not named stays."""

    texts: Mapping[str, object] = field(default_factory=dict)  # Field of CampaignUpdated → value.
    settings: Mapping[str, object] = field(default_factory=dict)  # Field of settings → value.
    schedule: Schedule | None = None


_OF_THE_CAMPAIGN = ("variable_mappings", "available_variables")  # Imports change them too.


def decide(campaign: Campaign | None, command: UpdateCampaign) -> Decision:
    """Record what differs from what is so.

    Source: public contract, 1.3 row 4: in draft and paused alone, when no call may be requested.
    """
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.UPDATE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be updated in status '{campaign.status}'"
        )
    new: dict[str, Any] = {  # Any: each field its own, validated by the body.
        name: value for name, value in command.texts.items() if _now(campaign, name) != value
    }
    settings = campaign.settings.model_copy(update=dict(command.settings))
    if settings != campaign.settings:
        new["settings"] = settings
    facts: tuple[Event, ...] = ()
    if new:
        facts = (CampaignUpdated(campaign_id=command.campaign_id, updated_at=command.now, **new),)
    if command.schedule is not None:
        of_it = ScheduleCampaign(
            command.campaign_id, command.organization_id, command.now, schedule=command.schedule
        )
        match decide_schedule(campaign, of_it):
            case tuple() as also:
                facts += also
            case Unchanged():
                pass
            case Rejected() | Stale() as other:
                return other
            case never:
                assert_never(never)
    return facts or UNCHANGED


def _now(campaign: Campaign, name: str) -> object:
    found: object = getattr(campaign if name in _OF_THE_CAMPAIGN else campaign.created, name)
    return found


UPDATE: Decider[Campaigns, UpdateCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide
)
