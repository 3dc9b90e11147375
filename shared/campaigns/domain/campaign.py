"""One campaign's state, counters included: its legal moves as a table, and evolve. Pure.

`evolve` is total and changes the state in place: what is recorded has happened, and a fold of
millions of facts should not copy. No fact costs more to fold than its own size: a stop or a
replacing import is an epoch, from which each contact's status is derived (`shown`).
"""

import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from campaigns.domain.carrier_refusals import UNPLACED, Unplaced, again
from campaigns.domain.codec import Codec
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallEvent,
    CallFact,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignEvent,
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignSettings,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactExhausted,
    ContactsFact,
    ContactsReplaced,
    Disposition,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    RunEnded,
    Schedule,
    Selection,
)


class Status(StrEnum):
    """A campaign's status. Source: public contract, section 2."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Move(StrEnum):
    """What may be asked of a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    COMPLETE = "complete"
    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    BEGIN = "come due"
    END_RUN = "end a run"
    FAIL = "fail"
    REARM = "re-execute"
    UPDATE = "update"
    DELETE = "delete"
    IMPORT = "import"
    APPEND = "append"


# The legal moves: from which status each is allowed. Source: public contract, section 2, and
# 'decided' 19, 20, 22.
MOVES: dict[Move, frozenset[Status]] = {
    Move.START: frozenset({Status.DRAFT, Status.SCHEDULED, Status.PAUSED}),
    Move.PAUSE: frozenset({Status.RUNNING}),
    Move.RESUME: frozenset({Status.PAUSED}),
    Move.STOP: frozenset({Status.RUNNING, Status.PAUSED, Status.SCHEDULED}),
    Move.COMPLETE: frozenset({Status.RUNNING, Status.PAUSED}),
    Move.SCHEDULE: frozenset({Status.DRAFT, Status.SCHEDULED}),
    Move.UNSCHEDULE: frozenset({Status.SCHEDULED}),
    Move.BEGIN: frozenset({Status.SCHEDULED}),
    Move.END_RUN: frozenset({Status.RUNNING, Status.PAUSED}),
    Move.FAIL: frozenset({Status.SCHEDULED}),
    Move.REARM: frozenset({Status.COMPLETED, Status.CANCELLED, Status.FAILED}),
    Move.UPDATE: frozenset({Status.DRAFT, Status.PAUSED}),
    Move.DELETE: frozenset(Status) - {Status.RUNNING},
    Move.IMPORT: frozenset({Status.DRAFT, Status.SCHEDULED, Status.PAUSED}),
    Move.APPEND: frozenset({Status.DRAFT, Status.SCHEDULED, Status.RUNNING, Status.PAUSED}),
}
FINAL = frozenset({Status.COMPLETED, Status.CANCELLED, Status.FAILED})


class ContactStatus(StrEnum):
    """A contact's status. Source: public contract, section 3, and 'decided' 5."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    VOICEMAIL = "voicemail"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


ENDS_AS: dict[Disposition, ContactStatus] = {
    Disposition.ANSWERED: ContactStatus.COMPLETED,
    Disposition.BUSY: ContactStatus.BUSY,
    Disposition.NO_ANSWER: ContactStatus.NO_ANSWER,
    Disposition.VOICEMAIL: ContactStatus.VOICEMAIL,
    Disposition.FAILED: ContactStatus.FAILED,
    Disposition.UNKNOWN: ContactStatus.FAILED,
}

FLOAT_MAX = sys.float_info.max

FAILED = frozenset(ENDS_AS.values()) - {ContactStatus.COMPLETED}  # Counted as failed.

# Retried, within max_attempts. Source: public contract, 'decided' 7; unknown may have rung.
RETRIED = frozenset({Disposition.NO_ANSWER, Disposition.BUSY, Disposition.FAILED})


@dataclass(slots=True)
class OpenCall:
    """A permission that is not resolved, or a call that is under way."""

    call_id: str
    contact_id: int
    run: int
    attempt: int
    position: int  # Of its CallRequested.
    requested_at: datetime
    ring_by: datetime
    lease_s: float
    carrier_timeout_s: float
    refuses_late: bool
    started_at: datetime | None = None  # None: a permission, not used yet as far as we know.
    execution: int | None = None  # Its ordinal in the campaign, once it has started.
    first: bool = False  # The contact was never attempted before, in any run.
    carrier: str | None = None  # Whom it permits to ring. None: its CallRequested does not say.


@dataclass(slots=True)
class ImportUnderWay:
    """A list that is on its way in."""

    import_id: str
    number: int
    rows: int
    started_at: datetime


@dataclass(slots=True)
class Counters:
    """How many contacts stand where. pending + … + cancelled = total, always."""

    total: int = 0  # Without those that are gone or skipped.
    pending: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0  # No answer, busy and voicemail for good included.
    cancelled: int = 0
    skipped: int = 0
    untouched: int = 0  # Of the pending: never attempted, in any run.


@dataclass(frozen=True, slots=True)
class Change:
    """The last fact of a campaign's own stream: what an If-Match lost to."""

    tag: str
    at: str  # Where it stands in the log: partition@position.
    actor: str  # Who had it recorded.


@dataclass(slots=True)
class Campaign:
    """What the facts of one campaign come to."""

    created: CampaignCreated  # With what was updated since.
    status: Status = Status.DRAFT
    deleted: bool = False
    version: int = 1  # How many facts of its own stream there are. Source: contract, section 10.
    changed: Change | None = None
    run: int = 0  # 0: never started.
    counters: Counters = field(default_factory=Counters)
    calls: dict[str, OpenCall] = field(default_factory=dict)  # By call id; permissions included.
    # Calls that were given back as not placed, the latest of them, by call id.
    doubted: dict[str, OpenCall] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)  # Contacts that rang late. Ought to be none.
    late_calls: int = 0  # Ever, in any run. Ought to be none.
    tried: int = 0  # Contacts ever attempted, in any run; those in progress included.
    epoch: int = 0  # How often it was armed anew: each contact's attempts begin anew with it.
    selection: Selection = Selection.ALL  # Of the last time.
    rearmed_through: int = 0  # The last contact id then.
    rearmed_run: int = 0  # Runs up to this one were before it.
    contacts_end: int = 0  # The last contact id.
    replaced_through: int = 0  # Untouched contacts up to here are gone.
    imports: int = 0  # Numbered ones, under way included.
    importing: ImportUnderWay | None = None
    imported_at: datetime | None = None  # The last numbered import ended, well or not.
    rang_at: datetime | None = None  # When the last call that began to ring was asked for.
    executions: int = 0
    ended: int = 0
    answered: int = 0
    talk_s: float = 0.0
    strict: bool = True  # No permission of this run went to a carrier that cannot refuse late.
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None
    paused_at: datetime | None = None
    pause_reason: str | None = None
    pause: Change | None = None  # While it is paused.
    stopped_position: int = 0  # 0: never stopped.
    halted_position: int = 0  # Of the last pause, stop or delete. 0: there was none.
    abandoned: int = 0  # Permissions accepted before it, and given back since.
    schedule: Schedule | None = None
    next_at: datetime | None = None  # While it is scheduled.
    rearms: bool = False  # The next run of its schedule takes all contacts again.
    failure: str | None = None
    variable_mappings: dict[str, str | None] = field(default_factory=dict)
    available_variables: tuple[str, ...] = ()
    last_import_file_name: str | None = None
    last_import_date: datetime | None = None
    last_import_row_count: int | None = None

    @property
    def campaign_id(self) -> int:
        """Return the campaign's id."""
        return self.created.campaign_id

    @property
    def never_tried(self) -> int:
        """Return how many contacts were never attempted: those that a replacing import takes."""
        return self.counters.total + self.counters.skipped - self.tried

    @property
    def settings(self) -> CampaignSettings:
        """Return how it calls."""
        return self.created.settings

    def permissions(self) -> list[OpenCall]:
        """Return the permissions that are not resolved: those a barrier waits for."""
        return [call for call in self.calls.values() if call.started_at is None]

    def calling(self) -> list[OpenCall]:
        """Return the calls that have begun and not ended."""
        return [call for call in self.calls.values() if call.started_at is not None]

    def allows(self, move: Move) -> bool:
        """Say whether a move is legal now."""
        return not self.deleted and self.status in MOVES[move]


@dataclass(slots=True)
class Contact:
    """What became of one contact that was ever asked for."""

    contact_id: int
    status: ContactStatus = ContactStatus.PENDING
    attempts: int = 0  # Spent in this run: phones that rang, or that the carrier said no to.
    call_id: str | None = None
    last_outcome: Disposition | None = None
    last_attempt_at: datetime | None = None
    due_at: datetime | None = None  # Pending: not before then. None: at once.
    ended_at: datetime | None = None
    duration_s: float = 0.0
    error: str | None = None
    unplaced: Unplaced | None = None  # The carrier took no call for it, the last times.
    epoch: int = 0  # The campaign's, when this was so.
    tried: bool = False  # Attempted in an earlier epoch.

    @property
    def ever(self) -> bool:
        """Say whether it was attempted in any run."""
        return self.tried or self.attempts > 0


DOUBTED_MAX = 1_000  # Calls given back as not placed that are kept: as many as ring at once.

# How long a contact waits after an abandonment, so that clocks that differ make no hot loop.
ABANDONED_REST = timedelta(milliseconds=500)  # Source: architecture, "strict pause" 2.


_ELSEWHERE = (ContactsFact, ContactExhausted)  # Facts of other streams; calls are too.


def evolve(
    campaign: Campaign | None,
    fact: CampaignEvent,
    position: int,
    *,
    partition: int = 0,
    actor: str = "",
) -> Campaign | None:
    """Fold one accepted fact in, in place. Total: what makes no sense (a stranger wrote it) passes.

    Returns the campaign; None for facts of one that was never created.
    """
    if isinstance(fact, CallFact):  # Nearly all of a log, so they are looked for first.
        if campaign is not None:
            _call(campaign, fact, position)
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
        case ContactExhausted():
            if campaign.status not in FINAL:
                campaign.counters.pending -= 1
                campaign.counters.failed += 1
        case unreachable:
            assert_never(unreachable)
    return campaign


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
    """Fold what a schedule does."""
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
    campaign.status, campaign.run = Status.RUNNING, run
    campaign.strict = True
    campaign.started_at, campaign.completed_at = at, None
    campaign.updated_at, campaign.next_at = at, None


_UPDATABLE = (
    "name", "description", "welcome_message_template", "agenda_template",
    "end_call_message_template", "sms_message_template", "fallback_values", "settings",
    "phone_number_id", "pending_import",
)  # fmt: skip


def _updated(campaign: Campaign, fact: CampaignUpdated) -> None:
    new = {name: value for name in _UPDATABLE if (value := getattr(fact, name)) is not None}
    campaign.created = campaign.created.model_copy(update=new)
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
    """Fold what becomes of a list on its way in."""
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


def _call(campaign: Campaign, fact: CallEvent, position: int) -> None:
    counters, call = campaign.counters, campaign.calls.get(fact.call_id)
    match fact:  # In the order of their number: each pattern that does not match costs time.
        case CallRequested():
            first = _first(campaign, fact)
            campaign.calls[fact.call_id] = OpenCall(
                fact.call_id,
                fact.contact_id,
                fact.run,
                fact.attempt,
                position,
                fact.requested_at,
                fact.ring_by,
                fact.lease_s,
                fact.carrier_timeout_s,
                fact.refuses_late,
                first=first,
                carrier=fact.carrier,
            )
            campaign.tried += first
            campaign.strict = campaign.strict and fact.refuses_late
            counters.pending -= 1
            counters.in_progress += 1
            counters.untouched -= first
        case CallStarted():
            if call is not None and call.started_at is None:
                campaign.executions += 1
                call.started_at, call.execution = fact.started_at, campaign.executions
                campaign.rang_at = max(campaign.rang_at or call.requested_at, call.requested_at)
        case CallEnded():
            if campaign.calls.pop(fact.call_id, None) and call is not None:
                campaign.executions += call.execution is None
                _end(campaign, fact)
        case CallAbandoned():
            if campaign.calls.pop(fact.call_id, None) and call is not None:
                campaign.abandoned += call.position < campaign.halted_position
                _doubt(campaign, call, fact)
                _give_back(
                    campaign, fact, first=call.first and fact.contact_id not in campaign.late
                )
        case CallLate():
            campaign.doubted.pop(fact.call_id, None)
            campaign.executions += 1
            campaign.late_calls += 1
            if fact.run > campaign.rearmed_run:
                _rang_late(campaign, fact)


def _doubt(campaign: Campaign, call: OpenCall, fact: CallAbandoned) -> None:
    """Keep a call that its carrier did not know: should it ring all the same, it is CallLate's."""
    if fact.reason is Abandonment.NOT_PLACED:
        campaign.doubted[call.call_id] = call
        while len(campaign.doubted) > DOUBTED_MAX:
            del campaign.doubted[next(iter(campaign.doubted))]


def _first(campaign: Campaign, fact: CallRequested) -> bool:
    """Say whether this permission is the first use of a contact that was never rung."""
    return fact.attempt == 1 and not fact.tried and fact.contact_id not in campaign.late


def _rang_late(campaign: Campaign, fact: CallLate) -> None:
    open_now = in_progress(campaign, fact)
    if gone(campaign, fact.contact_id, fact.attempts - 1 + fact.tried, open_now):
        return
    if not open_now:
        first = fact.attempts == 1 and not fact.tried
        campaign.tried += first
        if campaign.status not in FINAL:
            campaign.counters.untouched -= first
            campaign.counters.pending -= fact.exhausted
            campaign.counters.failed += fact.exhausted
    campaign.late.add(fact.contact_id)


def in_progress(campaign: Campaign, fact: CallEvent) -> bool:
    """Say whether a contact has an open permission or call, be it this one or another."""
    return any(call.contact_id == fact.contact_id for call in campaign.calls.values())


def _give_back(campaign: Campaign, fact: CallAbandoned, *, first: bool) -> None:
    counters = campaign.counters
    counters.in_progress -= 1
    campaign.tried -= first
    if campaign.status in FINAL:  # It was pending at the stop.
        counters.cancelled += 1
    elif fact.exhausted:
        counters.failed += 1
    elif first and fact.contact_id <= campaign.replaced_through:
        counters.total -= 1  # It was pending, and never attempted, when it was replaced.
    else:
        counters.pending += 1
        counters.untouched += first


def _end(campaign: Campaign, fact: CallEnded) -> None:
    counters = campaign.counters
    counters.in_progress -= 1
    campaign.ended += 1
    campaign.talk_s = min(campaign.talk_s + fact.duration_s, FLOAT_MAX)  # JSON has no infinity.
    if fact.disposition is Disposition.ANSWERED:
        campaign.answered += 1
        counters.completed += 1
    elif fact.retry_at is not None and campaign.status not in FINAL:
        counters.pending += 1
    else:
        counters.failed += 1


def evolve_contact(contact: Contact, campaign: Campaign, fact: CallEvent) -> Contact:
    """Fold one accepted call fact into its contact, in place. `campaign` has folded it already.

    Facts of a call that is not the contact's open one change nothing, CallLate excepted.
    """
    if isinstance(fact, CallRequested):
        contact.status, contact.call_id = ContactStatus.IN_PROGRESS, fact.call_id
        contact.due_at = None
        return contact
    if isinstance(fact, CallLate):
        open_now = contact.status is ContactStatus.IN_PROGRESS
        if fact.run > campaign.rearmed_run and not gone(
            campaign, contact.contact_id, contact.ever, open_now
        ):
            contact.attempts += 1
            if fact.exhausted and not open_now and campaign.status not in FINAL:
                contact.status, contact.due_at = ContactStatus.FAILED, None
                contact.error, contact.ended_at = "rang late", fact.late_at
        return contact
    if contact.call_id != fact.call_id or contact.status is not ContactStatus.IN_PROGRESS:
        return contact
    match fact:
        case CallStarted():
            contact.last_attempt_at, contact.unplaced = fact.started_at, None
        case CallAbandoned():
            contact.status, contact.call_id = ContactStatus.PENDING, None
            contact.due_at = fact.abandoned_at + ABANDONED_REST
            if fact.reason in UNPLACED:
                contact.unplaced = again(contact.unplaced, fact.abandoned_at, campaign.rang_at)
                contact.due_at = fact.abandoned_at + contact.unplaced.rest
            if fact.exhausted and campaign.status not in FINAL:
                contact.status, contact.due_at = ContactStatus.FAILED, None
        case CallEnded():
            contact.attempts, contact.unplaced = contact.attempts + 1, None
            retried = fact.retry_at is not None and campaign.status not in FINAL
            contact.status = ContactStatus.PENDING if retried else ENDS_AS[fact.disposition]
            contact.due_at = fact.retry_at if retried else None
            contact.last_outcome, contact.ended_at = fact.disposition, fact.ended_at
            contact.last_attempt_at = contact.last_attempt_at or fact.ended_at
            contact.duration_s, contact.error = fact.duration_s, fact.error
        case unreachable:
            assert_never(unreachable)
    return contact


def exhaust(contact: Contact, fact: ContactExhausted) -> Contact:
    """Fold in that a contact gets no further attempt, in place."""
    if contact.status is ContactStatus.PENDING:
        last = contact.last_outcome
        contact.status = ENDS_AS[last] if last else ContactStatus.FAILED
        contact.due_at, contact.ended_at = None, contact.ended_at or fact.exhausted_at
    return contact


def current(campaign: Campaign, contact: Contact) -> Contact:
    """Bring a contact up to the last time that its campaign was armed anew.

    Who is selected is pending, the others are skipped. Those that are named are brought up when
    that is folded (`select`).
    """
    if contact.epoch == campaign.epoch:
        return contact
    if contact.contact_id > campaign.rearmed_through:  # Its list came later.
        contact.epoch = campaign.epoch
        return contact
    match campaign.selection:
        case Selection.ALL:
            selected = True
        case Selection.FAILED_ONLY:
            selected = contact.epoch == campaign.epoch - 1 and contact.status in FAILED
        case Selection.CONTACTS:
            selected = False
    return Contact(
        contact.contact_id,
        ContactStatus.PENDING if selected else ContactStatus.SKIPPED,
        epoch=campaign.epoch,
        tried=contact.ever,
    )


def select(campaign: Campaign, contact: Contact) -> Contact:
    """Return a contact as one that was named when its campaign was armed anew just now."""
    contact = current(campaign, contact)
    contact.status = ContactStatus.PENDING
    return contact


def gone(campaign: Campaign, contact_id: int, attempts: int, in_progress: bool) -> bool:
    """Say whether a replacing import took a contact away before it was ever attempted.

    `attempts`: of all runs, or whether there was any.
    """
    return contact_id <= campaign.replaced_through and not attempts and not in_progress


def shown(campaign: Campaign, contact: Contact) -> ContactStatus:
    """Return the status that people see: pending contacts of a stopped campaign are cancelled."""
    if contact.status is ContactStatus.PENDING and campaign.status is Status.CANCELLED:
        return ContactStatus.CANCELLED
    return contact.status


_CODEC = Codec(Campaign)


def dump(campaign: Campaign) -> bytes:
    """Return the state as JSON, for a checkpoint."""
    return _CODEC.dump(campaign)


def load(stored: bytes, campaign_id: int) -> Campaign:
    """Take back what `dump` made, whatever the log had in it.

    Raises:
        StoreUnreadableError: somebody else wrote it; the campaign is named.

    """
    return _CODEC.load(stored, f"campaign {campaign_id}")
