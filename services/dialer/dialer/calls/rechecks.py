"""When to ask again about calls that were given back as not placed: ever more rarely. Pure.

Times are CLOCK_BOOTTIME seconds. ADR-0018.
"""

from dataclasses import dataclass, field

REST_S = 60.0  # From the return of a call to the next question; doubles each time: 6 in an hour.
ROUND_S = 10.0  # How often due calls are looked for …
ROUND_CALLS_MAX = 100  # … and how many are taken at once: the others wait for the next round.


@dataclass(slots=True)
class Recheck:
    """One call that was given back, and when to ask about it."""

    campaign_id: int
    at: float
    rest_s: float = REST_S


@dataclass
class Rechecks:
    """All calls that one process is to ask about again. `round_at`: the next round."""

    round_at: float | None = None
    _by_call: dict[str, Recheck] = field(default_factory=dict)

    def note(self, campaign_id: int, call_id: str, boot: float) -> None:
        """Schedule a call to be asked about after a rest, unless it is scheduled already."""
        if call_id not in self._by_call:
            self._by_call[call_id] = Recheck(campaign_id, boot + REST_S)
            self.round_at = boot + REST_S if self.round_at is None else self.round_at

    def drop(self, call_id: str) -> None:
        """Forget a call whose CallLate is recorded, or that is too old."""
        self._by_call.pop(call_id, None)

    def round(self, boot: float) -> list[tuple[int, str]]:
        """Return the calls to ask about now, as (campaign id, call id), if a round is due."""
        if self.round_at is None or boot < self.round_at:
            return []
        found: list[tuple[int, str]] = []
        for call_id, recheck in self._by_call.items():
            if recheck.at <= boot and len(found) < ROUND_CALLS_MAX:
                found.append((recheck.campaign_id, call_id))
                recheck.rest_s *= 2
                recheck.at = boot + recheck.rest_s
        self.round_at = boot + ROUND_S if self._by_call else None
        return found
