"""Records of ours that are on their way, for as long as their ruling may be of use. Pure.

Some never come back: the log has lost them, and nobody can say so. Each was offered anew long
before it is forgotten; one that appears after that all the same is looked at as anybody's.
"""

from collections.abc import Iterator

FORGET_S = 600.0  # Longer than any of them is waited for.
OFFERED_MAX = 50_000  # The oldest go first.


class Offered:
    """Record id → when it was offered, CLOCK_BOOTTIME; the oldest first."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many are on their way."""
        return len(self._at)

    def add(self, record_id: str, boot: float) -> None:
        """Note one that is sent now."""
        self._at[record_id] = boot

    def done(self, record_id: str) -> None:
        """Note that its ruling is known, or that there will be none."""
        self._at.pop(record_id, None)

    def forgotten(self, boot: float) -> Iterator[str]:
        """Yield those that are of no use any more, and forget them."""
        while self._at:
            record_id, at = next(iter(self._at.items()))
            if boot - at < FORGET_S and len(self._at) <= OFFERED_MAX:
                return
            del self._at[record_id]
            yield record_id
