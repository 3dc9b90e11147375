"""What facts of a campaign's lifecycle and of its lists say. Pure."""

from typing import assert_never

from campaigns.audit.masks import masked_text
from campaigns.audit.stories.phrases import because, counted, moment
from campaigns.domain.facts import (
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactsReplaced,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    RunEnded,
    Selection,
)
from campaigns.domain.values.schedule import Schedule

_SELECTED = {
    Selection.ALL: "all contacts",
    Selection.FAILED_ONLY: "those that failed",
    Selection.CONTACTS: "those that were named",
}


def lifecycle_text(
    fact: CampaignCreated
    | CampaignUpdated
    | CampaignDeleted
    | CampaignScheduled
    | CampaignUnscheduled
    | CampaignDue
    | RunEnded
    | CampaignFailed
    | CampaignStarted
    | CampaignPaused
    | CampaignResumed
    | CampaignStopped
    | CampaignCompleted
    | CampaignRearmed,
) -> str:
    """Return what a fact of a campaign's lifecycle says."""
    match fact:
        case CampaignCreated():
            return f"Created as a draft, “{fact.name}”, with {counted(fact.rows, 'contact')}."
        case CampaignUpdated():
            return f"Changed: {', '.join(_changed(fact)) or 'nothing'}."
        case CampaignDeleted():
            return f"Deleted; pending contacts are cancelled{because(fact.reason)}"
        case CampaignScheduled():
            return f"Scheduled to begin at {moment(fact.schedule.first_at)}{_often(fact.schedule)}."
        case CampaignUnscheduled():
            return "The schedule was removed; it is a draft again."
        case CampaignDue():
            again = "; all contacts are pending again" if fact.rearms else ""
            return f"Run {fact.run} began by its schedule, due at {moment(fact.due_at)}{again}."
        case RunEnded():
            return f"Run {fact.run} ended; the next begins at {moment(fact.next_at)}."
        case CampaignFailed():
            return f"Failed to begin by its schedule{because(fact.reason)}"
        case CampaignStarted():
            return f"Started: run {fact.run} began."
        case CampaignPaused():
            return f"Paused{because(fact.reason)}"
        case CampaignResumed():
            return f"Resumed{because(fact.reason)}"
        case CampaignStopped():
            return f"Stopped for good; pending contacts are cancelled{because(fact.reason)}"
        case CampaignCompleted():
            return f"Completed: every contact of run {fact.run} is done."
        case CampaignRearmed():
            selected = _SELECTED[fact.selection]
            return (
                f"Made a draft again, to call {counted(fact.contacts, 'contact')} again: {selected}"
                "; the others are skipped."
            )
        case unreachable:
            assert_never(unreachable)


def _changed(fact: CampaignUpdated) -> list[str]:
    """Return the names of what an update changes; settings with their new values."""
    changed = []
    for name in fact.__struct_fields__:
        if name in ("campaign_id", "updated_at") or (value := getattr(fact, name)) is None:
            continue
        if name == "settings":
            shown = (
                f"{one.replace('_', ' ')} {getattr(value, one)}"
                for one in (
                    "max_attempts", "retry_delay_minutes", "max_concurrent_calls",
                    "calls_per_minute",
                )
            )  # fmt: skip
            hours = value.calling_hours
            within = f", hours {hours.start} to {hours.end} {hours.time_zone}" if hours else ""
            changed.append(f"settings ({', '.join(shown)}{within})")
        elif name == "name":
            changed.append(f"name “{value}”")
        else:
            changed.append(name.replace("_", " "))
    return changed


def _often(schedule: Schedule) -> str:
    recurrence = schedule.recurrence
    if recurrence is None:
        return ", once"
    every = "" if recurrence.interval == 1 else f", every {recurrence.interval}"
    last = f", last on {recurrence.end_date}" if recurrence.end_date else ""
    return (
        f", {recurrence.frequency.value}{every} at {recurrence.time} {recurrence.time_zone}{last}"
    )


def import_text(
    fact: ContactsReplaced | ImportStarted | ImportCompleted | ImportFailed, *, reveal: bool
) -> str:
    """Return what a fact about a campaign's lists says."""
    match fact:
        case ContactsReplaced():
            return (
                f"Contacts up to {fact.through:,} that had never been called are gone:"
                " a list replaced them."
            )
        case ImportStarted():
            file = f" of {fact.file_name}" if fact.file_name else ""
            return f"Import {fact.number} began: {counted(fact.rows, 'row')}{file}."
        case ImportCompleted():
            which = (
                "Contacts were added" if fact.number is None else f"Import {fact.number} is done"
            )
            left_out = [
                counted(number, noun)
                for number, noun in ((fact.skipped, "duplicate"), (fact.failed, "unusable row"))
                if number
            ]
            without = f"; left out: {' and '.join(left_out)}" if left_out else ""
            return (
                f"{which}: {counted(fact.rows, 'contact')}, from contact"
                f" {fact.first_contact_id:,} on{without}."
            )
        case ImportFailed():
            why = fact.reason if reveal else masked_text(fact.reason)
            return f"Import {fact.number} failed, and none of it counts{because(why)}"
        case unreachable:
            assert_never(unreachable)
