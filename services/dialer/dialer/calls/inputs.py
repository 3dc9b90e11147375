"""What the shell tells the reactor."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.facts import AnyCampaignFact
from dialer.carrier.port import Ended, Found, Placed


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks, read together."""

    now: datetime
    boot: float  # CLOCK_BOOTTIME, seconds.


@dataclass(frozen=True, slots=True)
class Folded:
    """An accepted fact of a campaign, already folded."""

    fact: AnyCampaignFact
    first_folded_at: float  # CLOCK_BOOTTIME.


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of this dialer was refused, or the log failed to take it."""

    record_id: str
    taken: bool  # False: it was never in the log.


@dataclass(frozen=True, slots=True)
class Answered:
    """The carrier's answer to a place request. None: no answer in time."""

    call_id: str
    answer: Placed | None


@dataclass(frozen=True, slots=True)
class NotHanded:
    """The lease was over when the call was about to be placed, or it must not be placed here."""

    call_id: str
    unreadable: bool = False  # Its contact could not be read.


@dataclass(frozen=True, slots=True)
class Reported:
    """The carrier reports that a call has ended."""

    call_id: str
    ended: Ended


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The carrier's answer to a look-up. None: no answer, or no usable one."""

    call_id: str
    asked_at: float  # CLOCK_BOOTTIME.
    found: Found | None
    carrier: str | None  # The carrier that was asked.
    nonsense: bool = False  # It answered, unusably.


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of this dialer was not appended, because no reader could read it back."""

    record_id: str
    failure: Exception


@dataclass(frozen=True, slots=True)
class Working:
    """The partitions that this dialer now works; the fold has caught up with all of them."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Woken:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Request no more calls, and give back unused permissions."""


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
