"""Complete a campaign of which every contact is done. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import (
    CampaignCompleted,
    RunEnded,
    Stream,
    campaign_stream,
    contacts_stream,
)
from campaigns.domain.moves import Move
from campaigns.domain.recurrence import next_run


@dataclass(frozen=True, slots=True)
class CompleteCampaign:
    """Say that a run is done."""

    campaign_id: int
    now: datetime


def done(campaign: Campaign) -> bool:
    """Say whether nothing is left to do in a run: nobody pending, nobody called, none on the way.

    Source: public contract, 'decided' 19: a paused campaign completes too.
    """
    counters = campaign.counters
    return (
        campaign.allows(Move.COMPLETE)
        and campaign.importing is None
        and counters.pending <= 0
        and counters.in_progress <= 0
        and not campaign.calls
    )


def decide(campaign: Campaign | None, command: CompleteCampaign) -> Decision:
    """Complete it, or its run when it recurs, unless something is left."""
    if campaign is None:
        return Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found")
    if not done(campaign):
        return Rejected(Reason.WRONG_STATUS, "something is left to do")
    if (next_at := _next_at(campaign, command.now)) is not None:
        ended = RunEnded(
            campaign_id=command.campaign_id,
            run=campaign.run,
            next_at=next_at,
            ended_at=command.now,
        )
        return (ended,)
    return (
        CampaignCompleted(
            campaign_id=command.campaign_id, run=campaign.run, completed_at=command.now
        ),
    )


def _next_at(campaign: Campaign, now: datetime) -> datetime | None:
    """Return when a recurring campaign's next run begins; None: there is none.

    Source: public contract, 'decided' 9 and 23: after `end_date` it completes with its last run.
    """
    if campaign.schedule is None or campaign.schedule.recurrence is None:
        return None
    try:
        return next_run(campaign.schedule.recurrence, now)
    except LookupError:
        return None  # This machine does not know its time zone any more: it never would begin.


def streams(command: CompleteCampaign) -> tuple[Stream, ...]:
    """Name what is written, and the guard: contacts added at the last moment are not lost."""
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))


COMPLETE: Decider[Campaign | None, CompleteCampaign, Campaign | None] = Decider(
    streams=streams, read=lambda campaign, _: campaign, decide=decide
)
