"""Contacts that the carrier takes no call for: how long they rest, and whose trouble it is. Pure.

Source: ADR-0019.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.domain.facts import Abandonment

REST_S, REST_TIMES, REST_S_MAX = 1.0, 3, 1800.0  # 1, 3, 9, 27 s … up to half an hour.
RECENT = timedelta(minutes=10)  # A carrier that rang somebody no longer ago takes calls.
UNPLACED = frozenset({Abandonment.NOT_PLACED, Abandonment.REFUSED_LATE})


class RefusalLimits(NamedTuple):
    """After how many times in a row a contact gets no further try."""

    its_own: int = 5  # While the carrier took others' calls.
    anybodys: int = 16  # Although it may be the carrier's trouble: after more than three hours.


LIMITS = RefusalLimits()


@dataclass(frozen=True, slots=True)
class Unplaced:
    """How often in a row a contact could not be placed."""

    since: datetime  # The first time.
    times: int
    its_own: int = 0  # Of them, how often the carrier took somebody else's call meanwhile.

    @property
    def rest(self) -> timedelta:
        """Return how long it rests now: longer each time."""
        return timedelta(seconds=min(REST_S * REST_TIMES ** min(self.times - 1, 20), REST_S_MAX))

    def over(self, limits: RefusalLimits) -> bool:
        """Say whether it gets no further try. Whose trouble the first time is, nobody knows."""
        return self.times >= limits.anybodys or (
            self.times >= limits.its_own and self.its_own >= limits.its_own - 1
        )


def again(before: Unplaced | None, at: datetime, rang_at: datetime | None) -> Unplaced:
    """Count one more time. `rang_at`: when the last call of the campaign that rang was asked for.

    It counts as the contact's own when that was behind its first time, and no longer ago than
    RECENT: the carrier takes calls.
    """
    if before is None:
        return Unplaced(at, 1)
    its_own = rang_at is not None and before.since < rang_at and at - rang_at <= RECENT
    return Unplaced(before.since, before.times + 1, before.its_own + its_own)
