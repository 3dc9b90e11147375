"""Pause a campaign: no further call may be requested. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decision, Reason, Rejected
from campaigns.domain.facts import CampaignPaused
from campaigns.domain.moves import Move, Status
from command_api.commands.lifecycle import MoveCampaign, lifecycle_decider

NOT_RUNNING = "Campaign is not running"  # Source: contract 1.3 row 7.


def decide(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Pause a running campaign. A paused one has its own reason: its 400 waits as a 200 does."""
    if campaign.status is Status.PAUSED:
        return Rejected(Reason.ALREADY_PAUSED, NOT_RUNNING)
    if not campaign.allows(Move.PAUSE):
        return Rejected(Reason.NOT_RUNNING, NOT_RUNNING)
    return (
        CampaignPaused(
            campaign_id=command.campaign_id, reason=command.reason, paused_at=command.now
        ),
    )


PAUSE = lifecycle_decider(decide)
