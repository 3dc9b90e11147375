"""The facts that most tests need, with ordinary values in the fields that do not matter."""

from datetime import datetime, timedelta
from typing import Any

from campaigns.domain.facts import (
    CallEnded,
    CallRequested,
    CallStarted,
    CampaignCreated,
    CampaignType,
    Disposition,
)
from campaigns.domain.values.campaign_settings import CampaignSettings


def campaign_created(
    campaign_id: int, created_at: datetime, **fields: Any
) -> CampaignCreated:  # Any: fields of every type.
    """Return a campaign without contacts, of organization 1; `fields` replace its values."""
    ordinary: dict[str, Any] = {
        "organization_id": 1,
        "assistant_id": 1,
        "name": "Sample",
        "description": None,
        "campaign_type": CampaignType.CALL,
        "welcome_message_template": None,
        "agenda_template": None,
        "end_call_message_template": None,
        "sms_message_template": None,
        "fallback_values": {},
        "variable_mappings": {},
        "available_variables": (),
        "settings": CampaignSettings(),
        "phone_number_id": None,
        "pending_import": None,
        "import_id": None,
        "rows": 0,
    }
    return CampaignCreated(campaign_id=campaign_id, created_at=created_at, **(ordinary | fields))


def call_requested(
    campaign_id: int, contact_id: int, call_id: str, now: datetime, **fields: Any
) -> CallRequested:  # Any: fields of every type.
    """Return a request of a first attempt; `fields` replace its values."""
    lease_s = fields.get("lease_s", 2.0)
    ordinary: dict[str, Any] = {
        "run": 1,
        "attempt": 1,
        "ring_by": now + timedelta(seconds=lease_s),
        "lease_s": lease_s,
        "carrier_timeout_s": 5.0,
        "refuses_late": True,
    }
    return CallRequested(
        campaign_id=campaign_id,
        contact_id=contact_id,
        call_id=call_id,
        requested_at=now,
        **(ordinary | fields),
    )


def call_started(request: CallRequested, now: datetime) -> CallStarted:
    """Return the start of a requested call."""
    return CallStarted(**_named(request), started_at=now)


def call_ended(
    request: CallRequested, now: datetime, disposition: Disposition, duration_s: float = 1.0
) -> CallEnded:
    """Return the end of a requested call, without another attempt."""
    return CallEnded(
        **_named(request),
        disposition=disposition,
        duration_s=duration_s,
        error=None,
        retry_at=None,
        ended_at=now,
    )


def _named(request: CallRequested) -> dict[str, Any]:  # Any: ids and numbers.
    names = ("campaign_id", "contact_id", "call_id", "run", "attempt")
    return {name: getattr(request, name) for name in names}
