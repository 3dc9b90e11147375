"""Calls begun over time, with the pauses in it: what pictures are drawn from. Pure.

Bounded: as time goes on the slices get wider, so that there are never more than SLICES_MAX.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.audit.stories.story import Item
from campaigns.domain.facts import (
    CallStarted,
    CampaignCompleted,
    CampaignDeleted,
    CampaignDue,
    CampaignFailed,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    RunEnded,
)

SLICES_MAX = 480
SLICE_S = 0.01  # At first; it doubles whenever the slices would be too many.
MARKS_MAX = 1_000  # Moments and pauses that are kept: the latest.
_SKEW_S = 3_600.0  # A carrier's instant further off than this is not drawn: its record's is.

_LABELS = {
    CampaignStarted.TYPE: "start",
    CampaignDue.TYPE: "run begins",
    RunEnded.TYPE: "run ends",
    CampaignPaused.TYPE: "pause",
    CampaignResumed.TYPE: "resume",
    CampaignStopped.TYPE: "stop",
    CampaignDeleted.TYPE: "delete",
    CampaignCompleted.TYPE: "completed",
    CampaignFailed.TYPE: "failed",
}
_BEGIN = (CampaignStarted.TYPE, CampaignDue.TYPE)


@dataclass(slots=True)
class ShadedPause:
    """A time in which no call may begin."""

    since: datetime  # When it had settled.
    until: datetime | None = None  # None: it lasts.


@dataclass(slots=True)
class CallChart:
    """Counts calls by the slice of time in which their phones began to ring."""

    first: datetime | None = None  # Of the first slice. None: nothing has begun.
    slice_s: float = SLICE_S
    counts: list[int] = field(default_factory=list)
    last: datetime | None = None  # The last instant that it knows of.
    pauses: deque[ShadedPause] = field(default_factory=lambda: deque(maxlen=MARKS_MAX))
    marks: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=MARKS_MAX))

    def begun(self, fact: CallStarted, recorded_at: datetime) -> None:
        """Count a call at the instant at which its phone began to ring."""
        off_s = (recorded_at - fact.started_at).total_seconds()
        at = fact.started_at if abs(off_s) <= _SKEW_S else recorded_at
        self._reach(at)
        assert self.first is not None, "it reaches to there"
        after_s = max(0.0, (at - self.first).total_seconds())
        while (slice_ := int(after_s / self.slice_s)) >= SLICES_MAX:
            self._widen()
        if slice_ >= len(self.counts):
            self.counts.extend([0] * (slice_ + 1 - len(self.counts)))
        self.counts[slice_] += 1

    def note(self, item: Item) -> None:
        """Note a moment of the story: where a run, a pause or the campaign begins or ends."""
        if (label := _LABELS.get(item.what)) is None:
            return
        if self.first is None and item.what not in _BEGIN:
            return  # Nothing is drawn before the first run.
        self._reach(item.at)
        self.marks.append((item.at, label))
        if self.pauses and self.pauses[-1].until is None:
            self.pauses[-1].until = item.at
        if item.what == CampaignPaused.TYPE:
            self.pauses.append(ShadedPause(item.settled_at or item.at))

    def _reach(self, at: datetime) -> None:
        self.first = at if self.first is None else self.first
        self.last = at if self.last is None else max(self.last, at)

    def _widen(self) -> None:
        self.slice_s *= 2
        counts = self.counts
        self.counts = [sum(counts[i : i + 2]) for i in range(0, len(counts), 2)]

    @property
    def span_s(self) -> float:
        """Return how long it is, in seconds; never 0."""
        if self.first is None or self.last is None:
            return self.slice_s
        return max((self.last - self.first).total_seconds(), self.slice_s)

    def columns(self, number: int) -> list[int]:
        """Return the counts in so many columns of equal width, from the first to the last."""
        column_s, found = self.span_s / number, [0] * number
        for slice_, count in enumerate(self.counts):
            column = int((slice_ + 0.5) * self.slice_s / column_s)
            found[min(number - 1, column)] += count
        return found

    def place(self, at: datetime) -> float:
        """Return where an instant lies, from 0 for the first to 1 for the last."""
        if self.first is None:
            return 0.0
        return min(1.0, max(0.0, (at - self.first).total_seconds() / self.span_s))
