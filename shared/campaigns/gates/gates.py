"""Gates: ordered, pure reasons not to request a call now. If all are open, it is requested.

One list, in one order: what a dialer's reactor asks is what `why` shows (ADR-0031). A gate says
nothing of what its reading leaves out: of a contact, if the campaign as a whole is asked about; of
what only the dialer knows, in any other process. The rule refuses a request that was decided on an
old reading; gates judge this reading alone.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from campaigns.domain.campaign import gone
from campaigns.domain.contact import ContactStatus, erased
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.moves import Status
from campaigns.gates.hours import opens_at
from campaigns.gates.room import Reading, asked_for, lines_free

# How soon a missing key is looked for: what one part made, others read within a second.
KEY_AGAIN = timedelta(seconds=2)
Gate = Callable[[Reading, datetime], Rejected | None]


def campaign_running(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call of a campaign that is not running.

    Source: contract 1.3 row 7: no new call is initiated.
    """
    if reading.campaign.status is Status.RUNNING:
        return None
    return Rejected(Reason.NOT_RUNNING, f"campaign is {reading.campaign.status}")


def contact_pending(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact that is done, being called, or gone.

    Source: architecture, invariant 5: at most one open attempt a contact.
    """
    campaign, contact = reading.campaign, reading.contact
    if contact is None:
        return None
    if contact.status is not ContactStatus.PENDING:
        return Rejected(Reason.CONTACT_DONE, f"contact is {contact.status}")
    if gone(campaign, contact.contact_id, contact.ever, in_progress=False):
        return Rejected(Reason.CONTACT_DONE, "contact was replaced by a later list")
    return None


def not_erased(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact that is forgotten: it has no number any more.

    Source: ADR-0041.
    """
    if reading.contact is None or not erased(reading.campaign, reading.contact):
        return None
    return Rejected(Reason.ERASED, "contact was erased")


def rows_readable(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call of somebody whose number cannot be read, since a key is missing.

    Source: ADR-0041.
    """
    if reading.unread is None:
        return None
    return Rejected(Reason.KEY_MISSING, reading.unread, retry_at=now + KEY_AGAIN)


def attempts_left(reading: Reading, now: datetime) -> Rejected | None:
    """Reject an attempt beyond `max_attempts`, which counts all of a run.

    Source: contract 9.7.
    """
    contact = reading.contact
    if contact is None or contact.attempts < reading.campaign.settings.max_attempts:
        return None
    return Rejected(Reason.ATTEMPTS_SPENT, f"{contact.attempts} attempts spent")


def anyone_left(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call of a campaign all of whose contacts are done or being called.

    Source: contract 9.19: it completes with its last call.
    """
    campaign = reading.campaign
    if campaign.counters.pending > 0:
        return None
    if campaign.calls:
        what = f"no contact is left but those of {_count(len(campaign.calls), 'open call')}"
    elif campaign.importing is not None:
        what = "no contact is left until the list that is being imported counts"
    else:
        what = "no contact is left: the campaign completes"
    return Rejected(Reason.NO_CONTACTS_LEFT, what)


def within_hours(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call outside the campaign's calling hours, and say when they begin.

    Source: contract 9.23, and the guide's `allowed_hours` (contract 4).
    """
    opens = opens_at(reading.campaign, now)
    if opens is None:
        return None
    return Rejected(Reason.OUTSIDE_HOURS, "outside the calling hours", retry_at=opens)


def rested(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact before its time, and say when that is.

    Source: contract 3; architecture "strict pause" 2.
    """
    due_at = reading.contact.due_at if reading.contact else None
    if due_at is None or now >= due_at:
        return None
    return Rejected(Reason.RESTING, "contact rests before its next attempt", retry_at=due_at)


def dialer_works(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call by a dialer that does not work the campaign's partition, or is stopping.

    Source: ADR-0011.
    """
    if reading.dialer is None or reading.dialer.works:
        return None
    return Rejected(Reason.AWAITS_DIALER, "this dialer does not work the campaign now")


def log_answers(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call for a moment after the log has lost, or not taken, a request.

    Source: architecture "strict pause" 2.
    """
    if reading.dialer is None or reading.dialer.rest_s <= 0:
        return None
    retry_at = now + timedelta(seconds=reading.dialer.rest_s)
    return Rejected(Reason.LOG_SLOW, "the log did not take the last request", retry_at=retry_at)


def line_free(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call beyond `max_concurrent_calls`; the next one that ends makes room.

    Source: contract 9.18; architecture "Pacing".
    """
    if lines_free(reading) > 0:
        return None
    most = reading.campaign.settings.max_concurrent_calls
    return Rejected(Reason.ALL_LINES_BUSY, f"{_count(most, 'call')} at once, and no more")


def rate_left(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call beyond `calls_per_minute`, and say when the next one is due.

    Source: contract 9.18; architecture "Pacing".
    """
    campaign, asked = reading.campaign, asked_for(reading)
    per_minute = campaign.settings.calls_per_minute
    if campaign.bucket.left(per_minute, now) - asked >= 1:
        return None
    next_at = campaign.bucket.next_at(per_minute, now, asked)
    return Rejected(Reason.RATE, f"{_count(per_minute, 'call')} a minute", retry_at=next_at)


def carrier_takes(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call while carrier and log have as many requests as they take at once.

    Source: architecture "Pacing".
    """
    if reading.dialer is None or reading.dialer.room > 0:
        return None
    what = "the dialer has as many requests on their way as its carrier and log take at once"
    return Rejected(Reason.CARRIER_FULL, what)


def anyone_due(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a call of a campaign whose pending contacts all rest, and say when the first is due.

    Source: contract 9.7 and 9.20.
    """
    if reading.turn is None or reading.turn.contact_ids:
        return None
    what = "all pending contacts rest before their next attempt"
    if asked_for(reading):
        what = "the pending contacts are being asked for, or rest before their next attempt"
    return Rejected(Reason.ALL_RESTING, what, retry_at=reading.turn.next_at)


def first_in_turn(reading: Reading, now: datetime) -> Rejected | None:
    """Reject a contact while there is room only for those that come before it.

    Source: contract 9.20: due retries first, then the others in the order of their lists.
    """
    turn, contact = reading.turn, reading.contact
    if turn is None or contact is None or contact.contact_id in turn.contact_ids:
        return None
    room = f"there is room for {_count(len(turn.contact_ids), 'call')} now"
    return Rejected(Reason.OTHERS_FIRST, f"{room}, and other contacts come first")


# What concerns the contact alone is first, unless it passes by itself; who waits for room is told
# the room that lasts longest. Of several shut gates the first is named.
GATES: tuple[Gate, ...] = (
    campaign_running,
    contact_pending,
    not_erased,
    attempts_left,
    anyone_left,
    rows_readable,
    within_hours,
    rested,
    dialer_works,
    log_answers,
    line_free,
    rate_left,
    carrier_takes,
    anyone_due,
    first_in_turn,
)

# Why a running campaign as a whole may be idle: what the gates above say without a contact.
IDLE: tuple[Reason, ...] = (
    Reason.NO_CONTACTS_LEFT,
    Reason.KEY_MISSING,
    Reason.OUTSIDE_HOURS,
    Reason.AWAITS_DIALER,
    Reason.LOG_SLOW,
    Reason.ALL_LINES_BUSY,
    Reason.RATE,
    Reason.CARRIER_FULL,
    Reason.ALL_RESTING,
)


def first_shut(reading: Reading, now: datetime) -> Rejected | None:
    """Return the first shut gate's reason, or None when all are open."""
    for gate in GATES:
        if no := gate(reading, now):
            return no
    return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
