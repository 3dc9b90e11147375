"""When calls that were given back as not placed are asked about again: ever more rarely. Pure.

Times are CLOCK_BOOTTIME seconds. ADR-0018.
"""

from dataclasses import dataclass, field

REST_S = 60.0  # From giving a call back to asking again; it doubles each time: 6 times an hour.
ROUND_S = 10.0  # How often it is looked who is to be asked about …
ROUND_CALLS_MAX = 100  # … and how many that are at once: the others wait for the next round.


@dataclass(slots=True)
class Doubt:
    """One call that was given back."""

    campaign_id: int
    at: float
    rest_s: float = REST_S


@dataclass
class Doubts:
    """All that one process is to ask about again. `round_at`: when to look; None: nobody waits."""

    round_at: float | None = None
    _by_call: dict[str, Doubt] = field(default_factory=dict)

    def note(self, campaign_id: int, call_id: str, boot: float) -> None:
        """Have a call asked about a rest from now on, unless it is on the list already."""
        if call_id not in self._by_call:
            self._by_call[call_id] = Doubt(campaign_id, boot + REST_S)
            self.round_at = boot + REST_S if self.round_at is None else self.round_at

    def drop(self, call_id: str) -> None:
        """Forget a call: its CallLate stands, or it is too long ago."""
        self._by_call.pop(call_id, None)

    def round(self, boot: float) -> list[tuple[int, str]]:
        """Return whom to ask about now, by campaign and call, if a round is due."""
        if self.round_at is None or boot < self.round_at:
            return []
        found: list[tuple[int, str]] = []
        for call_id, doubt in self._by_call.items():
            if doubt.at <= boot and len(found) < ROUND_CALLS_MAX:
                found.append((doubt.campaign_id, call_id))
                doubt.rest_s *= 2
                doubt.at = boot + doubt.rest_s
        self.round_at = boot + ROUND_S if self._by_call else None
        return found
