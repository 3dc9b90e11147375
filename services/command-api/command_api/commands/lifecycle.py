"""What the lifecycle commands have in common: a command, and how a campaign refuses it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import Stream, campaign_stream

NOT_FOUND = "Campaign not found"


@dataclass(frozen=True, slots=True)
class MoveCampaign:
    """Ask a campaign to move on: the base of every command of its life."""

    campaign_id: int
    organization_id: int  # The caller's: another one's campaign does not exist for it.
    now: datetime
    reason: str | None = None
    if_match: frozenset[int] | None = None  # Versions it must be at. None: whatever it is at.


def own_campaign(folded: Campaigns, command: MoveCampaign) -> Campaign | None:
    """Return the campaign, or None when it is not there for this caller."""
    campaign = folded.get(command.campaign_id)
    return None if hidden(campaign, command.organization_id) else campaign


def hidden(campaign: Campaign | None, organization_id: int) -> bool:
    """Say whether a campaign is not there for an organization: never was, another's, deleted."""
    return (
        campaign is None or campaign.created.organization_id != organization_id or campaign.deleted
    )


def unknown() -> Rejected:
    """Reject a campaign that is not there for this caller.

    Source: public contract, 'decided' 10.
    """
    return Rejected(Reason.UNKNOWN_CAMPAIGN, NOT_FOUND)


def lost(campaign: Campaign, command: MoveCampaign) -> Rejected | None:
    """Reject a command that rests on another version of the campaign, and say what came first.

    Source: public contract, section 10.
    """
    if command.if_match is None or campaign.version in command.if_match:
        return None
    won = campaign.changed
    assert won is not None, "a campaign was created by somebody"
    winner = {"type": won.tag, "position": won.at, "actor": won.actor}
    return Rejected(
        Reason.VERSION_LOST,
        f"The campaign is at version {campaign.version}",
        more={"version": campaign.version, "changed_by": winner},
    )


def lifecycle(command: MoveCampaign) -> tuple[Stream, ...]:
    """Name the stream that orders a campaign's life."""
    return (campaign_stream(command.campaign_id),)
