"""What the lifecycle commands have in common: a command, and how a campaign refuses it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.campaign import Campaign
from campaigns.decider import Reason, Rejected
from campaigns.facts import Stream, campaign_stream
from campaigns.folding import Campaigns

NOT_FOUND = "Campaign not found"


@dataclass(frozen=True, slots=True)
class MoveCampaign:
    """Ask a campaign to move on: the base of start, pause, resume and stop."""

    campaign_id: int
    organization_id: int  # The caller's: another one's campaign does not exist for it.
    now: datetime
    reason: str | None = None


def own_campaign(folded: Campaigns, command: MoveCampaign) -> Campaign | None:
    """Return the campaign, or None when it is not there for this caller."""
    campaign = folded.get(command.campaign_id)
    if campaign is None or campaign.created.organization_id != command.organization_id:
        return None
    return campaign


def unknown() -> Rejected:
    """Reject a campaign that is not there for this caller.

    Source: public contract, 'decided' 10.
    """
    return Rejected(Reason.UNKNOWN_CAMPAIGN, NOT_FOUND)


def lifecycle(command: MoveCampaign) -> tuple[Stream, ...]:
    """Name the stream that orders a campaign's life."""
    return (campaign_stream(command.campaign_id),)
