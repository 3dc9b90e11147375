"""Folds each fact into a campaign's state. Pure.

`evolve` is total and changes the state in place: what is recorded has happened, and a fold of
millions of facts should not copy. Folding a fact never costs more than its own size: a stop or a
replacing import is an epoch, from which each contact's status is derived (`contact.current`,
`contact.shown`).
"""

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from campaigns.domain.call_evolution import evolve_call
from campaigns.domain.campaign import Campaign, Change, Counters, ImportUnderWay
from campaigns.domain.facts import (
    AnyCampaignFact,
    CallFact,
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignErased,
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactErased,
    ContactExhausted,
    ContactsFact,
    ContactSkipped,
    ContactsReplaced,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    RunEnded,
    Selection,
)
from campaigns.domain.moves import FINAL, Status

_ELSEWHERE = (
    ContactsFact,
    ContactExhausted,
    ContactSkipped,
    ContactErased,
)  # Facts of other streams; calls are too.


def evolve(
    campaign: Campaign | None,
    fact: AnyCampaignFact,
    position: int,
    *,
    partition: int = 0,
    actor: str = "",
) -> Campaign | None:
    """Fold one accepted fact, in place. Total: a senseless fact (a foreign producer's) is ignored.

    Returns the campaign, or None if it was never created.
    """
    if isinstance(fact, CallFact):  # Nearly all facts of a log, so these come first.
        if campaign is not None:
            evolve_call(campaign, fact, position)
        return campaign
    if isinstance(fact, CampaignCreated):
        return campaign or _created(fact, Change(fact.TYPE, f"{partition}@{position}", actor))
    if campaign is None:
        return None
    if not isinstance(fact, _ELSEWHERE):
        campaign.version += 1
        campaign.changed = Change(fact.TYPE, f"{partition}@{position}", actor)
    match fact:
        case CampaignUpdated():
            _updated(campaign, fact)
        case CampaignDeleted():
            if campaign.status not in FINAL:
                _halted(campaign, fact.deleted_at, position)
            campaign.deleted, campaign.updated_at = True, fact.deleted_at
        case (
            CampaignScheduled() | CampaignUnscheduled() | CampaignDue() | RunEnded()
            | CampaignFailed()
        ):  # fmt: skip
            _turned(campaign, fact)
        case CampaignStarted():
            _started(campaign, fact.run, fact.started_at)
        case CampaignPaused():
            _paused(campaign, fact, position)
        case CampaignResumed():
            campaign.status = Status.RUNNING
            campaign.paused_at = campaign.pause_reason = campaign.pause = None
            campaign.updated_at = fact.resumed_at
        case CampaignStopped():
            _halted(campaign, fact.stopped_at, position)
        case CampaignCompleted():
            campaign.status = Status.COMPLETED
            campaign.completed_at = campaign.updated_at = fact.completed_at
        case CampaignRearmed():
            _rearmed(campaign, fact.selection, fact.contacts, fact.untouched)
            campaign.status, campaign.updated_at = Status.DRAFT, fact.rearmed_at
            campaign.schedule = campaign.next_at = campaign.failure = None
        case ContactsReplaced():
            _replaced(campaign, fact)
        case ImportStarted() | ImportCompleted() | ImportFailed():
            _imported(campaign, fact)
        case ContactExhausted() | ContactSkipped() | ContactErased() | CampaignErased():
            _closed(campaign, fact)
        case unreachable:
            assert_never(unreachable)
    return campaign


def _closed(
    campaign: Campaign, fact: ContactExhausted | ContactSkipped | ContactErased | CampaignErased
) -> None:
    """Fold that contacts are not called, or are forgotten."""
    match fact:
        case ContactExhausted() if campaign.status not in FINAL:
            campaign.counters.pending -= 1
            campaign.counters.failed += 1
        case ContactSkipped() if campaign.status not in FINAL:
            campaign.counters.pending -= 1
            campaign.counters.total -= 1
            campaign.counters.skipped += 1
            campaign.counters.untouched -= not fact.tried
        case CampaignErased():
            campaign.erased_through = max(campaign.erased_through, fact.through)
        case _:
            return  # What was over before; what is its contact's own.


def _created(fact: CampaignCreated, changed: Change) -> Campaign:
    counters = Counters(total=fact.rows, pending=fact.rows, untouched=fact.rows)
    return Campaign(
        fact,
        changed=changed,
        counters=counters,
        contacts_end=fact.rows,
        updated_at=fact.created_at,
        variable_mappings=fact.variable_mappings,
        available_variables=fact.available_variables,
    )


def _turned(
    campaign: Campaign,
    fact: CampaignScheduled | CampaignUnscheduled | CampaignDue | RunEnded | CampaignFailed,
) -> None:
    """Fold what a schedule causes."""
    match fact:
        case CampaignScheduled():
            campaign.status = Status.SCHEDULED
            campaign.schedule, campaign.next_at = fact.schedule, fact.schedule.first_at
            campaign.updated_at = fact.scheduled_at
        case CampaignUnscheduled():
            if campaign.rearms:
                _rearmed_all(campaign)
            campaign.status, campaign.updated_at = Status.DRAFT, fact.unscheduled_at
            campaign.schedule = campaign.next_at = None
        case CampaignDue():
            if fact.rearms:
                _rearmed_all(campaign)
            _started(campaign, fact.run, fact.started_at)
        case RunEnded():
            campaign.status, campaign.rearms = Status.SCHEDULED, True
            campaign.next_at = fact.next_at
            campaign.completed_at = campaign.updated_at = fact.ended_at
        case CampaignFailed():
            campaign.status, campaign.failure = Status.FAILED, fact.reason
            campaign.completed_at = campaign.updated_at = fact.failed_at


def _started(campaign: Campaign, run: int, at: datetime) -> None:
    campaign.status, campaign.run, campaign.strict = Status.RUNNING, run, True
    campaign.started_at = campaign.updated_at = at
    campaign.completed_at = campaign.next_at = None


_UPDATABLE = (
    "name", "description", "welcome_message_template", "agenda_template",
    "end_call_message_template", "sms_message_template", "fallback_values", "settings",
    "phone_number_id", "pending_import",
)  # fmt: skip


def _updated(campaign: Campaign, fact: CampaignUpdated) -> None:
    new = {name: value for name in _UPDATABLE if (value := getattr(fact, name)) is not None}
    campaign.created = replace(campaign.created, **new)
    if fact.variable_mappings is not None:
        campaign.variable_mappings = fact.variable_mappings
    if fact.available_variables is not None:
        campaign.available_variables = fact.available_variables
    campaign.updated_at = fact.updated_at


def _paused(campaign: Campaign, fact: CampaignPaused, position: int) -> None:
    campaign.status, campaign.pause = Status.PAUSED, campaign.changed
    campaign.halted_position, campaign.abandoned = position, 0
    campaign.paused_at = campaign.updated_at = fact.paused_at
    campaign.pause_reason = fact.reason


def _halted(campaign: Campaign, at: datetime, position: int) -> None:
    counters = campaign.counters
    counters.cancelled += counters.pending
    counters.pending = counters.untouched = 0
    campaign.status, campaign.stopped_position = Status.CANCELLED, position
    campaign.halted_position, campaign.abandoned = position, 0
    campaign.completed_at = campaign.updated_at = at


def _rearmed(campaign: Campaign, selection: Selection, contacts: int, untouched: int) -> None:
    present = campaign.counters.total + campaign.counters.skipped
    campaign.counters = Counters(
        total=contacts, pending=contacts, untouched=untouched, skipped=present - contacts
    )
    campaign.epoch, campaign.selection = campaign.epoch + 1, selection
    campaign.rearmed_through, campaign.rearmed_run = campaign.contacts_end, campaign.run
    campaign.late, campaign.strict = set(), True
    campaign.ended = campaign.answered = 0
    campaign.talk_s = 0.0
    campaign.started_at = campaign.completed_at = None
    campaign.rearms = False


def _rearmed_all(campaign: Campaign) -> None:
    present = campaign.counters.total + campaign.counters.skipped
    _rearmed(campaign, Selection.ALL, present, campaign.never_tried)


def _replaced(campaign: Campaign, fact: ContactsReplaced) -> None:
    counters = campaign.counters
    counters.skipped -= campaign.never_tried - counters.untouched
    counters.total -= counters.untouched
    counters.pending -= counters.untouched
    counters.untouched = 0
    campaign.replaced_through = max(campaign.replaced_through, fact.through)


def _imported(campaign: Campaign, fact: ImportStarted | ImportCompleted | ImportFailed) -> None:
    """Fold the start or the end of an import."""
    match fact:
        case ImportStarted():
            campaign.imports = fact.number
            campaign.importing = ImportUnderWay(
                fact.import_id, fact.number, fact.rows, fact.started_at
            )
        case ImportCompleted():
            _counted(campaign, fact)
        case ImportFailed():
            campaign.importing, campaign.imported_at = None, fact.failed_at


def _counted(campaign: Campaign, fact: ImportCompleted) -> None:
    counters = campaign.counters
    counters.total += fact.rows
    counters.pending += fact.rows
    counters.untouched += fact.rows
    campaign.contacts_end = max(campaign.contacts_end, fact.first_contact_id + fact.rows - 1)
    campaign.updated_at = fact.completed_at
    if fact.number is not None:
        campaign.imports, campaign.importing = max(campaign.imports, fact.number), None
        campaign.imported_at = fact.completed_at
        campaign.last_import_file_name = fact.file_name
        campaign.last_import_date = fact.completed_at
        campaign.last_import_row_count = fact.rows
    if fact.variable_mappings:
        campaign.variable_mappings = fact.variable_mappings
    if fact.available_variables:
        known = dict.fromkeys((*campaign.available_variables, *fact.available_variables))
        campaign.available_variables = tuple(known)
