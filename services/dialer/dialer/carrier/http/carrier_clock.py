"""A carrier's clock compared with ours: how far they differ, and whether a pause may rely on it.

`ring_by` is set by our clock and obeyed by the carrier's, and a barrier waits for the carrier
timeout beyond it. So a refusal of late rings can be relied on only while the clocks are known to
differ by less than that (ADR-0018). An unknown difference counts as too large.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from campaigns.process.clock import Clock

CHECKS_MISSED_MAX = 3  # After that the difference counts as unknown.
WARN_AGAIN_S = 60.0  # How often a lasting difference is logged.

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Compared:
    """The result of a comparison. Times are boottime."""

    carrier_ahead_s: float  # The carrier's wall clock minus our boottime.
    give_or_take_s: float  # Half of the request's round trip.
    good_until: float


class CarrierClock:
    """The last comparison. `timeout_s` is the carrier timeout, `check_s` how often we compare."""

    def __init__(self, clock: Clock, *, lease_s: float, timeout_s: float, check_s: float) -> None:
        self._clock, self._lease_s, self._timeout_s = clock, lease_s, timeout_s
        self._known_s = CHECKS_MISSED_MAX * check_s + timeout_s
        self._compared: _Compared | None = None
        self._warned_at = float("-inf")

    @property
    def difference_s(self) -> float | None:
        """Return the carrier's clock minus ours; a step of ours shows at once. None: not known."""
        if self._compared is None or self._clock.boottime() > self._compared.good_until:
            return None
        ours_ahead_s = self._clock.now().timestamp() - self._clock.boottime()
        return self._compared.carrier_ahead_s - ours_ahead_s

    @property
    def agrees(self) -> bool:
        """Say whether the clocks surely differ by less than the carrier timeout."""
        difference_s = self.difference_s
        if difference_s is None or self._compared is None:
            return False
        return abs(difference_s) + self._compared.give_or_take_s < self._timeout_s

    def compare(self, theirs: datetime, asked_at: float, answered_at: float) -> None:
        """Take what the carrier's clock showed between two instants of our boottime."""
        self._compared = _Compared(
            carrier_ahead_s=theirs.timestamp() - (asked_at + answered_at) / 2,
            give_or_take_s=(answered_at - asked_at) / 2,
            good_until=answered_at + self._known_s,
        )
        self._warn(answered_at)

    def forget(self) -> None:
        """Forget the comparison: another carrier answers."""
        self._compared = None

    def _warn(self, now: float) -> None:
        """Log that the clocks differ: at once, then every WARN_AGAIN_S."""
        difference_s = self.difference_s or 0.0
        if abs(difference_s) <= self._lease_s / 2 and self.agrees:
            self._warned_at = float("-inf")
        elif now >= self._warned_at + WARN_AGAIN_S:
            self._warned_at = now
            logger.warning(
                "the carrier's clock differs from ours by %+.3f s, more than half a lease (%.3f s):"
                " calls may be refused as late, or ring late%s",
                difference_s,
                self._lease_s,
                ""
                if self.agrees
                else f"; it is not less than the carrier timeout ({self._timeout_s:.3f} s), so"
                " pauses are best effort until the clocks agree",
            )
