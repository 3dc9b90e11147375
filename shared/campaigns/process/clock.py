"""The port for time, and the only module that reads the machine's clocks."""

import sys
import time
from datetime import UTC, datetime
from typing import Protocol

_BOOT_CLOCK = time.CLOCK_MONOTONIC if sys.platform == "darwin" else time.CLOCK_BOOTTIME


class Clock(Protocol):
    """The clocks that the system may read."""

    def now(self) -> datetime:
        """Return the wall clock, aware, UTC. For facts and people; never for a lease check."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that cannot be set."""
        ...

    def boottime(self) -> float:
        """Return seconds on a clock that cannot be set and that runs while the machine sleeps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the wall clock, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  (the only place)

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def boottime(self) -> float:
        """Return CLOCK_BOOTTIME in seconds (macOS: CLOCK_MONOTONIC, which runs in sleep there)."""
        return time.clock_gettime(_BOOT_CLOCK)
