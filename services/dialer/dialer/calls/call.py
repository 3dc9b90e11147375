"""One call, and when to look it up at the carrier. Pure.

What to append follows from what the log and the carrier say of it (`decisions.resolution`),
whichever process requested it. Both are explicit states (`call_states`).
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
    Statement,
    Use,
    lateness,
    logged,
    meaning,
    said,
)
from dialer.calls.lease import began_late, not_found_counts_at, rang_late
from dialer.carrier.port import Ended, Found, NoRing, NotFound, RefusedLate, Rung, Taken

TRIES_MAX = 4  # Of deciding about a call, or recording it. Then it ends as unknown.


class Names(TypedDict):
    """The fields that every fact of a call has."""

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
    sent_at: float | None  # Just before this process requested it. None: another did.
    carrier: str | None = None  # The carrier that the permission names. None: not known.
    folded_at: float | None = None  # When this process first folded the permission.
    use: Use = Use.NONE
    heard: Statement | None = None  # What the carrier is taken to say.
    late: Late = Late.NO_RING
    lag_s: float | None = 0.0  # The longest look-up lag that the carrier has had meanwhile.
    watched: bool = False  # Another's, folded when it was new: it had not rung.
    to_recheck: bool = False  # Given back as not placed, and to be looked up again.
    look_at: float | None = None  # When to look it up next. None: never.
    looking: bool = False
    # Since when another carrier than the one named answers. None: the named one does.
    strange_since: float | None = None
    missing_since: float | None = None  # When the carrier first did not know a started call.
    offer: str | None = None  # The id of the record that is offered for it.
    offered_at: float = 0.0
    offers: int = 0  # How many in a row were not read back.
    silent_since: float | None = None  # Since when no answer about it was usable.
    unanswered_times: int = 0  # In a row, while the carrier answered about others.
    failures: int = 0  # How often nothing could be decided, or recorded, about it.

    @property
    def ours(self) -> bool:
        """Say whether this process requested it."""
        return self.sent_at is not None

    @property
    def said(self) -> Said:
        """Return what the carrier is taken to say."""
        return meaning(self.heard)

    @property
    def undecidable(self) -> bool:
        """Say whether deciding has failed too often: the call ends as unknown."""
        return self.failures >= TRIES_MAX

    @property
    def closed(self) -> bool:
        """Say whether nothing more is to be done about it."""
        return (
            self.logged.resolved
            and not self.to_recheck
            and self.use is not Use.PLACING
            and not self.looking
            and (not self.late.due or self.undecidable)
        )

    def fold(self, fact: AnyCallFact) -> None:
        """Fold one of its facts."""
        rang_late = isinstance(fact, CallAbandoned) and fact.reason is Abandonment.RANG_LATE
        self.logged = logged(self.logged, fact)
        # The same record holds the CallLate of a call that is given back for this reason.
        self.late = lateness(self.late, self.logged, told=rang_late or isinstance(fact, CallLate))
        self.hear(None)

    def hear(self, news: Statement | None) -> None:
        """Take the carrier's statement, as far as it counts in the log's state of the call."""
        means = meaning(news)
        if said(self.said, self.logged, means) is means:
            self.heard = news

    def judge(self, *, began_late: bool) -> bool:
        """Note a ring that is first heard of; say whether it makes a CallLate due."""
        was, self.late = self.late, lateness(self.late, self.logged, began_late=began_late)
        return self.late.due and self.late is not was

    def names(self) -> Names:
        """Return the fields that every fact of it has."""
        return Names(
            campaign_id=self.campaign_id,
            contact_id=self.contact_id,
            call_id=self.call_id,
            run=self.run,
            attempt=self.attempt,
        )


def call_of(fact: CallRequested, sent_at: float | None) -> Call:
    """Return the call of a request. `sent_at`: if this process requested it."""
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

    Both must say so: no good call is hung up because one clock is wrong. A process that started
    after the permission was given cannot judge by its own clock: there the carrier's instant is
    enough, if the clocks were measured to agree.
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
) -> Statement | None:
    """Return the statement in a look-up's answer, and note when to look up again.

    `found` None: no answer. "Not found" counts only if the look-up began after every lease on the
    call was over. A carrier without a known look-up lag never says it for certain (architecture
    "Exactly one call").
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
) -> Statement | None:
    """Return the statement in an answer of another carrier than the permission names.

    Ids are unique and no request is sent twice, so any carrier that says that the phone rang is
    believed. Only the named one can say that it did not: a permission is waited for until nobody
    can place it, a started call for `silence_s`; then its outcome is unknown (ADR-0018).
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
