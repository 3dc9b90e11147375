"""How a permission or a call ends in the log: the one maker of those facts. Pure."""

from datetime import datetime, timedelta

from campaigns.campaign import FINAL, RETRIED, Campaign, Contact, ContactStatus
from campaigns.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    Disposition,
)

from dialer.line import Line


def started(line: Line, at: datetime) -> CallStarted:
    """Say that the ring has begun, at the carrier's instant."""
    return CallStarted(**line.names(), started_at=at)


def abandoned(
    line: Line, campaign: Campaign, contact: Contact, reason: Abandonment, now: datetime
) -> CallAbandoned:
    """Give the permission back, and its attempt's number with it."""
    return CallAbandoned(
        **line.names(),
        reason=reason,
        exhausted=contact.attempts >= campaign.settings.max_attempts,
        abandoned_at=now,
    )


def ended(
    line: Line,
    campaign: Campaign,
    contact: Contact,
    disposition: Disposition,
    ended_at: datetime,
    *,
    duration_s: float = 0.0,
    error: str | None = None,
) -> CallEnded:
    """End the attempt, and say whether and when there is another.

    Source: public contract, 'decided' 7, 20 and 23: the delay counts from the attempt's end.
    """
    again = (
        disposition in RETRIED
        and contact.attempts + 1 < campaign.settings.max_attempts
        and campaign.status not in FINAL
    )
    delay = timedelta(minutes=campaign.settings.retry_delay_minutes)
    return CallEnded(
        **line.names(),
        disposition=disposition,
        duration_s=duration_s,
        error="outcome unknown" if disposition is Disposition.UNKNOWN else error,
        retry_at=ended_at + delay if again else None,
        ended_at=ended_at,
    )


def late(line: Line, campaign: Campaign, contact: Contact, detail: str, now: datetime) -> CallLate:
    """Put a broken promise on the record: a phone rang that should not have."""
    attempts = contact.attempts + 1
    return CallLate(
        **line.names(),
        attempts=attempts,
        exhausted=contact.status is ContactStatus.PENDING
        and attempts >= campaign.settings.max_attempts,
        detail=detail,
        late_at=now,
    )
