"""The records that this dialer has offered and whose ruling it waits for. Pure.

The log may lose a record without saying so. Each is offered again long before it is forgotten; if
it appears after that, it is treated as another process's record.
"""

from collections.abc import Iterator

FORGET_S = 600.0  # Longer than any record is waited for.
OFFERED_MAX = 50_000  # Beyond it the oldest are forgotten.


class Offers:
    """Record id → when it was offered, CLOCK_BOOTTIME; the oldest first."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many are waited for."""
        return len(self._at)

    def add(self, record_id: str, boot: float) -> None:
        """Add a record that is sent now."""
        self._at[record_id] = boot

    def done(self, record_id: str) -> None:
        """Remove a record whose ruling is known, or will never come."""
        self._at.pop(record_id, None)

    def forgotten(self, boot: float) -> Iterator[str]:
        """Yield and forget the records that are too old, or too many."""
        while self._at:
            record_id, at = next(iter(self._at.items()))
            if boot - at < FORGET_S and len(self._at) <= OFFERED_MAX:
                return
            del self._at[record_id]
            yield record_id
