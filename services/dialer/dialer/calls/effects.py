"""What the reactor asks of its shell."""

from dataclasses import dataclass

from campaigns.domain.facts import AnyFact
from campaigns.domain.values.stream_names import Stream


@dataclass(frozen=True, slots=True)
class Offer:
    """Append facts, on the condition that these streams are as they are now."""

    record_id: str
    campaign_id: int
    facts: tuple[AnyFact, ...]
    streams: tuple[Stream, ...]
    causation_id: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Place a call whose permission was read back, unless its lease is over."""

    call_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the carrier about a call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up a call."""

    call_id: str


Effect = Offer | Place | LookUp | HangUp
