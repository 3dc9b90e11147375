"""Schedule a campaign, or take its schedule away. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign, Move, Status
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignScheduled, CampaignType, CampaignUnscheduled, Schedule
from command_api.commands.lifecycle import MoveCampaign, lifecycle, lost, own_campaign, unknown
from command_api.commands.readiness import MESSAGES_UNSUPPORTED

UNNAMED_ZONE = "UTC"  # Source: public contract, section 4.
TIME_PAST = "Scheduled time is in the past"  # Source: public contract, 1.3 rows 6 and 16.


@dataclass(frozen=True, slots=True)
class ScheduleCampaign(MoveCampaign):
    """Ask that a campaign begins by itself. None: that it does not."""

    schedule: Schedule | None = None


def unfit(schedule: Schedule, campaign_type: CampaignType, now: datetime) -> Rejected | None:
    """Say why a schedule cannot be kept, whatever the campaign's status."""
    if campaign_type is not CampaignType.CALL:
        return Rejected(Reason.MESSAGES_UNSUPPORTED, MESSAGES_UNSUPPORTED)
    if schedule.first_at <= now:
        return Rejected(Reason.TIME_PAST, TIME_PAST)
    return None


def scheduled(campaign_id: int, schedule: Schedule, now: datetime) -> CampaignScheduled:
    """Return the fact of it: a create and a re-execution may carry one too."""
    return CampaignScheduled(campaign_id=campaign_id, schedule=schedule, scheduled_at=now)


def decide(campaign: Campaign | None, command: ScheduleCampaign) -> Decision:
    """Arm the schedule, in the place of any other; or take it away, if there is one.

    Source: public contract, section 4 and 'decided' 23.
    """
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.SCHEDULE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be scheduled in status '{campaign.status}'"
        )
    if command.schedule is None:
        if campaign.status is Status.DRAFT:
            return UNCHANGED
        return _unscheduled(command)
    if no := unfit(command.schedule, campaign.created.campaign_type, command.now):
        return no
    if _so_already(campaign, command.schedule):
        return UNCHANGED
    return (scheduled(command.campaign_id, command.schedule, command.now),)


def _so_already(campaign: Campaign, wanted: Schedule) -> bool:
    """Say whether a campaign is armed so: what GET …/schedule answers, sent back, changes nothing.

    That answer names the next run, and neither the hours nor the time zone of a one-off: what it
    does not name stays. Intervals go on counting from the first run there was.
    """
    kept = campaign.schedule
    if campaign.status is not Status.SCHEDULED or kept is None:
        return False
    named = kept.model_copy(update={"first_at": campaign.next_at})
    if wanted.hours is None:
        named = named.model_copy(update={"hours": None})
    if wanted.recurrence is None and wanted.time_zone == UNNAMED_ZONE:
        named = named.model_copy(update={"time_zone": UNNAMED_ZONE})
    if wanted.recurrence is not None and kept.recurrence is not None:
        first = {"first_day": kept.recurrence.first_day}
        same = wanted.recurrence.model_copy(update=first)
        wanted = wanted.model_copy(update={"recurrence": same})
    return wanted == named


def _unscheduled(command: MoveCampaign) -> tuple[CampaignUnscheduled]:
    return (CampaignUnscheduled(campaign_id=command.campaign_id, unscheduled_at=command.now),)


def decide_unschedule(campaign: Campaign | None, command: MoveCampaign) -> Decision:
    """Take a scheduled campaign back to a draft."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command):
        return no
    if not campaign.allows(Move.UNSCHEDULE):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be unscheduled from status '{campaign.status}'"
        )
    return _unscheduled(command)


SCHEDULE: Decider[Campaigns, ScheduleCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide
)
UNSCHEDULE: Decider[Campaigns, MoveCampaign, Campaign | None] = Decider(
    streams=lifecycle, read=own_campaign, decide=decide_unschedule
)
