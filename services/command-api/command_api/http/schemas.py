"""What commands answer, for the OpenAPI document. Pure; see campaigns.http.schemas."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from campaigns.http.examples import CAMPAIGN
from campaigns.http.schemas import CampaignChanged, Key

STARTED: dict[str, Any] = {
    "success": True, "message": "Campaign execution started immediately",
    "task_id": "0b5c…", "campaign_id": 1, "scheduled_time": None,
}  # fmt: skip
REARMED: dict[str, Any] = {
    "success": True, "message": "Campaign ready for re-execution with 150 contacts",
    "campaign_id": 1, "contacts_reset": 150, "schedule_type": "immediate", "scheduled_time": None,
}  # fmt: skip
IMPORTED: dict[str, Any] = {
    "success": True, "message": "Successfully imported 250 contacts", "import_id": 1,
    "status": "completed", "imported_count": 250, "skipped_count": 0, "failed_count": 0,
    "errors": [], "total_contacts": 250, "file_name": "x.csv",
    "import_date": "2026-03-01T10:00:00+00:00",
}  # fmt: skip


class CampaignBegun(CampaignChanged):
    """A campaign that was started or resumed, or whose schedule was confirmed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [CAMPAIGN | {"status": "running"} | STARTED]}
    )

    success: Literal[True]
    task_id: str
    campaign_id: int
    scheduled_time: AwareDatetime | None


class CampaignRearmedAnswer(CampaignChanged):
    """A campaign that is ready for another run."""

    model_config = ConfigDict(json_schema_extra={"examples": [CAMPAIGN | REARMED]})

    success: Literal[True]
    campaign_id: int
    contacts_reset: int
    schedule_type: Literal["immediate", "once", "recurring"]
    scheduled_time: AwareDatetime | None


class CampaignScheduledAnswer(CampaignChanged):
    """A campaign whose schedule was saved or removed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [CAMPAIGN | {"success": True, "message": "Schedule saved"}]}
    )

    success: Literal[True]


class UnusableRow(BaseModel):
    """A row of a file that could not be used. Line 1 is the header."""

    line: int
    reason: str


class ImportedAnswer(BaseModel):
    """The outcome of an import; `import_id` and `file_name` are null for JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [IMPORTED]})

    success: Literal[True]
    message: str
    import_id: int | None
    status: Literal["completed", "processing"]
    imported_count: int
    skipped_count: int
    failed_count: int
    errors: list[UnusableRow]
    total_contacts: int
    file_name: str | None
    import_date: AwareDatetime


class PreviewAnswer(BaseModel):
    """A rendered template; a mistake in it is an answer too."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"success": True, "rendered_template": "Hello Ann"}]}
    )

    success: bool
    rendered_template: str


class KeyMade(Key):
    """A new key, with its secret, which is shown once."""

    key: str


class WebhookChange(BaseModel):
    """A webhook, as a command leaves it; `dry_run`: as it is."""

    id: str | None
    url: str | None = None
    types: list[str] | None = None
    campaign_ids: list[int] | None = None
    description: str | None = None
    status: Literal["active", "paused"] | None = None
    created_at: AwareDatetime | None = None
    dry_run: bool | None = None


class WebhookMade(WebhookChange):
    """A webhook with its new secret, which is shown this once."""

    secret: str | None = None


class WebhookEnd(BaseModel):
    """A webhook to which nothing is delivered any more."""

    id: str
    message: str


class WebhookTried(BaseModel):
    """What became of one event that tells nothing."""

    delivered: bool
    status: int | None
    error: str | None
    took_ms: float


class KeyRevoked(Key):
    """A key that was revoked."""

    message: str
