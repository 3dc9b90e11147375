"""The state of a call: what the log says of it, what the carrier says, whether its ring was late.

Each of the three is changed by one function here; LEGAL holds the combinations that there are.
Pure. `make docs` draws LEGAL into the architecture page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from campaigns.domain.facts import (
    AnyCallFact,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from dialer.carrier.port import Elsewhere, Ended, NoRing, NotFound, RefusedLate, Rung


class Logged(StrEnum):
    """What the log says of a call."""

    ASKED = "asked for"  # Offered by this process, not read back.
    PERMITTED = "permitted"  # CallRequested stands, and is not resolved.
    STARTED = "started"  # CallStarted stands.
    ENDED = "ended"  # CallEnded stands, after CallStarted.
    UNRUNG = "resolved without a ring"  # CallAbandoned, or CallEnded without CallStarted.
    UNKNOWN = "ended as unknown"  # CallEnded without CallStarted: it may have rung.

    @property
    def resolved(self) -> bool:
        """Say whether the log has the call's end."""
        return self in (Logged.ENDED, Logged.UNRUNG, Logged.UNKNOWN)


class Said(StrEnum):
    """What the carrier is taken to say of a call that is not resolved."""

    NOTHING = "nothing"
    LOST = "cannot say"  # Nobody will ever know what became of it.
    NOT_PLACED = "never had it"  # And it can no longer be placed.
    REFUSED_LATE = "refused it as late"
    NO_RING = "refused it"
    RINGS = "rings"
    OVER = "over"  # It rang, and has ended.


class Late(StrEnum):
    """Whether a call's ring was late, and what is to be said of that."""

    NO_RING = "none heard of"
    IN_TIME = "in time"
    OTHERWISE = "against its resolution"  # CallLate is due.
    TOO_LATE = "after its time"  # CallLate is due.
    TOLD = "on the record"  # CallLate stands.

    @property
    def due(self) -> bool:
        """Say whether CallLate is to be appended."""
        return self in DETAIL


DETAIL = {
    Late.OTHERWISE: "its permission had been resolved otherwise",
    Late.TOO_LATE: "it began to ring after the permission's time",
}


class Use(StrEnum):
    """What this process has made of a permission."""

    NONE = "none"  # Not handed to the carrier: not yet, or not by this process.
    PLACING = "placing"  # Handed to the carrier, and not answered yet.
    PLACED = "placed"  # … and answered, or waited for long enough.
    GIVEN_UP = "given up"  # Its lease was over first: it is never handed over.
    UNREADABLE = "unreadable"  # Its contact could not be read: it is never handed over.


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody will ever say what became of a call."""


Statement = Rung | Ended | NoRing | RefusedLate | Elsewhere | NotFound | Lost

# What counts in each state of the log, the weightier last. In a resolved call nothing does: a ring
# that is heard of then only says that it was late.
WEIGHTS: dict[Logged, tuple[Said, ...]] = {
    Logged.ASKED: (Said.NOTHING,),
    Logged.PERMITTED: tuple(Said),
    Logged.STARTED: (Said.NOTHING, Said.RINGS, Said.LOST, Said.OVER),
    Logged.ENDED: (Said.NOTHING,),
    Logged.UNRUNG: (Said.NOTHING,),
    Logged.UNKNOWN: (Said.NOTHING,),
}

_NO_RING = frozenset({Late.NO_RING})
_IN_TIME = frozenset({Late.IN_TIME})
_RANG = frozenset({Late.IN_TIME, Late.TOO_LATE})
# A ring that is heard of is judged at once; one that the log knows of was in time.
LEGAL: dict[Logged, dict[Said, frozenset[Late]]] = {
    Logged.ASKED: {Said.NOTHING: _NO_RING},
    Logged.PERMITTED: {
        Said.NOTHING: _NO_RING,
        Said.LOST: _NO_RING,
        Said.NOT_PLACED: _NO_RING,
        Said.REFUSED_LATE: _NO_RING,
        Said.NO_RING: _NO_RING,
        Said.RINGS: _RANG,
        Said.OVER: _RANG,
    },
    Logged.STARTED: {
        Said.NOTHING: _IN_TIME,
        Said.RINGS: _IN_TIME,
        Said.LOST: _IN_TIME,
        Said.OVER: _IN_TIME,
    },
    Logged.ENDED: {Said.NOTHING: _IN_TIME},
    Logged.UNRUNG: {
        Said.NOTHING: frozenset({Late.NO_RING, Late.OTHERWISE, Late.TOO_LATE, Late.TOLD})
    },
    Logged.UNKNOWN: {
        Said.NOTHING: frozenset({Late.NO_RING, Late.IN_TIME, Late.TOO_LATE, Late.TOLD})
    },
}


def logged(was: Logged, fact: AnyCallFact) -> Logged:
    """Return what the log says once it has this fact too."""
    match fact:
        case CallRequested():
            return Logged.PERMITTED
        case CallStarted():
            return Logged.STARTED
        case CallLate():
            return was
        case _ if was is Logged.STARTED:
            return Logged.ENDED
        case CallEnded(disposition=Disposition.UNKNOWN):
            return Logged.UNKNOWN
        case _:
            return Logged.UNRUNG


def meaning(word: Statement | None) -> Said:
    """Return what a word of the carrier says."""
    match word:
        case None:
            return Said.NOTHING
        case Lost():
            return Said.LOST
        case NotFound() | Elsewhere():
            return Said.NOT_PLACED
        case RefusedLate():
            return Said.REFUSED_LATE
        case NoRing():
            return Said.NO_RING
        case Rung():
            return Said.RINGS
        case Ended():
            return Said.OVER


def said(was: Said, stage: Logged, news: Said) -> Said:
    """Return what the carrier is taken to say after news of it: the weightier statement."""
    weights = WEIGHTS[stage]
    stands = was if was in weights else Said.NOTHING
    return news if news in weights[weights.index(stands) :] else stands


def lateness(
    was: Late, stage: Logged, *, began_late: bool | None = None, told: bool = False
) -> Late:
    """Return whether its ring was late, by what the log says now.

    `began_late`: a ring is heard of, and by the clocks it began too late, or in time; None: no
    news. Only what is heard first is judged: later, every ring seems late. `told`: CallLate stands
    in the log.
    """
    if told:
        return Late.TOLD
    if stage is Logged.STARTED:  # The first resolution counts, from any dialer.
        return Late.IN_TIME
    if was is Late.NO_RING and began_late is not None:
        was = Late.TOO_LATE if began_late and stage is not Logged.UNRUNG else Late.IN_TIME
    return Late.OTHERWISE if (was, stage) == (Late.IN_TIME, Logged.UNRUNG) else was


def combinations() -> Iterator[tuple[Logged, Said, Late]]:
    """Yield every legal combination, in order."""
    for stage, words in LEGAL.items():
        for word, lates in words.items():
            yield from ((stage, word, late) for late in Late if late in lates)
