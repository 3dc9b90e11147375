"""The facts that resolve a permission or a call; only this module constructs them. Pure."""

from datetime import datetime, timedelta

from campaigns.domain.campaign import Campaign
from campaigns.domain.carrier_refusals import LIMITS, RefusalLimits, again
from campaigns.domain.contact import RETRIED, Contact, ContactStatus, erased
from campaigns.domain.decider import UNCHANGED, Facts, Unchanged
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    Disposition,
)
from campaigns.domain.moves import FINAL, Status
from dialer.calls.call import Call
from dialer.calls.call_states import DETAIL, Logged, Lost, Use
from dialer.calls.inputs import Clocks
from dialer.calls.lease import may_begin
from dialer.carrier.port import Elsewhere, Ended, NoRing, NotFound, RefusedLate, Rung

AHEAD_MAX = timedelta(minutes=1)  # The most that a fast carrier clock may add to a retry's delay.


def started(call: Call, at: datetime) -> CallStarted:
    """Say that the ring has begun, at the carrier's instant."""
    return CallStarted(**call.names(), started_at=at)


def abandoned(
    call: Call, campaign: Campaign, contact: Contact, reason: Abandonment, now: datetime
) -> CallAbandoned:
    """Give the permission back, and with it the attempt's number."""
    return CallAbandoned(
        **call.names(),
        reason=reason,
        exhausted=contact.attempts >= campaign.settings.max_attempts,
        abandoned_at=now,
    )


def ended(
    call: Call,
    campaign: Campaign,
    contact: Contact,
    disposition: Disposition,
    ended_at: datetime,
    *,
    duration_s: float = 0.0,
    error: str | None = None,
    heard_at: datetime | None = None,
    retried: bool = True,
) -> CallEnded:
    """End the attempt, and say whether and when the contact is retried.

    `heard_at`: when this process learnt of the end. It bounds the delay if the carrier's clock is
    ahead.

    Source: contract 9.7, 9.20 and 9.23: the delay counts from the attempt's end.
    """
    retries = (
        retried
        and disposition in RETRIED
        and contact.attempts + 1 < campaign.settings.max_attempts
        and campaign.status not in FINAL
    )
    delay = timedelta(minutes=campaign.settings.retry_delay_minutes)
    over_at = min(ended_at, heard_at + AHEAD_MAX) if heard_at else ended_at
    return CallEnded(
        **call.names(),
        disposition=disposition,
        duration_s=duration_s,
        error="outcome unknown" if disposition is Disposition.UNKNOWN else error,
        retry_at=over_at + delay if retries else None,
        ended_at=ended_at,
    )


def late(
    call: Call, campaign: Campaign, contact: Contact, now: datetime, *, pending: bool
) -> CallLate:
    """Record that a phone rang when it should not have.

    `pending`: whether the contact is pending when this fact is folded.
    """
    attempts = contact.attempts + 1
    return CallLate(
        **call.names(),
        attempts=attempts,
        tried=contact.tried,
        exhausted=pending and attempts >= campaign.settings.max_attempts,
        detail=DETAIL[call.late],
        late_at=now,
    )


def resolution(
    call: Call,
    campaign: Campaign,
    contact: Contact,
    clocks: Clocks,
    *,
    stopping: bool,
    limits: RefusalLimits = LIMITS,
) -> Facts | Unchanged:
    """Return the facts about a call that the log lacks.

    They follow from the log's state of the call and the carrier's statement alone, so any process
    may compute them again at any time.
    """
    if call.undecidable:
        return _spoilt(call, campaign, contact, clocks)
    match call.logged:
        case Logged.PERMITTED:
            return _permitted(call, campaign, contact, clocks, limits, stopping=stopping)
        case Logged.STARTED:
            return _started(call, campaign, contact, clocks.now)
        case Logged.UNRUNG | Logged.UNKNOWN if call.late.due:
            pending = contact.status is ContactStatus.PENDING
            return (late(call, campaign, contact, clocks.now, pending=pending),)
        case _:
            return UNCHANGED


def _spoilt(call: Call, campaign: Campaign, contact: Contact, clocks: Clocks) -> Facts | Unchanged:
    """End an undecidable call without regard to what the carrier said."""
    if call.logged in (Logged.PERMITTED, Logged.STARTED):
        return (ended(call, campaign, contact, Disposition.UNKNOWN, clocks.now),)
    return UNCHANGED


def unplaced(
    call: Call,
    campaign: Campaign,
    contact: Contact,
    reason: Abandonment,
    now: datetime,
    limits: RefusalLimits,
) -> CallAbandoned | CallEnded:
    """Give back a permission that the carrier did not use. Too many in a row: a failed attempt.

    Source: ADR-0019.
    """
    row = again(contact.unplaced, now, campaign.rang_at)
    if not row.over(limits):
        return abandoned(call, campaign, contact, reason, now)
    others = "and took others'" if row.times < limits.anybodys else "whoever else it called"
    error = f"could not be placed: the carrier took none of {row.times} requests, {others}"
    return ended(call, campaign, contact, Disposition.FAILED, now, error=error, retried=False)


def _permitted(
    call: Call,
    campaign: Campaign,
    contact: Contact,
    clocks: Clocks,
    limits: RefusalLimits,
    *,
    stopping: bool,
) -> Facts | Unchanged:
    now = clocks.now
    match call.heard:
        case Rung() | Ended() if call.late.due:
            # The carrier cannot refuse late rings: the call is hung up, given back and recorded.
            given_back = abandoned(call, campaign, contact, Abandonment.RANG_LATE, now)
            pending = not given_back.exhausted  # An exhausted contact has failed already.
            return (given_back, late(call, campaign, contact, now, pending=pending))
        case Rung(began_at=began_at) | Ended(began_at=began_at):
            return (started(call, began_at),)
        case NoRing(reason=reason):
            return (ended(call, campaign, contact, Disposition.FAILED, now, error=reason),)
        case RefusedLate():
            return (unplaced(call, campaign, contact, Abandonment.REFUSED_LATE, now, limits),)
        case NotFound() | Elsewhere():
            return (unplaced(call, campaign, contact, Abandonment.NOT_PLACED, now, limits),)
        case Lost():
            return (ended(call, campaign, contact, Disposition.UNKNOWN, now),)
        case None:
            pass
    unhanded = call.use in (Use.NONE, Use.GIVEN_UP, Use.UNREADABLE)
    if (
        call.ours
        and unhanded
        and (why := unusable(call, campaign, contact, clocks.boot, stopping=stopping))
    ):
        return (abandoned(call, campaign, contact, why, now),)
    return UNCHANGED


def _started(call: Call, campaign: Campaign, contact: Contact, now: datetime) -> Facts | Unchanged:
    if isinstance(call.heard, Ended):
        how = call.heard
        return (
            ended(
                call,
                campaign,
                contact,
                how.disposition,
                how.ended_at,
                duration_s=how.duration_s,
                error=how.error,
                heard_at=now,
            ),
        )
    if isinstance(call.heard, Lost):
        return (ended(call, campaign, contact, Disposition.UNKNOWN, now),)
    return UNCHANGED


def unusable(
    call: Call, campaign: Campaign, contact: Contact, boot: float, *, stopping: bool
) -> Abandonment | None:
    """Return why this dialer's permission must no longer be used. None: it may be."""
    assert call.sent_at is not None, "a permission that this process requested"
    if campaign.status is not Status.RUNNING or campaign.run != call.run:
        return Abandonment.NOT_RUNNING
    if erased(campaign, contact):
        return Abandonment.ERASED
    if call.use is Use.UNREADABLE:
        return Abandonment.UNREADABLE
    if call.use is Use.GIVEN_UP or not may_begin(call.sent_at, call.lease_s, boot):
        return Abandonment.LEASE_OVER
    if stopping:
        return Abandonment.SHUTTING_DOWN
    return None
