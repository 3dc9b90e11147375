"""For which home of a log a dialer places calls, and whether a carrier takes them. Pure.

What is alike in all that a log can see (a cloned machine, a log put back in its place) is told
apart here, because the carrier has a memory of its own (ADR-0040).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

HOME = "Dialgate-Home"  # The header of an order.


@dataclass(frozen=True, slots=True)
class DialingHome:
    """What each order says of its dialer's log."""

    installation: str  # The same in every copy.
    generation: int
    claim: str
    process: int  # When the log's only dialer began, nanoseconds. 0: it is one of several.
    records: int  # How many the log has, as far as the dialer knows.

    def spelt(self) -> str:
        """Return it as a header's value."""
        numbers = f"{self.generation}/{self.process}/{self.records}"
        return f"{self.installation}/{self.claim}/{numbers}"

    @classmethod
    def parsed(cls, value: str) -> Self:
        """Return what a header's value says.

        Raises:
            ValueError: it says nothing.

        """
        installation, claim, generation, process, records = value.split("/")
        return cls(installation, int(generation), claim, int(process), int(records))


Replaced = Callable[[str, int], None]  # Told why orders are refused, and by which generation.


@runtime_checkable
class HomeKeeper(Protocol):
    """A carrier that may keep which home of a log places calls, and refuse the others'."""

    async def announce(self, home: Callable[[], DialingHome], replaced: Replaced) -> None:
        """Say that a dialer begins, and for which home its orders are. May be repeated.

        `replaced` is called, now or at an order, if another home has taken over: nothing rings.

        Raises:
            CarrierUnavailableError: no answer.

        """
        ...


def refusal(known: DialingHome | None, asks: DialingHome, *, begins: bool) -> str | None:
    """Return why orders for a home are refused; None: they are taken.

    `known`: the home that was taken last, of the same installation. `begins`: a dialer begins.
    """
    if known is None or asks.generation > known.generation:
        return None
    if asks.generation < known.generation:
        return "another copy of this log was adopted since"
    if asks.claim != known.claim:
        return "another copy of this log was adopted at the same time, and dialled first"
    if begins and asks.records < known.records:
        return (
            f"the carrier has heard of {known.records} records of this log, which has"
            f" {asks.records}: it was put back to an earlier state"
        )
    if not begins and asks.process < known.process:
        return "another process has begun to dial from a log that is like this one"
    return None
