"""The schemas of webhooks' answers in the OpenAPI document. Pure; see campaigns.http.schemas."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

WEBHOOK: dict[str, Any] = {
    "id": "wh_0f7a3c52e9d84b61a2c4d5e6f7081923",
    "url": "https://example.com/dialgate",
    "types": ["campaign-paused"],
    "campaign_ids": None,
    "description": "CRM",
    "status": "active",
    "created_at": "2026-03-01T10:00:00+00:00",
    "cursor": "AQC3BwC9Xg",
    "behind": 0,
    "failing_since": None,
    "last_response": {"status": 200, "at": "2026-03-01T10:00:01+00:00", "error": None},
}


class WebhookResponse(BaseModel):
    """What a receiver answered last; `status` null: nothing."""

    status: int | None
    at: AwareDatetime
    error: str | None


class WebhookShown(BaseModel):
    """A webhook. `types` and `campaign_ids` null: all; `behind` counts to 1,000."""

    model_config = ConfigDict(json_schema_extra={"examples": [WEBHOOK]})

    id: str
    url: str
    types: list[str] | None
    campaign_ids: list[int] | None
    description: str | None
    status: Literal["active", "paused", "failing", "parked"]
    created_at: AwareDatetime
    cursor: str
    behind: int | None
    failing_since: AwareDatetime | None
    last_response: WebhookResponse | None


class WebhookList(BaseModel):
    """An organization's webhooks, newest first."""

    items: list[WebhookShown]
    total: int
    next: None
