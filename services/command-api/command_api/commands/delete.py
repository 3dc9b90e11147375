"""Delete a campaign: it no longer exists for any client. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decision, Reason, Rejected
from campaigns.domain.facts import CampaignDeleted
from campaigns.domain.moves import Move
from command_api.commands.lifecycle import MoveCampaign, lifecycle_decider

RUNNING = "Campaign is running: stop it first"  # Source: contract 1.3 row 5.


def decide(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Delete the campaign: pending contacts are cancelled, calls in progress may finish."""
    if not campaign.allows(Move.DELETE):
        return Rejected(Reason.WRONG_STATUS, RUNNING)
    return (
        CampaignDeleted(
            campaign_id=command.campaign_id, reason=command.reason, deleted_at=command.now
        ),
    )


DELETE = lifecycle_decider(decide)
