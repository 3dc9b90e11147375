"""The JSON of the public contract for contacts, executions, imports, progress, pauses. Pure.

Source: contract 1.3 rows 10, 12, 13, 14; 8.4; 9.6, 9.7, 9.21.
"""

from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus, shown
from campaigns.domain.facts import Disposition
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import ERASED, Row
from campaigns.http.campaign_json import Shape, at, metrics_shape, percent
from projector.projections.changes import Execution, Import
from projector.projections.executions import OUTCOME_UNKNOWN

FORGOTTEN = Row(phone_number=ERASED)  # Shown for a contact that is forgotten.


def contact_shape(
    campaign: Campaign,
    contact: Contact,
    row: Row | None,
    source: str | None,
    created_at: str | None,
) -> Shape:
    """Return a contact: the documented keys nested, the SDK's flat (contract 8.3 row 5)."""
    unknown = contact.last_outcome is Disposition.UNKNOWN
    status = shown(campaign, contact)
    done = status is ContactStatus.COMPLETED
    given = row or FORGOTTEN
    return {
        "id": contact.contact_id,
        "campaign_id": campaign.campaign_id,
        "phone_number": given.phone_number,
        "name": given.name,
        "email": given.email,
        "variables": given.variables,
        "contact_data": {
            "company": given.variables.get("company"),
            "source": source,
            "variable_values": given.variables,
            "custom_fields": {},
        },
        "status": status.value,
        "attempts": contact.attempts,
        "call_sid": contact.call_id,
        "call_duration": round(contact.duration_s) if contact.ended_at else None,
        "call_status": contact.last_outcome.value if contact.last_outcome else None,
        "last_outcome": contact.last_outcome.value.replace("-", "_")  # Spelt like a status.
        if contact.last_outcome
        else None,
        "next_attempt_at": at(contact.due_at) if status is ContactStatus.PENDING else None,
        "created_at": created_at,
        "last_attempt_at": at(contact.last_attempt_at),
        "completed_at": at(contact.ended_at) if done else None,
        "error_message": OUTCOME_UNKNOWN if unknown else contact.error,
    }


def execution_shape(campaign: Campaign, execution: Execution, row: Row | None) -> Shape:
    """Return one attempt to reach a contact."""
    details: Shape = {
        "run": execution.run,
        "attempt": execution.attempt,
        "duration_seconds": round(execution.duration_s),
    }
    if row:
        details["to_number"] = row.phone_number
        details["template_variables_used"] = row.variables
    if execution.error:
        details["error_details"] = execution.error
    if execution.retry_at:
        minutes = campaign.settings.retry_delay_minutes
        details["retry_reason"] = f"Will retry in {minutes} minutes"
    return {
        "id": execution.execution_id,
        "execution_id": execution.execution_id,
        "campaign_id": campaign.campaign_id,
        "contact_id": execution.contact_id,
        "contact_name": row.name if row else None,
        "contact_phone": row.phone_number if row else None,
        "status": execution.status,
        "call_id": execution.call_id,
        "sms_id": None,
        "executed_at": at(execution.executed_at),
        "completed_at": at(execution.ended_at),
        "error_message": execution.error,
        "execution_data": details,
    }


def activity_shape(execution: Execution, row: Row | None) -> Shape:
    """Return one line of a campaign's recent activity."""
    return {
        "execution_id": execution.execution_id,
        "contact_id": execution.contact_id,
        "contact_phone": row.phone_number if row else None,
        "status": execution.status,
        "executed_at": at(execution.executed_at),
        "call_id": execution.call_id,
    }


def import_shape(campaign_id: int, one: Import, received: int) -> Shape:
    """Return the state of an import. `received`: rows that have arrived, while it is under way.

    `imported_count` is 0 until the whole list counts.
    """
    done = one.status == "completed"
    return {
        "id": one.number,
        "import_id": one.number,
        "campaign_id": campaign_id,
        "status": one.status,
        "file_name": one.file_name,
        "total_rows": one.total_rows,
        "imported_count": one.imported,
        "received_count": one.imported if done else received,
        "progress_percentage": 100.0 if done else percent(received, one.total_rows),
        "skipped_count": one.skipped,
        "failed_count": one.failed,
        "errors": one.errors,
        "error_message": one.error,
        "created_at": at(one.created_at),
        "completed_at": at(one.completed_at),
    }


def progress_shape(campaign: Campaign, activity: list[tuple[Execution, Row | None]]) -> Shape:
    """Return a campaign's progress, with both sets of keys (contract 8.3 row 18).

    `activity`: the newest executions, newest first.
    """
    counters, metrics = campaign.counters, metrics_shape(campaign)
    share = percent(counters.completed + counters.failed, counters.total)
    times = [time for one, _ in activity[:1] for time in (one.executed_at, one.ended_at) if time]
    changed = max([campaign.updated_at or campaign.created.created_at, *times])
    return {
        "campaign_id": campaign.campaign_id,
        "status": campaign.status.value,
        "progress": {
            "total_contacts": counters.total,
            "completed": counters.completed,
            "failed": counters.failed,
            "processing": counters.in_progress,
            "pending": counters.pending,
            "cancelled": counters.cancelled,
            "skipped": counters.skipped,
            "progress_percentage": share,
            "success_rate": metrics["success_rate"],
        },
        "metrics": {
            **metrics,
            "completion_rate": share,
            "cost_estimate": 0.0,
            "last_updated": at(changed),
        },
        "total_contacts": counters.total,
        "completed_contacts": counters.completed,
        "failed_contacts": counters.failed,
        "pending_contacts": counters.pending,
        "in_progress_contacts": counters.in_progress,
        "cancelled_contacts": counters.cancelled,
        "skipped_contacts": counters.skipped,
        "completion_percentage": share,
        "success_rate": metrics["success_rate"],
        "total_cost": 0.0,
        "estimated_completion": None,
        "started_at": at(campaign.started_at),
        "completed_at": at(campaign.completed_at),
        "recent_activity": [activity_shape(one, row) for one, row in activity],
    }


def pause_shape(campaign: Campaign) -> Shape:
    """Return how far a pause has settled; after a stop, or before a start, only the phase.

    `settling` lasts until every permission is resolved; the answer to the pause itself may come
    earlier, when the leases have expired. Source: contract 10.
    """
    if campaign.status is Status.RUNNING:
        phase = "running"
    elif campaign.permissions():
        phase = "settling"  # A ring may still begin.
    else:
        phase = "settled" if campaign.calls else "drained"
    paused = campaign.pause if campaign.status is Status.PAUSED else None
    return {
        "campaign_id": campaign.campaign_id,
        "phase": phase,
        "since": at(campaign.paused_at) if paused else None,
        "reason": campaign.pause_reason if paused else None,
        "until": None,
        "actor": paused.actor if paused else None,
        "receipt": receipt_shape(campaign, paused.at, campaign.abandoned) if paused else None,
    }
