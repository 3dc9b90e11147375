"""What a run of a campaign came to, by its facts: the same for a recording and a what-if. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from campaigns.domain.moves import Status
from dialgate.what_if.campaign_history import AttemptKey, Course


@dataclass
class RunSummary:
    """Attempts of one run, in the end."""

    status: Status
    courses: dict[AttemptKey, Course]
    moments: list[tuple[datetime, str]] = field(default_factory=list)  # Of starts, pauses, …

    @property
    def began(self) -> list[datetime]:
        """Return when each phone began to ring, in order."""
        return sorted(
            one.started_at for one in self.courses.values() if one.started_at and one.rang
        )

    @property
    def last_at(self) -> datetime | None:
        """Return when the last call was over."""
        return max((one.ended_at for one in self.courses.values() if one.ended_at), default=None)

    def reached(self) -> int:
        """Return how many contacts a person answered for."""
        return len(
            {
                attempt.contact_id
                for attempt, course in self.courses.items()
                if course.disposition == "answered"
            }
        )

    def most_at_once(self) -> int:
        """Return the largest number of calls that were in progress at one instant."""
        steps = [
            step
            for one in self.courses.values()
            if one.started_at and one.ended_at
            for step in ((one.started_at, 1), (one.ended_at, -1))
        ]
        most = now = 0
        for _, change in sorted(steps, key=lambda step: (step[0], step[1])):
            now += change
            most = max(most, now)
        return most

    def shape(self) -> dict[str, Any]:
        """Return it as JSON."""
        began, last_at = self.began, self.last_at
        ended = [one for one in self.courses.values() if one.disposition]
        kinds = Counter(str(one.disposition) for one in ended)
        lasted_s = (last_at - began[0]).total_seconds() if began and last_at else None
        return {
            "status": self.status,
            "attempts": len(ended),
            "contacts_called": len({attempt.contact_id for attempt in self.courses}),
            "contacts_reached": self.reached(),
            "dispositions": dict(sorted(kinds.items())),
            "talk_s": round(sum(one.duration_s for one in ended), 3),
            "first_ring_at": began[0].isoformat() if began else None,
            "last_end_at": last_at.isoformat() if last_at else None,
            "lasted_s": lasted_s,
            "calls_a_minute_at_most": busiest_minute(began),
            "calls_at_once_at_most": self.most_at_once(),
        }


def side_by_side(recorded: RunSummary, other: RunSummary) -> list[tuple[str, str, str]]:
    """Return the rows of a table: a name, and both values as text."""
    was, now = recorded.shape(), other.shape()
    kinds = was["dispositions"].keys() | now["dispositions"].keys()
    rows = [
        (kind, str(was["dispositions"].get(kind, 0)), str(now["dispositions"].get(kind, 0)))
        for kind in sorted(kinds)
    ]
    named = [
        (name.replace("_", " "), _text(was[name]), _text(now[name]))
        for name in was
        if name != "dispositions"
    ]
    return [*named, *rows]


def _text(value: float | str | None) -> str:
    return "–" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def busiest_minute(began: Iterable[datetime]) -> int:
    """Return the most calls that began within one sliding minute."""
    times = [one.timestamp() for one in began]
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def differences(recorded: RunSummary, other: RunSummary) -> list[str]:
    """Return the attempts that went, or came to be, otherwise; each a sentence."""
    found = []
    for attempt in sorted(recorded.courses.keys() | other.courses.keys()):
        was, now = recorded.courses.get(attempt), other.courses.get(attempt)
        before = _how(was)
        after = _how(now)
        if before != after:
            where = f"contact {attempt.contact_id}, run {attempt.run}, attempt {attempt.attempt}"
            found.append(f"{where}: {before}, now {after}")
    return found


def _how(course: Course | None) -> str:
    if course is None or course.disposition is None:
        return "not called"
    how = str(course.disposition)
    return f"{how}, {course.duration_s:.1f} s of talk" if course.duration_s else how
