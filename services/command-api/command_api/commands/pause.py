"""Pause a campaign: no further call may be requested. Pure."""

from campaigns.domain.campaign import Campaign, Move, Status
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignPaused
from command_api.commands.lifecycle import MoveCampaign, lifecycle, lost, own_campaign, unknown

NOT_RUNNING = "Campaign is not running"  # Source: public contract, pause.


def decide(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Pause a running campaign. Paused already has a reason of its own: its 400 waits too."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if campaign.status is Status.PAUSED:
        return Rejected(Reason.ALREADY_PAUSED, NOT_RUNNING)
    if not campaign.allows(Move.PAUSE):
        return Rejected(Reason.NOT_RUNNING, NOT_RUNNING)
    return (
        CampaignPaused(
            campaign_id=command.campaign_id, reason=command.reason, paused_at=command.now
        ),
    )


PAUSE: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide
)
