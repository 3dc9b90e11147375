"""The public contract's shape of a campaign, made from its state. Pure.

A superset that satisfies the documentation and the SDKs. Source: public contract, 8.3 and 8.4.
"""

from datetime import datetime
from typing import Any

from campaigns.campaign import Campaign
from campaigns.facts import instant

Shape = dict[str, Any]  # Any: JSON.


def at(time: datetime | None) -> str | None:
    """Return a time as answers spell it, or None."""
    return instant(time) if time else None


def campaign_shape(campaign: Campaign) -> Shape:
    """Return a campaign as every answer shows it; settings stand under both their names."""
    created, settings, counters = campaign.created, campaign.settings, campaign.counters
    return {
        "id": campaign.campaign_id,
        "organization_id": created.organization_id,
        "assistant_id": created.assistant_id,
        "assistant_name": None,
        "name": created.name,
        "description": created.description,
        "campaign_type": created.campaign_type.value,
        "status": campaign.status.value,
        "welcome_message_template": created.welcome_message_template,
        "agenda_template": created.agenda_template,
        "end_call_message_template": created.end_call_message_template,
        "sms_message_template": created.sms_message_template,
        "fallback_values": created.fallback_values,
        "variable_mappings": campaign.variable_mappings,
        "available_variables": list(campaign.available_variables),
        "pending_import": created.pending_import,
        "max_attempts": settings.max_attempts,
        "retry_delay_minutes": settings.retry_delay_minutes,
        "total_contacts": counters.total,
        "completed_contacts": counters.completed,
        "failed_contacts": counters.failed,
        "pending_contacts": counters.pending,
        "in_progress_contacts": counters.in_progress,
        "cancelled_contacts": counters.cancelled,
        "skipped_contacts": counters.skipped,
        "schedule": _IMMEDIATE,
        "settings": {
            "max_concurrent_calls": settings.max_concurrent_calls,
            "calls_per_minute": settings.calls_per_minute,
            "max_attempts": settings.max_attempts,
            "retry_delay_minutes": settings.retry_delay_minutes,
            "leave_voicemail": settings.leave_voicemail,
            "voicemail_message": settings.voicemail_message,
            "welcome_template": created.welcome_message_template,
            "agenda_template": created.agenda_template,
        },
        "execution_settings": {
            "concurrent_limit": settings.max_concurrent_calls,
            "rate_limit_per_minute": settings.calls_per_minute,
        },
        "phone_number_id": created.phone_number_id,
        "from_phone_number": None,
        "metrics": metrics_shape(campaign),
        "started_at": at(campaign.started_at),
        "completed_at": at(campaign.completed_at),
        "created_at": at(created.created_at),
        "updated_at": at(campaign.updated_at),
        "last_import_file_name": campaign.last_import_file_name,
        "last_import_date": at(campaign.last_import_date),
        "last_import_row_count": campaign.last_import_row_count,
    }


_IMMEDIATE: Shape = {
    "schedule_type": "immediate",
    "scheduled_at": None,
    "timezone": "UTC",
    "days_of_week": [],
    "start_time": None,
    "end_time": None,
    "recurring_config": None,
}


def receipt_shape(campaign: Campaign, position: str | None) -> Shape:
    """Return what a pause's answer rests on. `position`: of the fact in the log."""
    return {
        "position": position,
        "calls_in_progress": len(campaign.calling()),
        "permissions_abandoned": 0,
        "contacts_pending": campaign.counters.pending,
        # Strict when every carrier of the run refuses late rings.
        "guarantee": "strict" if campaign.strict else "best effort",
    }


def metrics_shape(campaign: Campaign) -> Shape:
    """Return rates in percent (two decimals) and talk in seconds.

    Source: public contract, 1.3 row 13: averaged over completed; answered of calls made.
    """
    counters = campaign.counters
    return {
        "success_rate": percent(counters.completed, counters.completed + counters.failed),
        "answer_rate": percent(campaign.answered, campaign.ended),
        "average_duration_seconds": round(campaign.talk_s / counters.completed, 2)
        if counters.completed
        else 0,
        "total_duration_seconds": round(campaign.talk_s, 2),
        "actual_cost": 0.0,
    }


def percent(part: float, whole: float) -> float:
    """Return a percentage, 0..100 with two decimals; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0
