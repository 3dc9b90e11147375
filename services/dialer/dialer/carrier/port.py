"""The carrier as a port: what the dialer asks of the system that rings phones. No adapter.

Adapters: simulated_carrier.py (in this process), client.py (a carrier process).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, Protocol, runtime_checkable

from campaigns.domain.facts import Disposition


@dataclass(frozen=True, slots=True)
class CallOrder:
    """All that a carrier needs to ring one contact once."""

    call_id: str
    campaign_id: int
    contact_id: int
    run: int
    attempt: int
    to: str  # E.164.
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """Known to the carrier, and not ringing yet. Only ever an answer to a look-up."""


@dataclass(frozen=True, slots=True)
class Rung:
    """The phone rings or has been answered; the call is in progress."""

    began_at: datetime  # When the ring began, by the carrier's clock.


@dataclass(frozen=True, slots=True)
class Ended:
    """The call rang and is over."""

    began_at: datetime
    ended_at: datetime
    disposition: Disposition
    duration_s: float  # Of talk.
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NoRing:
    """A definite no: it never rang and never will."""

    reason: str


@dataclass(frozen=True, slots=True)
class RefusedLate:
    """It never rang and never will, because `ring_by` had passed."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The carrier knows no such call now; within its look-up lag it still may, later."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """It was not taken, and never will be: another carrier answers than the permission names."""


Placed = Rung | NoRing | RefusedLate | Elsewhere
Found = Taken | Rung | Ended | NoRing | RefusedLate | NotFound
Report = Callable[[str, Ended], None]  # Told of each call's end: call id, how. May repeat.


class Carrier(Protocol):
    """The system that rings phones. An adapter never repeats a request by itself."""

    name: str
    placing_max: int  # Calls on their way to it at once: nothing waits in its queue.

    @property
    def id(self) -> str | None:
        """Return the carrier's unique id, known once open. None: it has none.

        It changes when another carrier answers at the same place. An answer is never returned for
        another carrier than the one that was asked.
        """
        ...

    # The terms may change while it is open; they hold for calls placed after that.

    @property
    def lookup_lag_s(self) -> float | None:
        """Return after how long "not found" is the truth. None: it never is."""
        ...

    @property
    def silence_s(self) -> float:
        """Return after how long without a report a started call is looked up."""
        ...

    @property
    def refuses_late(self) -> bool:
        """Say whether it is known to refuse to begin a ring after `ring_by`."""
        ...

    @property
    def clocks_agree(self) -> bool:
        """Say whether its clock and ours are known to differ by less than the carrier timeout."""
        ...

    @property
    def clock_difference_s(self) -> float | None:
        """Return its clock minus ours, as last measured. None: not known."""
        ...

    async def open(self, report: Report) -> None:
        """Connect; `report` is called, in the event loop, when a call has ended."""
        ...

    async def close(self) -> None:
        """Close. Calls in progress continue."""
        ...

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        """Ring a contact, unless `ring_by` has passed by the carrier's clock when it would begin.

        Answers when the ring has begun, or when there is a definite no; not when it is queued.

        Raises:
            CarrierUnavailableError: no such answer. It may ring all the same: look it up.

        """
        ...

    async def look_up(self, call_id: str) -> Found:
        """Say what became of a call.

        Raises:
            CarrierUnavailableError: the carrier does not answer.

        """
        ...

    async def hang_up(self, call_id: str) -> None:
        """Hang up a call. Unknown and ended calls are no error.

        Raises:
            CarrierUnavailableError: the carrier does not answer.

        """
        ...


@runtime_checkable
class Watched(Protocol):
    """An adapter with timers or tasks of its own, whose failure must be noticed."""

    async def watch(self) -> NoReturn:
        """Wait until a timer or task fails, and raise its exception."""
        ...
