"""Delete a campaign: it is there for nobody any more. Pure."""

from campaigns.domain.campaign import Campaign, Move
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignDeleted
from command_api.commands.lifecycle import MoveCampaign, lifecycle, lost, own_campaign, unknown

RUNNING = "Campaign is running: stop it first"  # Source: public contract, 1.3 row 5.


def decide(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Delete it; who is pending is cancelled, calls in progress may finish."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.DELETE):
        return Rejected(Reason.WRONG_STATUS, RUNNING)
    return (
        CampaignDeleted(
            campaign_id=command.campaign_id, reason=command.reason, deleted_at=command.now
        ),
    )


DELETE: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide
)
