"""One contact's state, derived from its calls and from its campaign's epochs. Pure.

The epoch rule is written three times, and all three must agree: here (`current`, `shown`), in
SQL in campaigns.stores.contacts (`Contacts.due`, `Contacts.fresh`), and in SQL in
projector.queries.contact_pages (`_shown_status`, `_untouched_range`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, get_args

from msgspec import Struct

from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.carrier_refusals import UNPLACED, Unplaced, again
from campaigns.domain.facts import (
    AnyCallFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    ContactErased,
    ContactExhausted,
    ContactSkipped,
    Disposition,
    Selection,
)
from campaigns.domain.moves import FINAL, Status


class ContactStatus(StrEnum):
    """A contact's status. Source: contract 3, and 9.5."""

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
FAILED = frozenset(ENDS_AS.values()) - {ContactStatus.COMPLETED}  # Counted as failed.

# Retried, within max_attempts. Source: contract 9.7; unknown may have rung.
RETRIED = frozenset({Disposition.NO_ANSWER, Disposition.BUSY, Disposition.FAILED})


class Contact(Struct, gc=False):
    """The state of one contact. A contact for which no call was requested is not stored.

    A struct, because every fold reads and writes one for each call of a log.
    """

    contact_id: int
    status: ContactStatus = ContactStatus.PENDING
    attempts: int = 0  # Spent in this run: the phone rang, or the carrier refused.
    call_id: str | None = None
    last_outcome: Disposition | None = None
    last_attempt_at: datetime | None = None
    due_at: datetime | None = None  # Pending: not before then. None: at once.
    ended_at: datetime | None = None
    duration_s: float = 0.0
    error: str | None = None
    unplaced: Unplaced | None = None  # Set while the carrier has placed none of its last calls.
    epoch: int = 0  # The campaign's epoch when this was written.
    tried: bool = False  # Attempted in an earlier epoch.
    erased: bool = False  # Forgotten: it has no number any more.

    @property
    def ever(self) -> bool:
        """Say whether it was attempted in any run."""
        return self.tried or self.attempts > 0


# How long a contact waits after an abandonment: otherwise, clocks that differ cause a hot loop.
ABANDONED_REST = timedelta(milliseconds=500)  # Source: architecture "strict pause" 2.


def evolve_contact(contact: Contact, campaign: Campaign, fact: AnyCallFact) -> Contact:
    """Fold one accepted call fact into its contact, in place. `campaign` has folded it already.

    Facts of a call that is not the contact's open one change nothing, except CallLate.
    """
    kind = type(fact)
    if kind in _OF_OPEN_CALL and (
        contact.call_id != fact.call_id or contact.status is not ContactStatus.IN_PROGRESS
    ):
        return contact
    _EVOLUTIONS[kind](contact, campaign, fact)
    return contact


def _requested(contact: Contact, _: Campaign, fact: CallRequested) -> None:
    contact.status, contact.call_id = ContactStatus.IN_PROGRESS, fact.call_id
    contact.due_at = None


def _started(contact: Contact, _: Campaign, fact: CallStarted) -> None:
    contact.last_attempt_at, contact.unplaced = fact.started_at, None


def _abandoned(contact: Contact, campaign: Campaign, fact: CallAbandoned) -> None:
    contact.status, contact.call_id = ContactStatus.PENDING, None
    contact.due_at = fact.abandoned_at + ABANDONED_REST
    if fact.reason in UNPLACED:
        contact.unplaced = again(contact.unplaced, fact.abandoned_at, campaign.rang_at)
        contact.due_at = fact.abandoned_at + contact.unplaced.rest
    if fact.exhausted and campaign.status not in FINAL:
        contact.status, contact.due_at = ContactStatus.FAILED, None


def _ended(contact: Contact, campaign: Campaign, fact: CallEnded) -> None:
    contact.attempts, contact.unplaced = contact.attempts + 1, None
    retried = fact.retry_at is not None and campaign.status not in FINAL
    contact.status = ContactStatus.PENDING if retried else ENDS_AS[fact.disposition]
    contact.due_at = fact.retry_at if retried else None
    contact.last_outcome, contact.ended_at = fact.disposition, fact.ended_at
    contact.last_attempt_at = contact.last_attempt_at or fact.ended_at
    contact.duration_s, contact.error = fact.duration_s, fact.error


def _late(contact: Contact, campaign: Campaign, fact: CallLate) -> None:
    open_now = contact.status is ContactStatus.IN_PROGRESS
    if fact.run > campaign.rearmed_run and not gone(
        campaign, contact.contact_id, contact.ever, open_now
    ):
        contact.attempts += 1
        if fact.exhausted and not open_now and campaign.status not in FINAL:
            contact.status, contact.due_at = ContactStatus.FAILED, None
            contact.error, contact.ended_at = "rang late", fact.late_at


# By exact type, as `call_evolution.CALLS`. Any: each takes its own kind.
_EVOLUTIONS: Mapping[type[AnyCallFact], Callable[[Contact, Campaign, Any], None]] = {
    CallRequested: _requested,
    CallStarted: _started,
    CallAbandoned: _abandoned,
    CallEnded: _ended,
    CallLate: _late,
}
_OF_OPEN_CALL = frozenset({CallStarted, CallAbandoned, CallEnded})
assert set(_EVOLUTIONS) == set(get_args(AnyCallFact)), "each kind of fact about a call is folded"


def exhaust(contact: Contact, fact: ContactExhausted) -> Contact:
    """Close, in place, a contact that gets no further attempt."""
    if contact.status is ContactStatus.PENDING:
        last = contact.last_outcome
        contact.status = ENDS_AS[last] if last else ContactStatus.FAILED
        contact.due_at, contact.ended_at = None, contact.ended_at or fact.exhausted_at
    return contact


def skip(contact: Contact, fact: ContactSkipped) -> Contact:
    """Close, in place, a contact that is not called in this run."""
    if contact.status is ContactStatus.PENDING:
        contact.status, contact.due_at = ContactStatus.SKIPPED, None
        contact.error, contact.ended_at = fact.reason.value, fact.skipped_at
    return contact


def erase(contact: Contact, fact: ContactErased) -> Contact:
    """Note, in place, that a contact is forgotten. What became of its calls is still told."""
    contact.erased = True
    return contact


def erased(campaign: Campaign, contact: Contact) -> bool:
    """Say whether a contact is forgotten, by itself or with its campaign."""
    return contact.erased or contact.contact_id <= campaign.erased_through


def current(campaign: Campaign, contact: Contact) -> Contact:
    """Return a contact as it is in its campaign's current epoch.

    A CampaignRearmed begins an epoch: selected contacts are pending, the others are skipped.
    Contacts that it names are updated when it is folded (`select`).
    """
    if contact.epoch == campaign.epoch:
        return contact
    if contact.contact_id > campaign.rearmed_through:  # Its list was imported after the rearming.
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
        erased=contact.erased,
    )


def select(campaign: Campaign, contact: Contact) -> Contact:
    """Return a contact that the just folded CampaignRearmed names, as pending."""
    contact = current(campaign, contact)
    contact.status = ContactStatus.PENDING
    return contact


def shown(campaign: Campaign, contact: Contact) -> ContactStatus:
    """Return the status that clients see: pending contacts of a stopped campaign are cancelled."""
    if contact.status is ContactStatus.PENDING and campaign.status is Status.CANCELLED:
        return ContactStatus.CANCELLED
    return contact.status
