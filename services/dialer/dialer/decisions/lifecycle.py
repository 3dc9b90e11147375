"""Begin a scheduled campaign at its time, fail one that is too late, complete a finished run. Pure.

`transition` says which of these is due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import (
    CampaignCompleted,
    CampaignDue,
    CampaignFailed,
    RunEnded,
)
from campaigns.domain.moves import Move
from campaigns.domain.recurrence import next_run
from campaigns.domain.values.stream_names import Stream, campaign_stream, contacts_stream

NO_CONTACTS = "No contacts found"


@dataclass(frozen=True, slots=True)
class BeginScheduled:
    """Begin a campaign whose time has come."""

    campaign_id: int
    now: datetime
    grace_s: float


@dataclass(frozen=True, slots=True)
class CompleteCampaign:
    """Complete a campaign, or end a run of a recurring one."""

    campaign_id: int
    now: datetime


def due(campaign: Campaign, now: datetime) -> bool:
    """Say whether a scheduled campaign is to begin now.

    Source: contract 9.22: not while an import is under way.
    """
    return (
        campaign.allows(Move.BEGIN)
        and campaign.next_at is not None
        and campaign.next_at <= now
        and campaign.importing is None
    )


def done(campaign: Campaign) -> bool:
    """Say whether a run has no pending contact, no open call and no import in progress.

    Source: contract 9.19: a paused campaign completes too.
    """
    counters = campaign.counters
    return (
        campaign.allows(Move.COMPLETE)
        and campaign.importing is None
        and counters.pending <= 0
        and counters.in_progress <= 0
        and not campaign.calls
    )


def transition(
    campaign: Campaign, now: datetime, grace_s: float
) -> tuple[Decision, tuple[Stream, ...]] | None:
    """Return the decision that is due for a campaign, and its streams. None: none is due."""
    if done(campaign):
        finished = CompleteCampaign(campaign.campaign_id, now)
        return COMPLETE.decide(campaign, finished), COMPLETE.streams(finished)
    if due(campaign, now):
        begun = BeginScheduled(campaign.campaign_id, now, grace_s)
        return BEGIN.decide(campaign, begun), BEGIN.streams(begun)
    return None


def _begin(campaign: Campaign | None, command: BeginScheduled) -> Decision:
    """Begin the run, or say why it cannot begin.

    Source: contract 9.4: it begins once, and when it is more than the grace
    period late (counted from the end of an import that it waited for) it fails.
    """
    if campaign is None:
        return Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found")
    due_at = campaign.next_at
    if due_at is None or not due(campaign, command.now):
        return Rejected(Reason.TOO_SOON, "its time has not come", retry_at=due_at)
    failure = None
    possible_at = max(due_at, campaign.imported_at or due_at)
    if command.now - possible_at > timedelta(seconds=command.grace_s):
        failure = f"It was due at {due_at:%Y-%m-%d %H:%M:%S} UTC, and nobody was there to begin it"
    elif campaign.counters.total + campaign.counters.skipped == 0:
        failure = NO_CONTACTS
    if failure:
        return (
            CampaignFailed(campaign_id=command.campaign_id, reason=failure, failed_at=command.now),
        )
    return (
        CampaignDue(
            campaign_id=command.campaign_id,
            run=campaign.run + 1,
            due_at=due_at,
            rearms=campaign.rearms,
            started_at=command.now,
        ),
    )


def _complete(campaign: Campaign | None, command: CompleteCampaign) -> Decision:
    """Complete the campaign, or its run when it recurs, unless something is left to do."""
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
    """Return when a recurring campaign's next run begins. None: there is no next run.

    Source: contract 9.9 and 9.23: after `end_date` it completes with its last run.
    """
    if campaign.schedule is None or campaign.schedule.recurrence is None:
        return None
    try:
        return next_run(campaign.schedule.recurrence, now)
    except LookupError:
        return None  # This machine no longer knows the time zone: the run would never begin.


def _streams(command: BeginScheduled | CompleteCampaign) -> tuple[Stream, ...]:
    """Name what is written, and the guard: contacts may be added, or imported, meanwhile."""
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))


BEGIN: Decider[Campaign | None, BeginScheduled, Campaign | None] = Decider(
    streams=_streams, read=lambda campaign, _: campaign, decide=_begin
)
COMPLETE: Decider[Campaign | None, CompleteCampaign, Campaign | None] = Decider(
    streams=_streams, read=lambda campaign, _: campaign, decide=_complete
)
