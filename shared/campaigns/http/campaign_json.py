"""A campaign as JSON in the public contract's shape, computed from its state. Pure.

A superset that satisfies the documentation and the SDKs. Source: contract 8.3 and 8.4.
"""

from datetime import datetime
from typing import Any

from campaigns.domain.api_keys import ApiKeys, key_id
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import Scope
from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.domain.values.instants import instant
from campaigns.domain.values.schedule import Recurrence, Schedule

Shape = dict[str, Any]  # Any: JSON.


def at(time: datetime | None) -> str | None:
    """Return a time in the format of the answers, or None."""
    return instant(time) if time else None


# The fields that a row of a list lacks: texts that the documentation shows only for a single
# campaign, and those that `settings` repeats, where the SDKs read them.
LEFT_OUT = (
    "welcome_message_template", "agenda_template", "end_call_message_template",
    "sms_message_template", "fallback_values", "variable_mappings", "available_variables",
    "pending_import", "advanced_settings",
)  # fmt: skip


def campaign_shape(campaign: Campaign, *, texts: bool = True) -> Shape:
    """Return a campaign as every answer shows it; settings appear under both their names.

    With `texts` False: a row of a list, without LEFT_OUT.
    """
    shape = _campaign_shape(campaign)
    if not texts:
        for name in LEFT_OUT:
            del shape[name]
    return shape


def _campaign_shape(campaign: Campaign) -> Shape:
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
        "schedule": schedule_shape(campaign),
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
            "allowed_hours": hours_shape(settings.calling_hours),
            "time_zone": settings.calling_hours.time_zone if settings.calling_hours else None,
        },
        "advanced_settings": {
            "enable_voicemail_detection": settings.enable_voicemail_detection,
            "leave_voicemail": settings.leave_voicemail,
            "voicemail_message": settings.voicemail_message,
        },
        "phone_number_id": created.phone_number_id,
        "from_phone_number": None,
        "failure_reason": campaign.failure,
        "metrics": metrics_shape(campaign),
        "started_at": at(campaign.started_at),
        "completed_at": at(campaign.completed_at),
        "created_at": at(created.created_at),
        "updated_at": at(campaign.updated_at),
        "last_import_file_name": campaign.last_import_file_name,
        "last_import_date": at(campaign.last_import_date),
        "last_import_row_count": campaign.last_import_row_count,
    }


def type_of(schedule: Schedule | None) -> str:
    """Return the type of an embedded schedule: a one-off shows `once` (contract 9.23)."""
    if schedule is None:
        return "immediate"
    return "once" if schedule.recurrence is None else "recurring"


def schedule_shape(campaign: Campaign) -> Shape:
    """Return a campaign's embedded schedule: never null (contract 8.3), days from 0."""
    schedule = campaign.schedule
    hours = schedule.hours if schedule else None
    recurrence = schedule.recurrence if schedule else None
    return {
        "schedule_type": type_of(schedule),
        "scheduled_at": at(campaign.next_at or schedule.first_at) if schedule else None,
        "timezone": schedule.time_zone if schedule else "UTC",
        "days_of_week": [day - 1 for day in recurrence.days_of_week] if recurrence else [],
        "start_time": hours.start if hours else None,
        "end_time": hours.end if hours else None,
        "recurring_config": recurring_shape(recurrence) if recurrence else None,
    }


def recurring_shape(recurrence: Recurrence) -> Shape:
    """Return a recurrence in the documentation's format: days from 1."""
    return {
        "frequency": recurrence.frequency.value,
        "interval": recurrence.interval,
        "days_of_week": list(recurrence.days_of_week),
        "day_of_month": recurrence.day_of_month,
        "time": recurrence.time,
        "time_zone": recurrence.time_zone,
        "end_date": recurrence.end_date.isoformat() if recurrence.end_date else None,
    }


def hours_shape(hours: CallingHours | None) -> Shape | None:
    """Return calling hours in the guide's format."""
    if hours is None:
        return None
    return {"start": hours.start, "end": hours.end, "days": [_DAYS[day - 1] for day in hours.days]}


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def key_shape(keys: ApiKeys, hashed: str) -> Shape:
    """Return the public description of an API key: never the key itself."""
    made, revoked_at = keys.created[hashed], keys.revoked_at.get(hashed)
    scopes = list(Scope)
    return {
        "id": key_id(hashed),
        "key_prefix": made.key_prefix,
        "name": made.name,
        "scope": made.scope.value,
        "permissions": [one.value for one in scopes[: scopes.index(made.scope) + 1]],
        "rate_limit": made.rate_per_minute,
        "is_active": revoked_at is None,
        "created_at": at(made.created_at),
        "revoked_at": at(revoked_at),
    }


def metrics_shape(campaign: Campaign) -> Shape:
    """Return rates in percent (two decimals) and talk time in seconds.

    The average is over completed contacts; the answer rate is of calls made. Source: contract 1.3.
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
    """Return a percentage, 0..100 with two decimals; 0 if `whole` is 0."""
    return round(100 * part / whole, 2) if whole else 0.0
