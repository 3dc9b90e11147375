"""What the lifecycle commands share: the command, its streams, and the common rejections. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignType
from campaigns.domain.values.stream_names import Stream, campaign_stream, contacts_stream

# Source: contract 1.3 row 6, 9.22 and 9.28.
NOT_FOUND = "Campaign not found"
IMPORT_IN_PROGRESS = "An import is in progress"
MESSAGES_UNSUPPORTED = "Messages are not supported yet"


@dataclass(frozen=True, slots=True)
class MoveCampaign:
    """Move a campaign along its lifecycle: the base of every lifecycle command."""

    campaign_id: int
    organization_id: int  # The caller's: another organization's campaign does not exist for it.
    now: datetime
    reason: str | None = None
    if_match: frozenset[int] | None = None  # Versions that the command accepts. None: any.


M = TypeVar("M", bound=MoveCampaign)


def lifecycle_streams(command: MoveCampaign) -> tuple[Stream, ...]:
    """Return the stream that orders a campaign's lifecycle."""
    return (campaign_stream(command.campaign_id),)


def lifecycle_and_list_streams(command: MoveCampaign) -> tuple[Stream, ...]:
    """Return the stream of the lifecycle and that of the lists: an import may be in progress."""
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))


def lifecycle_decider(
    decide: Callable[[Campaign, M], Decision],
    streams: Callable[[M], tuple[Stream, ...]] = lifecycle_streams,
) -> Decider[Campaigns, M, Campaign | None]:
    """Return the decider of a lifecycle command.

    `decide` is asked only about a campaign that the caller may see, at a version that the command
    accepts.
    """

    def decide_visible(campaign: Campaign | None, command: M) -> Decision:
        if campaign is None:
            return not_found()
        return version_rejection(campaign, command) or decide(campaign, command)

    return Decider(streams=streams, read=own_campaign, decide=decide_visible)


def own_campaign(folded: Campaigns, command: MoveCampaign) -> Campaign | None:
    """Return the campaign, or None when it does not exist for this caller."""
    campaign = folded.get(command.campaign_id)
    return None if hidden(campaign, command.organization_id) else campaign


def hidden(campaign: Campaign | None, organization_id: int) -> bool:
    """Say whether a campaign does not exist for an organization: unknown, another's, deleted."""
    return (
        campaign is None or campaign.created.organization_id != organization_id or campaign.deleted
    )


def not_found() -> Rejected:
    """Reject a command on a campaign that does not exist for its caller.

    Source: contract 9.10.
    """
    return Rejected(Reason.UNKNOWN_CAMPAIGN, NOT_FOUND)


def version_rejection(campaign: Campaign, command: MoveCampaign) -> Rejected | None:
    """Reject a command that names other versions of the campaign, and say which change won.

    Source: contract 10.
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


def type_rejection(campaign_type: CampaignType) -> Rejected | None:
    """Reject a campaign that does not call: messages cannot be sent yet."""
    if campaign_type is CampaignType.CALL:
        return None
    return Rejected(Reason.MESSAGES_UNSUPPORTED, MESSAGES_UNSUPPORTED)
