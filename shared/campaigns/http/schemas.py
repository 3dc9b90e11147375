"""Schemas of the answers, for the OpenAPI document only. Pure.

For speed, campaign_json.py and the routes write answers as plain JSON; a test compares them with
these schemas, key by key. Source: contract 8.3 and 8.4.
"""

from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from campaigns.domain.facts import CampaignType, Scope
from campaigns.domain.moves import Status
from campaigns.domain.values.schedule import Frequency
from campaigns.http.examples import CAMPAIGN, PAUSED, RECEIPT, TRIED


def _unsaid(schema: dict[str, Any]) -> None:
    """Remove the default of a key that may be missing: clients cannot rely on it."""
    schema.pop("default", None)


# The default of a key that may be missing. Any: each key has its own type.
MISSING: Any = Field(default=None, json_schema_extra=_unsaid)


class RecurringConfig(BaseModel):
    """A recurrence, in the documentation's words: days are 1 (Monday) to 7."""

    frequency: Frequency
    interval: int
    days_of_week: list[int]
    day_of_month: int | None
    time: str
    time_zone: str
    end_date: date | None


class EmbeddedSchedule(BaseModel):
    """A campaign's schedule, in the SDKs' words: days are 0 (Monday) to 6."""

    schedule_type: Literal["immediate", "once", "recurring"]
    scheduled_at: AwareDatetime | None
    timezone: str
    days_of_week: list[int]
    start_time: str | None
    end_time: str | None
    recurring_config: RecurringConfig | None


class Settings(BaseModel):
    """How a campaign calls, in the SDKs' words."""

    max_concurrent_calls: int
    calls_per_minute: int
    max_attempts: int
    retry_delay_minutes: int
    leave_voicemail: bool
    voicemail_message: str | None
    welcome_template: str | None
    agenda_template: str | None


class AllowedHours(BaseModel):
    """When a running campaign calls."""

    start: str
    end: str
    days: list[str]


class ExecutionSettings(BaseModel):
    """How a campaign calls, in the guide's words."""

    concurrent_limit: int
    rate_limit_per_minute: int
    allowed_hours: AllowedHours | None
    time_zone: str | None


class AdvancedSettings(BaseModel):
    """How voicemail is handled, in the guide's words."""

    enable_voicemail_detection: bool | None
    leave_voicemail: bool
    voicemail_message: str | None


class Metrics(BaseModel):
    """Rates in percent, talk time in seconds."""

    success_rate: float
    answer_rate: float
    average_duration_seconds: float
    total_duration_seconds: float
    actual_cost: float


class CampaignRow(BaseModel):
    """A campaign in a list: the fields that the documentation shows there and the SDKs read."""

    id: int
    organization_id: int
    assistant_id: int
    assistant_name: str | None
    name: str
    description: str | None
    campaign_type: CampaignType
    status: Status
    max_attempts: int
    retry_delay_minutes: int
    total_contacts: int
    completed_contacts: int
    failed_contacts: int
    pending_contacts: int
    in_progress_contacts: int
    cancelled_contacts: int
    skipped_contacts: int
    schedule: EmbeddedSchedule
    settings: Settings
    execution_settings: ExecutionSettings
    phone_number_id: int | None
    from_phone_number: str | None
    failure_reason: str | None
    metrics: Metrics
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime | None
    last_import_file_name: str | None
    last_import_date: AwareDatetime | None
    last_import_row_count: int | None


class CampaignAnswer(CampaignRow):
    """A campaign, with all its texts (`campaigns.http.campaign_json.LEFT_OUT`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [CAMPAIGN]})

    welcome_message_template: str | None
    agenda_template: str | None
    end_call_message_template: str | None
    sms_message_template: str | None
    fallback_values: dict[str, str]
    variable_mappings: dict[str, str | None]
    available_variables: list[str]
    pending_import: dict[str, Any] | None
    advanced_settings: AdvancedSettings


class Receipt(BaseModel):
    """The evidence for the answer to a pause."""

    position: str | None  # The fact's place in the log. None: nothing was recorded.
    calls_in_progress: int
    permissions_abandoned: int
    contacts_pending: int
    guarantee: Literal["strict", "best effort"]
    settled_in_ms: float = MISSING  # Missing if the answer did not wait for it.


class CampaignChanged(CampaignAnswer):
    """A campaign that was changed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [CAMPAIGN | {"message": "Campaign updated successfully"}]}
    )

    message: str


class CampaignHalted(CampaignChanged):
    """A campaign that was paused or stopped, and the evidence that no further call begins."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [CAMPAIGN | {"status": "paused"} | PAUSED]}
    )

    receipt: Receipt


class CampaignTried(CampaignHalted):
    """The answer to `dry_run=true`: the campaign as it is, and the receipt that would result."""

    model_config = ConfigDict(json_schema_extra={"examples": [CAMPAIGN | TRIED]})

    dry_run: Literal[True]


class CampaignDeletedAnswer(BaseModel):
    """The answer to a deletion."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"message": "Campaign deleted successfully", "receipt": RECEIPT}]
        }
    )

    message: str
    receipt: Receipt


class Key(BaseModel):
    """The public description of an API key: never the key itself."""

    id: str
    key_prefix: str
    name: str | None
    scope: Scope
    permissions: list[Scope]
    rate_limit: int | None
    is_active: bool
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None
