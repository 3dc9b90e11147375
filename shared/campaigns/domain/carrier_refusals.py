"""Contacts whose calls the carrier does not take: how long they rest, and when they fail. Pure.

Source: ADR-0019.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.domain.facts import Abandonment

REST_S, REST_TIMES, REST_S_MAX = 1.0, 3, 1800.0  # 1, 3, 9, 27 s … up to half an hour.
RECENT = timedelta(minutes=10)  # A carrier that rang another contact within this time takes calls.
UNPLACED = frozenset({Abandonment.NOT_PLACED, Abandonment.REFUSED_LATE})


class RefusalLimits(NamedTuple):
    """How many times in a row a contact may be unplaced before it fails."""

    its_own: int = 5  # While the carrier took calls for others.
    anybodys: int = 16  # Even if the carrier may be the cause: after more than three hours.


LIMITS = RefusalLimits()


@dataclass(frozen=True, slots=True)
class Unplaced:
    """How many times in a row a contact could not be placed."""

    since: datetime  # The first time.
    times: int
    its_own: int = 0  # Of these, how often the carrier took another contact's call meanwhile.

    @property
    def rest(self) -> timedelta:
        """Return how long the contact rests now: longer each time."""
        return timedelta(seconds=min(REST_S * REST_TIMES ** min(self.times - 1, 20), REST_S_MAX))

    def over(self, limits: RefusalLimits) -> bool:
        """Say whether it gets no further try. The cause of the first time is not known."""
        return self.times >= limits.anybodys or (
            self.times >= limits.its_own and self.its_own >= limits.its_own - 1
        )


def again(before: Unplaced | None, at: datetime, rang_at: datetime | None) -> Unplaced:
    """Count one more time. `rang_at`: when the campaign's last call that rang was requested.

    It counts as the contact's own if that was after the contact's first time, and within RECENT:
    then the carrier takes calls.
    """
    if before is None:
        return Unplaced(at, 1)
    its_own = rang_at is not None and before.since < rang_at and at - rang_at <= RECENT
    return Unplaced(before.since, before.times + 1, before.its_own + its_own)
