"""One call that this dialer has to do with, and when the carrier is to be asked about it. Pure.

What is to be appended follows from what the log and the carrier say of it (`resolve.resolution`),
whoever asked for the call and however often a process died; both are explicit (`call_states`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from campaigns.domain.facts import Abandonment, AnyCallFact, CallAbandoned, CallLate, CallRequested
from dialer.calls.call_states import (
    Late,
    Logged,
    Lost,
    Said,
    Use,
    Word,
    lateness,
    logged,
    meaning,
    said,
)
from dialer.calls.lease import began_late, not_found_counts_at, rang_late
from dialer.carrier.port import Ended, Found, NoRing, NotFound, RefusedLate, Rung, Taken

TRIES_MAX = 4  # To decide about a call, or record that. Then it ends as unknown.


class Names(TypedDict):
    """What every fact of a call says of it."""

    campaign_id: int
    contact_id: int
    call_id: str
    run: int
    attempt: int


@dataclass(slots=True)
class Call:
    """One call. Times are CLOCK_BOOTTIME seconds of this process."""

    call_id: str
    campaign_id: int
    contact_id: int
    run: int
    attempt: int
    lease_s: float  # The terms that the permission itself carries.
    carrier_timeout_s: float
    refuses_late: bool
    ring_by: datetime
    logged: Logged
    sent_at: float | None  # Before this process asked for it; None: not ours.
    carrier: str | None = None  # Who may ring. None: not known.
    folded_at: float | None = None  # When this process first folded the permission.
    use: Use = Use.NONE
    heard: Word | None = None  # What the carrier is taken to say.
    late: Late = Late.NO_RING
    lag_s: float | None = 0.0  # The longest look-up lag that the carrier has had meanwhile.
    watched: bool = False  # Not ours, and folded as it came: it cannot have rung before.
    doubted: bool = False  # Given back as not placed, and to be asked about once more.
    look_at: float | None = None  # When to ask the carrier about it next. None: no need.
    looking: bool = False
    # Who was asked last, and is not the one named: when that was first so. None: no such one.
    strange_since: float | None = None
    missing_since: float | None = None  # Started, and the carrier did not know it then.
    offer: str | None = None  # The id of the record that is on its way for it.
    offered_at: float = 0.0
    offers: int = 0  # In a row that were not read back.
    silent_since: float | None = None  # The carrier says nothing of it that can be used.
    doubts: int = 0  # How often in a row, while it answered others.
    stumbles: int = 0  # How often nothing could be decided, or recorded, about it.

    @property
    def ours(self) -> bool:
        """Say whether this process asked for it, since it started."""
        return self.sent_at is not None

    @property
    def said(self) -> Said:
        """Return what the carrier is taken to say."""
        return meaning(self.heard)

    @property
    def spoilt(self) -> bool:
        """Say whether deciding about it has failed too often: it ends as unknown."""
        return self.stumbles >= TRIES_MAX

    @property
    def closed(self) -> bool:
        """Say whether nothing more is to be done about it."""
        return (
            self.logged.resolved
            and not self.doubted
            and self.use is not Use.PLACING
            and not self.looking
            and (not self.late.due or self.spoilt)
        )

    def fold(self, fact: AnyCallFact) -> None:
        """Take in a fact of it."""
        rang_late = isinstance(fact, CallAbandoned) and fact.reason is Abandonment.RANG_LATE
        self.logged = logged(self.logged, fact)
        # The CallLate of one that is given back so stands in the same record.
        self.late = lateness(self.late, self.logged, told=rang_late or isinstance(fact, CallLate))
        self.hear(None)

    def hear(self, news: Word | None) -> None:
        """Take in what the carrier says, as far as it counts by what the log says."""
        means = meaning(news)
        if said(self.said, self.logged, means) is means:
            self.heard = news

    def judge(self, *, began_late: bool) -> bool:
        """Note that a ring is heard of, and when by the clocks; say whether it is late by that."""
        was, self.late = self.late, lateness(self.late, self.logged, began_late=began_late)
        return self.late.due and self.late is not was

    def names(self) -> Names:
        """Return what every fact of it says."""
        return Names(
            campaign_id=self.campaign_id,
            contact_id=self.contact_id,
            call_id=self.call_id,
            run=self.run,
            attempt=self.attempt,
        )


def call_of(fact: CallRequested, sent_at: float | None) -> Call:
    """Return a call as its request says; `sent_at` when this process asks for it, else None."""
    return Call(
        fact.call_id,
        fact.campaign_id,
        fact.contact_id,
        fact.run,
        fact.attempt,
        fact.lease_s,
        fact.carrier_timeout_s,
        fact.refuses_late,
        fact.ring_by,
        Logged.ASKED,
        sent_at,
        fact.carrier,
    )


def too_late(call: Call, said: Rung | Ended, now: float, *, clocks_agree: bool) -> bool:
    """Say whether a ring began too late, by the carrier's instant and by this process's clock.

    Both must say so: a good call is not hung up because one clock is wrong. A process that was
    begun since the permission was given has no clock of its own to say: there the carrier's
    instant is enough, if the clocks were measured to agree.
    """
    since = call.folded_at if call.sent_at is None else call.sent_at
    assert since is not None, "only what was permitted has rung"
    over = rang_late(since, call.lease_s, call.carrier_timeout_s, now)
    if not (call.ours or call.watched):
        over = over or clocks_agree
    return over and began_late(said.began_at, call.ring_by, call.carrier_timeout_s)


def looked_up(
    call: Call,
    found: Found | None,
    asked_at: float,
    now: float,
    *,
    lag_s: float | None,
    poll_s: float,
    silence_s: float,
) -> Word | None:
    """Return what an answer of the carrier says of a call, and note when to ask again.

    `found` None: no answer. "Not found" counts only when it was asked for after every lease on the
    call was over; a carrier without a look-up lag never says it for certain (architecture, "Exactly
    one call").
    """
    call.looking = False
    call.look_at = None
    match found:
        case None | Taken():
            call.look_at = now + poll_s
        case Rung():
            call.missing_since = None
            call.look_at = now + (silence_s if call.ours else poll_s)
            return found
        case NoRing() | RefusedLate() if call.logged is Logged.STARTED:
            return Lost()  # It rang, says the log; it never did, says the carrier.
        case Ended() | NoRing() | RefusedLate():
            return found
        case NotFound():
            if call.logged is Logged.STARTED:
                return _missing(call, asked_at, lag_s or 0.0, poll_s)
            if call.logged is Logged.PERMITTED:
                return _not_found(call, asked_at, lag_s)
    return None


def looked_up_elsewhere(
    call: Call, found: Found | None, asked_at: float, now: float, *, poll_s: float, silence_s: float
) -> Word | None:
    """Return what the answer of another carrier than the permission names says of a call.

    Ids are unique and no request is sent twice, so who says that the phone rang is believed,
    whoever it is. That it did not ring, nobody can say but the one that is named: a permission is
    waited for until nobody can place it any more, a call that has begun for as long as calls are
    silent; then nobody knows what became of it (ADR-0018).
    """
    call.looking = False
    if isinstance(found, Rung | Ended):
        call.strange_since = None
        call.look_at = now + poll_s if isinstance(found, Rung) else None
        return found
    if call.strange_since is None:
        call.strange_since = asked_at
    if call.logged is Logged.PERMITTED:
        assert call.folded_at is not None, "permitted calls were folded"
        over_at = not_found_counts_at(call.folded_at, call.lease_s, call.carrier_timeout_s, 0.0)
    else:
        over_at = call.strange_since + silence_s
    if call.said is Said.LOST or asked_at >= over_at:
        call.look_at = None
        return Lost()
    call.look_at = min(now + poll_s, max(over_at, now))
    return None


def _missing(call: Call, asked_at: float, lag_s: float, poll_s: float) -> Lost | None:
    if call.missing_since is None:
        call.missing_since = asked_at
    if asked_at >= call.missing_since + lag_s and asked_at > call.missing_since:
        return Lost()
    call.look_at = call.missing_since + max(lag_s, poll_s)
    return None


def _not_found(call: Call, asked_at: float, lag_s: float | None) -> NotFound | Lost | None:
    assert call.folded_at is not None, "permitted calls were folded"
    counts_at = not_found_counts_at(
        call.folded_at, call.lease_s, call.carrier_timeout_s, lag_s or 0.0
    )
    if asked_at < counts_at:
        call.look_at = counts_at
        return None
    return Lost() if lag_s is None else NotFound()
