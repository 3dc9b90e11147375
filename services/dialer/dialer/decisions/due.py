"""Begin a scheduled campaign when its time has come; give it up when it is too late. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import (
    CampaignDue,
    CampaignFailed,
    Stream,
    campaign_stream,
    contacts_stream,
)
from campaigns.domain.moves import Move

NO_CONTACTS = "No contacts found"


@dataclass(frozen=True, slots=True)
class BeginScheduled:
    """Begin a campaign whose time has come."""

    campaign_id: int
    now: datetime
    grace_s: float


def due(campaign: Campaign, now: datetime) -> bool:
    """Say whether a campaign's time has come, and nothing is waited for.

    Source: public contract, 'decided' 22: not while an import is under way.
    """
    return (
        campaign.allows(Move.BEGIN)
        and campaign.next_at is not None
        and campaign.next_at <= now
        and campaign.importing is None
    )


def decide(campaign: Campaign | None, command: BeginScheduled) -> Decision:
    """Begin the run, or say why it cannot begin.

    Source: public contract, 'decided' 4: it begins once, and when it is more than the grace
    period late (counted from the end of an import that it waited for) it fails.
    """
    if campaign is None:
        return Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found")
    due_at = campaign.next_at
    if due_at is None or not due(campaign, command.now):
        return Rejected(Reason.TOO_SOON, "its time has not come", retry_at=due_at)
    why = None
    could = max(due_at, campaign.imported_at or due_at)
    if command.now - could > timedelta(seconds=command.grace_s):
        why = f"It was due at {due_at:%Y-%m-%d %H:%M:%S} UTC, and nobody was there to begin it"
    elif campaign.counters.total + campaign.counters.skipped == 0:
        why = NO_CONTACTS
    if why:
        return (CampaignFailed(campaign_id=command.campaign_id, reason=why, failed_at=command.now),)
    return (
        CampaignDue(
            campaign_id=command.campaign_id,
            run=campaign.run + 1,
            due_at=due_at,
            rearms=campaign.rearms,
            started_at=command.now,
        ),
    )


def streams(command: BeginScheduled) -> tuple[Stream, ...]:
    """Name what is written, and the guard: an import may be under way."""
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))


BEGIN: Decider[Campaign | None, BeginScheduled, Campaign | None] = Decider(
    streams=streams, read=lambda campaign, _: campaign, decide=decide
)
