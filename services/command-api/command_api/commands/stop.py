"""Stop a campaign's run for good. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decision, Reason, Rejected
from campaigns.domain.facts import CampaignStopped
from campaigns.domain.moves import Move
from command_api.commands.lifecycle import MoveCampaign, lifecycle_decider


def decide(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Stop the campaign: pending contacts are cancelled, calls in progress may finish."""
    if not campaign.allows(Move.STOP):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be stopped from status '{campaign.status}'"
        )
    return (
        CampaignStopped(
            campaign_id=command.campaign_id, reason=command.reason, stopped_at=command.now
        ),
    )


STOP = lifecycle_decider(decide)
