"""When a campaign's pauses had settled, and which rings began in them: invariant 4. Pure.

A pause is answered once every permission before it is resolved, or its lease and the carrier
timeout have passed. The log has when that was the case, if not when the answer was sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.audit.judge.permission import Permission, RecordedRing
from campaigns.audit.judge.violations import RecordPlace

SUSPECTS_MAX = 10_000  # A campaign. Each is a violation of its own already.


@dataclass(slots=True)
class Pause:
    """One pause, stop or deletion."""

    at: RecordPlace
    settled_at: datetime  # By the clocks of those that recorded what it waited for.
    resumed_at: datetime | None = None  # None: not yet.
    waits_for: set[str] = field(default_factory=set)  # Calls that were open, and not started.

    def holds(self, ring: RecordedRing) -> bool:
        """Say whether a ring began in it."""
        began_at = ring.began_at
        return self.settled_at < began_at and (
            self.resumed_at is None or began_at < self.resumed_at
        )


@dataclass(slots=True)
class Pauses:
    """The pauses of a campaign, and the rings that began too late or are not recorded."""

    all: list[Pause] = field(default_factory=list)
    suspects: list[tuple[Permission, RecordedRing]] = field(default_factory=list)

    def begin(self, at: RecordPlace, paused_at: datetime, calls: dict[str, Permission]) -> None:
        """Take a pause in; one that another has begun already goes on."""
        if not self.all or self.all[-1].resumed_at is not None:
            waits_for = {call_id for call_id, call in calls.items() if not call.started}
            self.all.append(Pause(at, paused_at, waits_for=waits_for))

    def end(self, resumed_at: datetime) -> None:
        """Take in that calls may be requested again."""
        if self.all and self.all[-1].resumed_at is None:
            self.all[-1].resumed_at = resumed_at

    def heard(self, call: Permission, at: datetime) -> None:
        """Take in when the first fact about a permission was recorded."""
        for pause in reversed(self.all):
            if call.request.call_id not in pause.waits_for:
                return  # Nor in any pause before it.
            pause.waits_for.discard(call.request.call_id)
            pause.settled_at = max(pause.settled_at, min(at, call.over_at))

    def suspect(self, call: Permission) -> None:
        """Keep the rings of a call, which are wrong by themselves."""
        if len(self.suspects) < SUSPECTS_MAX:
            self.suspects.extend((call, ring) for ring in call.rings)

    def broken(self) -> Iterator[tuple[Pause, Permission, RecordedRing]]:
        """Yield the rings that began in a pause after it had settled."""
        for call, ring in self.suspects:
            for pause in self.all:
                if pause.holds(ring):
                    yield pause, call, ring
