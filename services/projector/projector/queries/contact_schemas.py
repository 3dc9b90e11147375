"""The schemas of contacts, executions and imports in the OpenAPI document. Pure."""

from typing import Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from campaigns.domain.contact import ContactStatus
from campaigns.domain.facts import Disposition
from campaigns.http.schemas import MISSING

_MADE = "2026-03-01T10:00:00+00:00"
CONTACT: dict[str, Any] = {
    "id": 7, "campaign_id": 1, "phone_number": "+15551234567", "name": "Ann", "email": None,
    "variables": {"name": "Ann"},
    "contact_data": {
        "company": None, "source": "csv_import", "variable_values": {"name": "Ann"},
        "custom_fields": {},
    },
    "status": "no_answer", "attempts": 1, "call_sid": "8c72…", "call_duration": 0,
    "call_status": "no-answer", "last_outcome": "no_answer", "next_attempt_at": None,
    "created_at": _MADE, "last_attempt_at": "2026-03-01T10:01:00+00:00",
    "completed_at": None, "error_message": None,
}  # fmt: skip
IMPORT: dict[str, Any] = {
    "id": 1, "import_id": 1, "campaign_id": 1, "status": "completed", "file_name": "x.csv",
    "total_rows": 252, "imported_count": 250, "received_count": 250, "progress_percentage": 100.0,
    "skipped_count": 1, "failed_count": 1,
    "errors": [{"line": 3, "reason": "there is no phone number"}], "error_message": None,
    "created_at": _MADE, "completed_at": _MADE,
}  # fmt: skip


Outcome = Literal["answered", "busy", "no_answer", "voicemail", "failed", "unknown"]
assert [one.replace("_", "-") for one in get_args(Outcome)] == [one.value for one in Disposition]


class Pagination(BaseModel):
    """Which page this is, in the documentation's words."""

    page: int
    per_page: int
    total_items: int
    total_pages: int
    has_next: bool
    has_prev: bool


class Listed(BaseModel):
    """Which stretch of a list this is, in the documentation's words and in the SDKs'."""

    pagination: Pagination
    total: int
    skip: int
    limit: int


class ContactData(BaseModel):
    """A contact's data, as the documentation nests them."""

    company: str | None
    source: str | None
    variable_values: dict[str, str]
    custom_fields: dict[str, Any]


class ContactAnswer(BaseModel):
    """A contact: nested as documented, flat for the SDKs."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONTACT]})

    id: int
    campaign_id: int
    phone_number: str
    name: str | None
    email: str | None
    variables: dict[str, str]
    contact_data: ContactData
    status: ContactStatus
    attempts: int
    call_sid: str | None
    call_duration: int | None
    call_status: Disposition | None  # As the carrier says it.
    last_outcome: Outcome | None
    next_attempt_at: AwareDatetime | None
    created_at: AwareDatetime | None
    last_attempt_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    error_message: str | None


class ContactList(Listed):
    """Contacts, in the order of their lists; the same under both names."""

    contacts: list[ContactAnswer]
    items: list[ContactAnswer]


class ExecutionData(BaseModel):
    """What is known of an attempt besides."""

    run: int
    attempt: int
    duration_seconds: int
    to_number: str = MISSING
    template_variables_used: dict[str, str] = MISSING
    error_details: str = MISSING
    retry_reason: str = MISSING


class ExecutionAnswer(BaseModel):
    """One attempt to reach a contact."""

    id: int
    execution_id: int
    campaign_id: int
    contact_id: int
    contact_name: str | None
    contact_phone: str | None
    status: ContactStatus
    call_id: str | None
    sms_id: str | None
    executed_at: AwareDatetime
    completed_at: AwareDatetime | None
    error_message: str | None
    execution_data: ExecutionData


class ExecutionList(Listed):
    """Executions, newest first; the same under both names."""

    executions: list[ExecutionAnswer]
    items: list[ExecutionAnswer]


class RowProblem(BaseModel):
    """A row of a file that could not be used. Line 1 is the header."""

    line: int
    reason: str


class ImportAnswer(BaseModel):
    """How an import stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [IMPORT]})

    id: int
    import_id: int
    campaign_id: int
    status: Literal["processing", "completed", "failed"]
    file_name: str | None
    total_rows: int
    imported_count: int
    received_count: int
    progress_percentage: float
    skipped_count: int
    failed_count: int
    errors: list[RowProblem]
    error_message: str | None
    created_at: AwareDatetime
    completed_at: AwareDatetime | None
