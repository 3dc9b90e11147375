"""Judges what is recorded of calls, and their rings: invariants 2 to 5. Pure."""

from collections.abc import Iterable
from datetime import datetime

from campaigns.audit.judge.campaign_account import CampaignAccount
from campaigns.audit.judge.contact_marks import DONE, ERASED, FAILED, LEFT_OUT, OPEN
from campaigns.audit.judge.permission import (
    Finding,
    Permission,
    RecordedRings,
    explained,
    permitted_rings,
    resolution,
)
from campaigns.audit.judge.violations import Kind, Report
from campaigns.domain.facts import (
    AnyCallFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from campaigns.domain.moves import FINAL, Status

Resolution = CallAbandoned | CallEnded


class Attempts:
    """Takes the facts of calls, each with its campaign."""

    def __init__(self, report: Report, rings: RecordedRings | None) -> None:
        """Compare with `rings`, if there are any."""
        self._report, self._rings = report, rings

    def take(self, campaign: CampaignAccount | None, fact: AnyCallFact) -> None:
        """Judge one fact, and fold it."""
        if type(fact) is CallRequested:  # For a struct, `isinstance` costs five times as much.
            self._requested(campaign, fact)
        elif campaign is None:
            self._report.of_call(Kind.NOT_OPEN, f"{fact.TYPE} of a call that is not open", fact)
        elif type(fact) is CallLate:
            self._late(campaign, fact)
        elif (call := campaign.calls.get(fact.call_id)) is None:
            self._report.of_call(Kind.NOT_OPEN, f"{fact.TYPE} of a call that is not open", fact)
        elif type(fact) is CallStarted:
            self._started(campaign, call, fact.started_at)
        elif type(fact) is CallEnded or type(fact) is CallAbandoned:
            self._ended(campaign, call, fact)

    def _requested(self, campaign: CampaignAccount | None, fact: CallRequested) -> None:
        rings = self._rings.take(fact.call_id) if self._rings else ()
        call = Permission(self._report.at, fact, rings)
        if rings:
            self._findings(permitted_rings(call), call)
        if campaign is None:
            never = f"permitted for campaign {fact.campaign_id}, which there never was"
            self._report.of_call(Kind.PERMITTED_NOT_RUNNING, never, fact)
            return
        if not _in_order(campaign, fact):
            self._findings(_permission(campaign, fact), call)
        campaign.contacts.mark(fact.contact_id, OPEN)
        campaign.calls[fact.call_id] = call
        if any(call.late(ring) for ring in rings):
            campaign.pauses.suspect(call)

    def _started(self, campaign: CampaignAccount, call: Permission, at: datetime) -> None:
        campaign.pauses.heard(call, at)
        if call.started:
            self._findings([(Kind.STARTED_TWICE, "it started a second time")], call)
        elif self._rings and not call.rings and self._would_know(call):
            self._findings([(Kind.STARTED_UNRUNG, "it started, and rang nowhere")], call)
        call.started = True

    def _would_know(self, call: Permission) -> bool:
        """Say whether the rings of its carrier are among those that were given."""
        carriers = self._rings.carriers if self._rings else ()
        return not carriers or call.request.carrier is None or call.request.carrier in carriers

    def _ended(self, campaign: CampaignAccount, call: Permission, fact: Resolution) -> None:
        contacts, contact_id = campaign.contacts, fact.contact_id
        del campaign.calls[fact.call_id]
        contacts.mark(contact_id, 0, OPEN)
        done = failed = False
        if type(fact) is CallEnded:
            campaign.pauses.heard(call, fact.ended_at)
            contacts.spend(contact_id)
            done = fact.retry_at is None or campaign.status in FINAL
            failed = fact.disposition is not Disposition.ANSWERED
        elif type(fact) is CallAbandoned:
            campaign.pauses.heard(call, fact.abandoned_at)
            self._findings(resolution(call, fact), call)
            done = failed = fact.exhausted and campaign.status not in FINAL
        if done:
            contacts.mark(contact_id, DONE | (FAILED if failed else 0))
        if call.rings and not explained(call, fact):
            call.at = self._report.at
            campaign.unexplained[fact.call_id] = call

    def _late(self, campaign: CampaignAccount, fact: CallLate) -> None:
        contacts, contact_id = campaign.contacts, fact.contact_id
        call = campaign.unexplained.pop(fact.call_id, None) or campaign.calls.get(fact.call_id)
        strict = call.request.refuses_late if call else None
        told = f"on record: {fact.detail}"
        self._report.of_call(Kind.LATE_ON_RECORD, told, fact, strict=strict)
        if fact.run > campaign.rearmed_run and not contacts.gone(contact_id):
            contacts.spend(contact_id)
            is_open = contacts.marks(contact_id) & OPEN
            if fact.exhausted and not is_open and campaign.status not in FINAL:
                contacts.mark(contact_id, DONE | FAILED)

    def finish(self, campaign: CampaignAccount, *, at_rest: bool) -> None:
        """Judge the calls that are left at the end."""
        for call in campaign.unexplained.values():
            self._report.at = call.at
            self._findings([(Kind.RANG_UNRECORDED, "it rang, and its end does not say so")], call)
            campaign.pauses.suspect(call)
        for pause, call, ring in campaign.pauses.broken():
            self._report.at = pause.at
            after_s = (ring.began_at - pause.settled_at).total_seconds()
            rang = (
                f"it rang {after_s:.3f} s after the pause had settled, and before the next resume"
            )
            self._findings([(Kind.RANG_WHILE_PAUSED, rang)], call)
        for call in campaign.calls.values() if at_rest else ():
            self._report.at = call.at
            self._findings([(Kind.STILL_OPEN, "it was permitted, and never resolved")], call)

    def _findings(self, findings: Iterable[Finding], call: Permission) -> None:
        strict = call.request.refuses_late if call.rings else None
        for kind, what in findings:
            self._report.of_call(kind, what, call.request, strict=strict)


def _in_order(campaign: CampaignAccount, fact: CallRequested) -> bool:
    """Say whether `_permission` has nothing to find, as of nearly every call."""
    contacts, contact_id = campaign.contacts, fact.contact_id
    return (
        campaign.status is Status.RUNNING
        and contact_id in contacts
        and not contacts.marks(contact_id) & (OPEN | DONE | LEFT_OUT | ERASED)
        and fact.attempt == contacts.spent(contact_id) + 1 <= campaign.attempts_max
        and not contacts.gone(contact_id)
    )


def _permission(campaign: CampaignAccount, fact: CallRequested) -> Iterable[Finding]:
    """Judge whether a contact could be asked for."""
    contacts, contact_id = campaign.contacts, fact.contact_id
    if campaign.status is not Status.RUNNING:
        yield Kind.PERMITTED_NOT_RUNNING, f"permitted while its campaign was {campaign.status}"
    marks, spent = contacts.marks(contact_id), contacts.spent(contact_id)
    if contact_id not in contacts or contacts.gone(contact_id):
        yield Kind.NO_SUCH_CONTACT, f"there is no contact {contact_id}"
        return
    if marks & OPEN:
        yield Kind.ASKED_WHILE_OPEN, f"another call of contact {contact_id} was open"
    if marks & ERASED:
        yield Kind.ASKED_WHEN_ERASED, f"contact {contact_id} was erased"
    if marks & (DONE | LEFT_OUT):
        yield Kind.ASKED_WHEN_DONE, f"contact {contact_id} was done"
    if spent >= campaign.attempts_max:
        most = campaign.attempts_max
        yield Kind.ATTEMPTS_SPENT, f"contact {contact_id} had spent {spent} of {most} attempts"
    if fact.attempt != spent + 1:
        yield Kind.ATTEMPT_MISCOUNTED, f"it is attempt {fact.attempt}, after {spent} were spent"
