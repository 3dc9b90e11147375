"""What became of one contact, in words: from the accepted records of its campaign. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from campaigns.audit.masks import masked_text
from campaigns.domain.facts import (
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCreated,
    CampaignDue,
    CampaignErased,
    CampaignRearmed,
    ContactErased,
    ContactExhausted,
    ContactSkipped,
    ContactsReplaced,
    ImportCompleted,
    Selection,
)
from campaigns.domain.values.instants import instant
from campaigns.records.log_entry import Recorded


class HistoryEntry(NamedTuple):
    """One fact that concerns the contact."""

    at: datetime
    position: str  # partition@position.
    actor: str
    what: str  # The fact's tag.
    text: str


@dataclass
class ErasedThrough:
    """Up to which contact each campaign was forgotten so far, by its own facts alone.

    A campaign of many lists has several, each with a higher `through`: a contact was erased by the
    first one that reaches it, and those behind say nothing of it.
    """

    _last: dict[int, int] = field(default_factory=dict)

    def of(self, campaign_id: int) -> int:
        """Return the last contact that was forgotten with a campaign; 0: none."""
        return self._last.get(campaign_id, 0)

    def fold(self, fact: AnyFact) -> None:
        """Take in the next accepted fact."""
        if isinstance(fact, CampaignErased):
            self._last[fact.campaign_id] = max(self.of(fact.campaign_id), fact.through)


def entries_of(
    recorded: Recorded,
    campaign_id: int,
    contact_id: int,
    erased: ErasedThrough,
    *,
    reveal: bool = True,
) -> Iterator[HistoryEntry]:
    """Yield what an accepted record says of a contact, in order; most say nothing.

    `erased`: by the records before; this one is taken in. Without `reveal` numbers and addresses
    are masked that a carrier said.
    """
    for fact in recorded.facts:
        if getattr(fact, "campaign_id", None) != campaign_id:
            continue
        found = said(fact, contact_id, erased.of(campaign_id))
        erased.fold(fact)
        if found is not None:
            place = f"{recorded.partition.number}@{recorded.position}"
            text = found[1] if reveal else masked_text(found[1])
            yield HistoryEntry(found[0], place, recorded.actor, fact.TYPE, text)


def said(fact: AnyFact, contact_id: int, erased_through: int) -> tuple[datetime, str] | None:
    """Return when and what a fact of its campaign says of a contact. None: nothing.

    `erased_through`: the campaign's last contact that was forgotten with it before.
    """
    match fact:
        case CallRequested() | CallStarted() | CallEnded() | CallAbandoned() | CallLate():
            return _of_call(fact) if fact.contact_id == contact_id else None
        case ContactExhausted() if fact.contact_id == contact_id:
            spent = "1 attempt" if fact.attempts == 1 else f"{fact.attempts} attempts"
            return fact.exhausted_at, f"closed after {spent}: it gets no further one"
        case ContactSkipped() if fact.contact_id == contact_id:
            return fact.skipped_at, f"not called in run {fact.run}: it was erased"
        case ContactErased() if fact.contact_id == contact_id:
            return fact.erased_at, "erased: nobody can read it any more"
        case CampaignErased() if erased_through < contact_id <= fact.through:
            return fact.erased_at, "erased with its campaign: nobody can read it any more"
        case CampaignCreated() if fact.import_id is not None and contact_id <= fact.rows:
            return fact.created_at, "listed when the campaign was created"
        case ImportCompleted() if 0 <= contact_id - fact.first_contact_id < fact.rows:
            listed = "added as JSON" if fact.number is None else f"listed by import {fact.number}"
            return fact.completed_at, listed
        case ContactsReplaced() if contact_id <= fact.through:
            return fact.replaced_at, "a later list replaced all contacts that were never attempted"
        case CampaignRearmed():
            return fact.rearmed_at, f"the campaign was armed again: {_selected(fact, contact_id)}"
        case CampaignDue() if fact.rearms:
            return fact.started_at, f"run {fact.run} of the schedule began: all are called again"
        case _:
            return None


def _of_call(
    fact: CallRequested | CallStarted | CallEnded | CallAbandoned | CallLate,
) -> tuple[datetime, str]:
    which = f"attempt {fact.attempt} of run {fact.run}"
    match fact:
        case CallRequested():
            return fact.requested_at, f"{which} permitted, to ring by {instant(fact.ring_by)}"
        case CallStarted():
            return fact.started_at, f"{which}: the phone rang"
        case CallEnded():
            how = f"{which} ended: {fact.disposition}"
            if fact.duration_s:
                how += f" after {round(fact.duration_s, 1):g} s"
            if fact.error:
                how += f" ({fact.error})"
            again = fact.retry_at and f"; the next attempt not before {instant(fact.retry_at)}"
            return fact.ended_at, how + (again or "; no further attempt in this run")
        case CallAbandoned():
            return fact.abandoned_at, f"{which} given back without a ring: {fact.reason}"
        case CallLate():
            return fact.late_at, f"{which} rang when it should not have: {fact.detail}"


def _selected(fact: CampaignRearmed, contact_id: int) -> str:
    match fact.selection:
        case Selection.ALL:
            return "all contacts are called again"
        case Selection.FAILED_ONLY:
            return "the failed contacts are called again, the others skipped"
        case Selection.CONTACTS:
            chosen = contact_id in fact.contact_ids
            return "it is among those to be called again" if chosen else "it is skipped"
