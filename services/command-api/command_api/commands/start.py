"""Start a campaign's run, or resume a paused one. Pure."""

from campaigns.domain.campaign import Campaign, Move, Status
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignStarted
from command_api.commands.lifecycle import MoveCampaign, lost, own_campaign, unknown
from command_api.commands.readiness import ALL_PROCESSED, start_streams, startable
from command_api.commands.resume import resumed
from command_api.commands.schedule import TIME_PAST

# Source: public contract, start, and 'decided' 19.
ALREADY_RUNNING = "Campaign is already running"


def wrong_status(campaign: Campaign) -> Rejected | None:
    """Reject a start from a status that does not allow it."""
    if campaign.allows(Move.START):
        return None
    match campaign.status:
        case Status.RUNNING:
            return Rejected(Reason.ALREADY_RUNNING, ALREADY_RUNNING)
        case Status.COMPLETED:
            return Rejected(Reason.ALL_PROCESSED, ALL_PROCESSED)
        case status:
            return Rejected(
                Reason.WRONG_STATUS, f"Campaign cannot be started from status '{status}'"
            )


def decide(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Start a run, or resume the one that is paused. What is scheduled is unchanged: it will begin.

    Source: public contract, 'decided' 4: a start of what is scheduled confirms it.
    """
    if campaign is None:
        return unknown()
    if no := lost(campaign, command) or wrong_status(campaign) or startable(campaign):
        return no
    if campaign.status is Status.PAUSED:
        return resumed(command)
    if campaign.status is Status.SCHEDULED and campaign.next_at is not None:
        past = campaign.next_at <= command.now
        return Rejected(Reason.TIME_PAST, TIME_PAST) if past else UNCHANGED
    return (
        CampaignStarted(
            campaign_id=command.campaign_id, run=campaign.run + 1, started_at=command.now
        ),
    )


START: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=start_streams, read=own_campaign, decide=decide
)
