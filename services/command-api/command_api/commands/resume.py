"""Resume a paused campaign where it left off. Pure."""

from campaigns.domain.campaign import Campaign, Move
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignResumed
from command_api.commands.lifecycle import MoveCampaign, lost, own_campaign, unknown
from command_api.commands.readiness import start_streams, startable


def decide(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Resume a paused campaign; of any other, say what it is."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.RESUME):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be resumed from status '{campaign.status}'"
        )
    return startable(campaign) or resumed(command)


def resumed(command: MoveCampaign) -> tuple[CampaignResumed]:
    """Return the one fact of it; start on a paused campaign is the same decision."""
    return (
        CampaignResumed(
            campaign_id=command.campaign_id, reason=command.reason, resumed_at=command.now
        ),
    )


RESUME: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=start_streams, read=own_campaign, decide=decide
)
