"""Update a campaign's texts and settings, in a status without calls. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import UNCHANGED, Decision, Reason, Rejected, Stale, Unchanged
from campaigns.domain.facts import AnyFact, CampaignUpdated
from campaigns.domain.moves import Move
from campaigns.domain.values.schedule import Schedule
from command_api.commands.lifecycle import MoveCampaign, lifecycle_decider
from command_api.commands.schedule import ScheduleCampaign, decide_schedule


@dataclass(frozen=True, slots=True)
class UpdateCampaign(MoveCampaign):
    """Change texts or settings; what is not named stays."""

    texts: Mapping[str, object] = field(default_factory=dict)  # Field of CampaignUpdated → value.
    settings: Mapping[str, object] = field(default_factory=dict)  # Field of settings → value.
    schedule: Schedule | None = None


_OF_THE_CAMPAIGN = ("variable_mappings", "available_variables")  # Imports change them too.


def decide(campaign: Campaign, command: UpdateCampaign) -> Decision:
    """Record what differs from the present texts, settings and schedule.

    Source: contract 1.3 row 4: in draft and paused alone, when no call may be requested.
    """
    if not campaign.allows(Move.UPDATE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be updated in status '{campaign.status}'"
        )
    changes: dict[str, Any] = {  # Any: each field has its own type, validated by the body.
        name: value for name, value in command.texts.items() if _present(campaign, name) != value
    }
    settings = replace(campaign.settings, **dict(command.settings))
    if settings != campaign.settings:
        changes["settings"] = settings
    facts: tuple[AnyFact, ...] = ()
    if changes:
        updated = CampaignUpdated(
            campaign_id=command.campaign_id, updated_at=command.now, **changes
        )
        facts = (updated,)
    if command.schedule is not None:
        rescheduling = ScheduleCampaign(
            command.campaign_id, command.organization_id, command.now, schedule=command.schedule
        )
        match decide_schedule(campaign, rescheduling):
            case tuple() as scheduled:
                facts += scheduled
            case Unchanged():
                pass
            case Rejected() | Stale() as other:
                return other
            case never:
                assert_never(never)
    return facts or UNCHANGED


def _present(campaign: Campaign, name: str) -> object:
    found: object = getattr(campaign if name in _OF_THE_CAMPAIGN else campaign.created, name)
    return found


UPDATE = lifecycle_decider(decide)
