"""Gates: ordered, pure reasons not to request a call now. If all are open, it is requested.

Rate and capacity are checked before a contact is considered (`reactor`), and the rule refuses a
request that was decided on an old reading; gates judge this reading alone.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.moves import Status
from dialer.decisions.hours import opens_at


class Reading(NamedTuple):
    """What the dialer's fold says of one contact, at one instant."""

    campaign: Campaign
    contact: Contact


Gate = Callable[[Reading, datetime], Rejected | None]


def campaign_running(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call of a campaign that is not running.

    Source: contract 1.3 row 7: no new call is initiated.
    """
    if reading.campaign.status is Status.RUNNING:
        return None
    return Rejected(Reason.NOT_RUNNING, f"campaign is {reading.campaign.status}")


def within_hours(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call outside the campaign's calling hours, and say when they begin.

    Source: contract 9.23, and the guide's `allowed_hours` (contract 4).
    """
    opens = opens_at(reading.campaign, now)
    if opens is None:
        return None
    return Rejected(Reason.OUTSIDE_HOURS, "outside the calling hours", retry_at=opens)


def contact_pending(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact that is done, being called, or gone.

    Source: architecture, invariant 5: at most one open attempt a contact.
    """
    campaign, contact = reading
    if contact.status is not ContactStatus.PENDING or gone(
        campaign, contact.contact_id, contact.ever, in_progress=False
    ):
        return Rejected(Reason.CONTACT_DONE, f"contact is {contact.status}")
    return None


def attempts_left(reading: Reading, now: datetime) -> Rejected | None:
    """Reject an attempt beyond `max_attempts`, which counts all of a run.

    Source: contract 9.7.
    """
    if reading.contact.attempts < reading.campaign.settings.max_attempts:
        return None
    return Rejected(Reason.ATTEMPTS_SPENT, f"{reading.contact.attempts} attempts spent")


def rested(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact before its time, and say when that is.

    Source: contract 3; architecture "strict pause" 2.
    """
    due_at = reading.contact.due_at
    if due_at is None or now >= due_at:
        return None
    return Rejected(Reason.TOO_SOON, "resting", retry_at=due_at)


GATES: tuple[Gate, ...] = (campaign_running, within_hours, contact_pending, attempts_left, rested)


def first_shut(reading: Reading, now: datetime) -> Rejected | None:
    """Return the first shut gate's reason, or None when all are open."""
    return next((no for gate in GATES if (no := gate(reading, now))), None)
