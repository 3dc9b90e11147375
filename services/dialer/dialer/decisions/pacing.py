"""How many calls to request now: a token bucket for each campaign, folded from the log. Pure.

Even: the burst is one second's worth (whole, at least 1), refilled at limit - burst + 1 a minute,
so that the limit holds in any sliding minute of CallRequested times.
Source: architecture "Pacing"; contract 9.18.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE_S = 60.0


def burst(calls_per_minute: int) -> int:
    """Return how many calls may be requested at one instant."""
    return max(1, calls_per_minute // 60)


def refill_per_s(calls_per_minute: int) -> float:
    """Return how many tokens are refilled each second."""
    return (calls_per_minute - burst(calls_per_minute) + 1) / MINUTE_S


@dataclass(slots=True)
class Bucket:
    """Tokens left as of an instant. Full before the first request."""

    tokens: float | None = None  # None: full.
    at: datetime | None = None

    def left(self, calls_per_minute: int, now: datetime) -> float:
        """Return the tokens left at `now`; a clock that was set back a little refills nothing.

        After a step back of more than a minute the bucket is full: else no call would be requested
        until the clock is as late again. No sliding minute holds requests of both times.
        """
        full = float(burst(calls_per_minute))
        if self.tokens is None or self.at is None or self._set_back(now):
            return full
        passed_s = max(0.0, (now - self.at).total_seconds())
        return min(full, self.tokens + passed_s * refill_per_s(calls_per_minute))

    def spend(self, calls_per_minute: int, requested_at: datetime) -> None:
        """Fold one accepted CallRequested."""
        self.tokens = self.left(calls_per_minute, requested_at) - 1.0
        if self.at is None or self._set_back(requested_at):
            self.at = requested_at
        else:
            self.at = max(self.at, requested_at)

    def _set_back(self, now: datetime) -> bool:
        return self.at is not None and now < self.at - timedelta(seconds=MINUTE_S)

    def next_at(self, calls_per_minute: int, now: datetime, waiting: int) -> datetime:
        """Return when there are tokens for one request more than `waiting`."""
        lacking = waiting + 1 - self.left(calls_per_minute, now)
        return now + timedelta(seconds=max(0.0, lacking) / refill_per_s(calls_per_minute))


@dataclass(slots=True)
class Window:
    """How many permissions may wait for their ruling at once; fewer when rulings come too late."""

    max: int
    size: float

    def too_late(self) -> None:
        """Halve the window: a permission was not read back within its lease."""
        self.size = max(1.0, self.size / 2)

    def in_time(self) -> None:
        """Grow by about one for each window of permissions read back in time."""
        self.size = min(float(self.max), self.size + 1.0 / self.size)
