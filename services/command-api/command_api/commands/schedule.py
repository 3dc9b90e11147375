"""Schedule a campaign, or remove its schedule. Pure."""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import UNCHANGED, Decision, Reason, Rejected
from campaigns.domain.facts import (
    CampaignScheduled,
    CampaignType,
    CampaignUnscheduled,
)
from campaigns.domain.moves import Move, Status
from campaigns.domain.values.schedule import Schedule
from command_api.commands.lifecycle import MoveCampaign, lifecycle_decider, type_rejection

UNNAMED_ZONE = "UTC"  # Source: contract 4.
TIME_PAST = "Scheduled time is in the past"  # Source: contract 1.3 rows 6 and 16.


@dataclass(frozen=True, slots=True)
class ScheduleCampaign(MoveCampaign):
    """Let a campaign begin by its schedule. None: remove the schedule."""

    schedule: Schedule | None = None


def schedule_rejection(
    schedule: Schedule, campaign_type: CampaignType, now: datetime
) -> Rejected | None:
    """Reject a schedule that cannot be kept, whatever the campaign's status."""
    if no := type_rejection(campaign_type):
        return no
    if schedule.first_at <= now:
        return Rejected(Reason.TIME_PAST, TIME_PAST)
    return None


def campaign_scheduled(campaign_id: int, schedule: Schedule, now: datetime) -> CampaignScheduled:
    """Return the fact of a schedule: a create and a re-execution may carry one too."""
    return CampaignScheduled(campaign_id=campaign_id, schedule=schedule, scheduled_at=now)


def decide_schedule(campaign: Campaign, command: ScheduleCampaign) -> Decision:
    """Set the schedule, in place of any earlier one; or remove it, if there is one.

    Source: contract 4 and 9.23.
    """
    if not campaign.allows(Move.SCHEDULE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be scheduled in status '{campaign.status}'"
        )
    if command.schedule is None:
        if campaign.status is Status.DRAFT:
            return UNCHANGED
        return _unschedule(command)
    if no := schedule_rejection(command.schedule, campaign.created.campaign_type, command.now):
        return no
    if _is_set(campaign, command.schedule):
        return UNCHANGED
    return (campaign_scheduled(command.campaign_id, command.schedule, command.now),)


def _is_set(campaign: Campaign, wanted: Schedule) -> bool:
    """Say whether the campaign has this schedule: sending back what GET …/schedule answers is it.

    That answer names the next run, and neither the hours nor the time zone of a one-off: what it
    does not name stays. Intervals are still counted from the first run of all.
    """
    kept = campaign.schedule
    if campaign.status is not Status.SCHEDULED or kept is None:
        return False
    named = replace(kept, first_at=campaign.next_at)
    if wanted.hours is None:
        named = replace(named, hours=None)
    if wanted.recurrence is None and wanted.time_zone == UNNAMED_ZONE:
        named = replace(named, time_zone=UNNAMED_ZONE)
    if wanted.recurrence is not None and kept.recurrence is not None:
        first = {"first_day": kept.recurrence.first_day}
        same = replace(wanted.recurrence, **first)
        wanted = replace(wanted, recurrence=same)
    return wanted == named


def decide_unschedule(campaign: Campaign, command: MoveCampaign) -> Decision:
    """Turn a scheduled campaign back into a draft."""
    if not campaign.allows(Move.UNSCHEDULE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be unscheduled from status '{campaign.status}'"
        )
    return _unschedule(command)


def _unschedule(command: MoveCampaign) -> tuple[CampaignUnscheduled]:
    return (CampaignUnscheduled(campaign_id=command.campaign_id, unscheduled_at=command.now),)


SCHEDULE = lifecycle_decider(decide_schedule)
UNSCHEDULE = lifecycle_decider(decide_unschedule)
