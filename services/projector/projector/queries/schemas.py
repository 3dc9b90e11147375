"""The schemas of the queries' answers in the OpenAPI document. Pure; see campaigns.http.schemas."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel

from campaigns.domain.contact import ContactStatus
from campaigns.domain.moves import Status
from campaigns.http.schemas import (
    MISSING,
    CampaignAnswer,
    CampaignRow,
    Key,
    Metrics,
    Receipt,
    RecurringConfig,
)
from projector.queries.contact_schemas import Listed
from projector.why.why_shapes import Idle


class CampaignList(Listed):
    """Campaigns, newest first; the same under both names. `include=texts` shows all of each."""

    campaigns: list[CampaignAnswer | CampaignRow]
    items: list[CampaignAnswer | CampaignRow]


class ProgressCounters(BaseModel):
    """Counters, as documented."""

    total_contacts: int
    completed: int
    failed: int
    processing: int
    pending: int
    cancelled: int
    skipped: int
    progress_percentage: float
    success_rate: float


class ProgressMetrics(Metrics):
    """Metrics, as the progress has them."""

    completion_rate: float
    cost_estimate: float
    last_updated: AwareDatetime


class Activity(BaseModel):
    """One of the latest attempts."""

    execution_id: int
    contact_id: int
    contact_phone: str | None
    status: ContactStatus
    executed_at: AwareDatetime
    call_id: str | None


class ProgressAnswer(BaseModel):
    """How far a campaign is: nested as documented, flat for the SDKs."""

    campaign_id: int
    status: Status
    progress: ProgressCounters
    metrics: ProgressMetrics
    total_contacts: int
    completed_contacts: int
    failed_contacts: int
    pending_contacts: int
    in_progress_contacts: int
    cancelled_contacts: int
    skipped_contacts: int
    completion_percentage: float
    success_rate: float
    total_cost: float
    estimated_completion: AwareDatetime | None
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    recent_activity: list[Activity]
    idle: Idle | None  # None: it does not run, or `as_of` was given.


class ScheduleAnswer(BaseModel):
    """When a campaign begins by itself."""

    schedule_type: Literal["immediate", "scheduled", "recurring"]
    scheduled_at: AwareDatetime | None
    recurring_config: RecurringConfig | None


class PauseAnswer(BaseModel):
    """How far a pause has settled."""

    campaign_id: int
    phase: Literal["running", "settling", "settled", "drained"]
    since: AwareDatetime | None
    reason: str | None
    until: AwareDatetime | None
    actor: str | None
    receipt: Receipt | None


class TimelineCalls(BaseModel):
    """What became of a minute's calls."""

    permitted: int
    begun: int
    ended: dict[str, int]
    abandoned: dict[str, int]
    late: int
    exhausted: int
    skipped: int


class TimelineReceipt(Receipt):
    """What a pause was answered with, as the log shows it."""

    settled_at: AwareDatetime | None


class TimelineItem(BaseModel):
    """A fact in words, or the calls of a minute."""

    at: AwareDatetime
    position: str
    actor: str
    what: str
    text: str
    until: AwareDatetime = MISSING  # Of calls.
    calls: TimelineCalls = MISSING
    receipt: TimelineReceipt | None = MISSING  # Of what ends calling; null: not settled yet.


class TimelineAnswer(BaseModel):
    """A page of a campaign's story."""

    items: list[TimelineItem]
    next: str | None


class Connection(BaseModel):
    """Who is connected, and since when."""

    connected_at: AwareDatetime
    client: str


class Connections(BaseModel):
    """Who is connected to a campaign's progress, at the process that answers."""

    campaign_id: int
    connections: list[Connection]
    total: int


class KeyList(BaseModel):
    """An organization's keys, newest first; the same under both names."""

    keys: list[Key]
    items: list[Key]
    total: int
