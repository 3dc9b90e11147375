"""When the events of a replay are due, by their records' times. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Pace:
    """When each event is due.

    An event comes as long after the one before as their records' times lie apart, divided by the
    speed; no wait is longer than `wait_max_s`, so that nights and pauses do not stand still.
    """

    speed: float | None  # None: as fast as they are taken.
    wait_max_s: float
    _due_s: float | None = None  # On the caller's clock: when the last was due.
    _time: datetime | None = None

    def due(self, time: datetime, now_s: float) -> float:
        """Return when the next event is due, which was recorded at `time`: the first, now."""
        if self._due_s is None or self._time is None:
            self._due_s, self._time = now_s, time
        elif self.speed is not None and time > self._time:
            gap_s = (time - self._time).total_seconds()
            self._due_s += min(gap_s / self.speed, self.wait_max_s)
            self._time = time
        return self._due_s

    def waits(self, ahead_s: float) -> bool:
        """Say whether an event that is due so far ahead is waited for."""
        return self.speed is not None and ahead_s > 0
