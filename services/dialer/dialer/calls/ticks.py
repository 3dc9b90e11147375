"""What the shell tells the reactor (inputs), and what the reactor asks of the shell (effects)."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.facts import AnyCampaignFact, AnyFact, Stream
from dialer.carrier.port import Ended, Found, Placed


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks, read together."""

    now: datetime
    boot: float  # CLOCK_BOOTTIME, seconds.


@dataclass(frozen=True, slots=True)
class Folded:
    """An accepted fact of a campaign, which the fold has taken in."""

    fact: AnyCampaignFact
    first_folded_at: float  # CLOCK_BOOTTIME.


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of ours was decided too late, or the log did not take it."""

    record_id: str
    taken: bool  # False: it never was in the log.


@dataclass(frozen=True, slots=True)
class Answered:
    """The carrier answered a place request. None: it did not, in time."""

    call_id: str
    answer: Placed | None


@dataclass(frozen=True, slots=True)
class NotHanded:
    """The lease was over, or the number not to be had, when the call was about to be placed."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Reported:
    """The carrier says by itself that a call has ended."""

    call_id: str
    ended: Ended


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The carrier was asked about a call. None: it did not answer, or nothing that can be used."""

    call_id: str
    asked_at: float  # CLOCK_BOOTTIME.
    found: Found | None
    carrier: str | None  # Who was asked.
    nonsense: bool = False  # It did answer.


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of ours was definitely refused, because no reader could read it back."""

    record_id: str
    failure: Exception


@dataclass(frozen=True, slots=True)
class Working:
    """The partitions that this dialer works from now on, all caught up."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Woken:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Ask for nothing more, and give back what is not used."""


Input = (
    Folded
    | Refused
    | Unreadable
    | Answered
    | NotHanded
    | Reported
    | LookedUp
    | Working
    | Woken
    | Stopping
)


@dataclass(frozen=True, slots=True)
class Offer:
    """Append facts that were decided now, on these streams as they are now."""

    record_id: str
    campaign_id: int
    facts: tuple[AnyFact, ...]
    streams: tuple[Stream, ...]
    causation_id: str | None


@dataclass(frozen=True, slots=True)
class Ring:
    """Place a call whose permission was read back, if its lease is not over."""

    call_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the carrier about a call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a call that should not be."""

    call_id: str


Effect = Offer | Ring | LookUp | HangUp
