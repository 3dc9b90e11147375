"""What is known of one campaign: where it is in its life, its contacts and its open calls. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

from campaigns.audit.judge.contact_marks import ContactMarks
from campaigns.audit.judge.pauses import Pauses
from campaigns.audit.judge.permission import Permission
from campaigns.audit.judge.violations import RecordPlace
from campaigns.domain.facts import (
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignFact,
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    RunEnded,
)
from campaigns.domain.moves import Status

# Not `domain.evolution`: the judge folds by itself, so that a mistake there is found here.
BECOMES: dict[type[CampaignFact], Status] = {
    CampaignCreated: Status.DRAFT,
    CampaignScheduled: Status.SCHEDULED,
    CampaignUnscheduled: Status.DRAFT,
    CampaignDue: Status.RUNNING,
    CampaignStarted: Status.RUNNING,
    CampaignPaused: Status.PAUSED,
    CampaignResumed: Status.RUNNING,
    CampaignStopped: Status.CANCELLED,
    CampaignDeleted: Status.CANCELLED,
    CampaignCompleted: Status.COMPLETED,
    CampaignFailed: Status.FAILED,
    CampaignRearmed: Status.DRAFT,
    RunEnded: Status.SCHEDULED,
}
KEYS_MAX = 1_000  # Source: DIALGATE_IDEMPOTENCY_KEYS_MAX: the newest keys that repeats find.


@dataclass(slots=True)
class CampaignAccount:
    """One campaign, as the facts so far leave it."""

    at: RecordPlace  # Where its status changed last.
    attempts_max: int
    contacts: ContactMarks
    status: Status = Status.DRAFT
    run: int = 0
    rearmed_run: int = 0  # The last run before contacts were pending again.
    run_ended: bool = False  # A recurring one: the next run begins all contacts anew.
    calls: dict[str, Permission] = field(default_factory=dict)  # Open, by call id.
    unexplained: dict[str, Permission] = field(default_factory=dict)  # Rang, and ended otherwise.
    pauses: Pauses = field(default_factory=Pauses)
    keys: OrderedDict[str, str] = field(default_factory=OrderedDict)  # The newest; where used.
