"""Forget the contacts of a campaign that ended long ago, some lists at a time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision
from campaigns.domain.moves import FINAL
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.personal.erasure import ErasableList, campaign_erased


@dataclass(frozen=True, slots=True)
class ForgetCampaign:
    """Forget the contacts of the next lists, unless the campaign goes on."""

    campaign_id: int
    after: int  # The last contact that is forgotten, as the lists were read.
    lists: Sequence[ErasableList]  # Those behind it, in order.
    ended_before: datetime
    now: datetime


def over_since(campaign: Campaign) -> datetime | None:
    """Return since when a campaign is over, or deleted. None: it is not.

    An import or a changed setting makes it later: somebody still works with it.
    """
    over = campaign.deleted or campaign.status in FINAL
    return (campaign.updated_at or campaign.created.created_at) if over else None


def decide_forget(campaign: Campaign | None, command: ForgetCampaign) -> Decision:
    """Forget its contacts, unless that is done, or it is not over for so long (any more)."""
    if campaign is None or campaign.erased_through != command.after or not command.lists:
        return UNCHANGED
    since = over_since(campaign)
    if since is None or since >= command.ended_before:
        return UNCHANGED
    return (campaign_erased(command.campaign_id, command.lists, command.now),)


FORGET_CAMPAIGN: Decider[Campaigns, ForgetCampaign, Campaign | None] = Decider(
    streams=lambda command: (campaign_stream(command.campaign_id),),
    read=lambda campaigns, command: campaigns.get(command.campaign_id),
    decide=decide_forget,
)
