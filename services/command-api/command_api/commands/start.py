"""Start a campaign's run, or resume a paused one: both need a contact to call. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import UNCHANGED, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignResumed, CampaignStarted
from campaigns.domain.moves import Move, Status
from command_api.commands.lifecycle import (
    IMPORT_IN_PROGRESS,
    MoveCampaign,
    lifecycle_and_list_streams,
    lifecycle_decider,
    type_rejection,
)
from command_api.commands.schedule import TIME_PAST

# Source: contract 1.3 row 6 and 9.19.
ALL_PROCESSED = "All contacts have already been processed"
ALREADY_RUNNING = "Campaign is already running"
NO_CONTACTS = "No contacts found"


def start_rejection(campaign: Campaign) -> Rejected | None:
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


def contacts_rejection(campaign: Campaign) -> Rejected | None:
    """Reject a campaign that has no contact to call yet, whatever its status."""
    counters = campaign.counters
    if no := type_rejection(campaign.created.campaign_type):
        return no
    if campaign.importing is not None:
        return Rejected(Reason.IMPORT_IN_PROGRESS, IMPORT_IN_PROGRESS)
    if counters.total == 0 and not (campaign.rearms and counters.skipped):
        return Rejected(Reason.NO_CONTACTS, NO_CONTACTS)
    if counters.pending == 0 and counters.in_progress == 0 and not campaign.rearms:
        return Rejected(Reason.ALL_PROCESSED, ALL_PROCESSED)
    return None


def decide_start(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Start a run, or resume the paused one. A scheduled campaign is unchanged: it will begin.

    Source: contract 9.4: starting a scheduled campaign confirms its schedule.
    """
    if no := start_rejection(campaign) or contacts_rejection(campaign):
        return no
    if campaign.status is Status.PAUSED:
        return _resume(command)
    if campaign.status is Status.SCHEDULED and campaign.next_at is not None:
        past = campaign.next_at <= command.now
        return Rejected(Reason.TIME_PAST, TIME_PAST) if past else UNCHANGED
    return (
        CampaignStarted(
            campaign_id=command.campaign_id, run=campaign.run + 1, started_at=command.now
        ),
    )


def decide_resume(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Resume a paused campaign where it left off; reject any other with its status."""
    if not campaign.allows(Move.RESUME):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be resumed from status '{campaign.status}'"
        )
    return contacts_rejection(campaign) or _resume(command)


def _resume(command: MoveCampaign) -> tuple[CampaignResumed]:
    return (
        CampaignResumed(
            campaign_id=command.campaign_id, reason=command.reason, resumed_at=command.now
        ),
    )


START = lifecycle_decider(decide_start, lifecycle_and_list_streams)
RESUME = lifecycle_decider(decide_resume, lifecycle_and_list_streams)
