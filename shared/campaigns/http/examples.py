"""Examples of answers for the OpenAPI document and the docs; tests check them against schemas."""

from typing import Any

_CREATED = "2026-03-01T10:00:00.123456+00:00"
CAMPAIGN: dict[str, Any] = {
    "id": 1, "organization_id": 1, "assistant_id": 1, "assistant_name": None, "name": "First",
    "description": None, "campaign_type": "call", "status": "draft",
    "welcome_message_template": None, "agenda_template": None,
    "end_call_message_template": None, "sms_message_template": None,
    "fallback_values": {}, "variable_mappings": {}, "available_variables": [],
    "pending_import": None, "max_attempts": 1, "retry_delay_minutes": 30,
    "total_contacts": 200, "completed_contacts": 0, "failed_contacts": 0, "pending_contacts": 200,
    "in_progress_contacts": 0, "cancelled_contacts": 0, "skipped_contacts": 0,
    "schedule": {
        "schedule_type": "immediate", "scheduled_at": None, "timezone": "UTC",
        "days_of_week": [], "start_time": None, "end_time": None, "recurring_config": None,
    },
    "settings": {
        "max_concurrent_calls": 20, "calls_per_minute": 1200, "max_attempts": 1,
        "retry_delay_minutes": 30, "leave_voicemail": False, "voicemail_message": None,
        "welcome_template": None, "agenda_template": None,
    },
    "execution_settings": {
        "concurrent_limit": 20, "rate_limit_per_minute": 1200, "allowed_hours": None,
        "time_zone": None,
    },
    "advanced_settings": {
        "enable_voicemail_detection": None, "leave_voicemail": False, "voicemail_message": None,
    },
    "phone_number_id": None, "from_phone_number": None, "failure_reason": None,
    "metrics": {
        "success_rate": 0.0, "answer_rate": 0.0, "average_duration_seconds": 0,
        "total_duration_seconds": 0.0, "actual_cost": 0.0,
    },
    "started_at": None, "completed_at": None, "created_at": _CREATED, "updated_at": _CREATED,
    "last_import_file_name": None, "last_import_date": None, "last_import_row_count": None,
}  # fmt: skip
RECEIPT: dict[str, Any] = {
    "position": "0@230", "calls_in_progress": 20, "permissions_abandoned": 0,
    "contacts_pending": 117, "guarantee": "strict", "settled_in_ms": 12.551,
}  # fmt: skip
TRIED: dict[str, Any] = {
    "message": "Campaign would be started", "dry_run": True,
    "receipt": {
        "position": None, "calls_in_progress": 0, "permissions_abandoned": 0,
        "contacts_pending": 200, "guarantee": "strict",
    },
}  # fmt: skip
PAUSED = {"message": "Campaign paused successfully", "receipt": RECEIPT}
