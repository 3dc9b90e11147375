"""The clocks of one simulated machine: they differ, drift, stop, sleep, and are set."""

from collections.abc import Callable
from datetime import datetime, timedelta

from campaigns.process.virtual_time import NOON


class SimClock:
    """A machine's clocks over the one true time, which no simulated process can read."""

    def __init__(
        self, true_s: Callable[[], float], *, rate: float = 1.0, ahead_s: float = 0.0
    ) -> None:
        self._true_s, self._rate = true_s, rate
        self.ahead_s = ahead_s  # Of the wall clock.
        self.stepped_at_s = 0.0  # True time: since then nothing but drift.
        self._stood_s = 0.0  # In total: every clock.
        self._slept_s = 0.0  # In total: the monotonic clock alone.
        self._behind_s = 0.0  # What standing still has cost the wall clock, until it is set.
        self._stands_since: float | None = None
        self._sleeps_since: float | None = None

    def now(self) -> datetime:
        """Return the wall clock."""
        ahead = self.ahead_s - self._behind_s + (self._true() - self._stood_s) * self._rate
        return NOON + timedelta(seconds=round(ahead + self._stood_s, 6))

    def monotonic(self) -> float:
        """Return seconds that stand still while the machine sleeps."""
        true = self._sleeps_since if self._sleeps_since is not None else self._true()
        return 1000.0 + (true - self._stood_s - self._slept_s) * self._rate

    def boottime(self) -> float:
        """Return seconds that go on while the machine sleeps."""
        return 1000.0 + (self._true() - self._stood_s) * self._rate

    def true_at(self, monotonic: float) -> float:
        """Return when the monotonic clock will show this, if nothing stops it."""
        return (monotonic - 1000.0) / self._rate + self._stood_s + self._slept_s

    def _true(self) -> float:
        return self._true_s() if self._stands_since is None else self._stands_since

    def stand(self) -> None:
        """Stop every clock, as in a machine that is stalled."""
        self._stands_since = self._true_s()

    def go_on(self) -> None:
        """Let them go on, all of them behind."""
        if self._stands_since is not None:
            stood = self._true_s() - self._stands_since
            self._stood_s, self._behind_s = self._stood_s + stood, self._behind_s + stood
            self._stands_since = None
            self.stepped_at_s = self._true_s()

    def sleep(self) -> None:
        """Stop the monotonic clock alone, as in a machine that sleeps."""
        self._sleeps_since = self._true_s()

    def wake(self) -> None:
        """Let it go on, behind."""
        if self._sleeps_since is not None:
            self._slept_s += self._true_s() - self._sleeps_since
            self._sleeps_since = None

    def set(self, ahead_s: float | None = None) -> None:
        """Set the wall clock right, but for what it was ahead before (or `ahead_s`)."""
        self._behind_s = 0.0
        if ahead_s is not None:
            self.ahead_s, self.stepped_at_s = ahead_s, self._true_s()
