"""Stop a campaign for good. Pure."""

from campaigns.domain.campaign import Campaign, Move
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignStopped
from command_api.commands.lifecycle import MoveCampaign, lifecycle, lost, own_campaign, unknown


def decide(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Stop it; who is pending is cancelled, calls in progress may finish."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.STOP):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be stopped from status '{campaign.status}'"
        )
    return (
        CampaignStopped(
            campaign_id=command.campaign_id, reason=command.reason, stopped_at=command.now
        ),
    )


STOP: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide
)
