"""One permission, the facts about it and its rings, and what they show. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from campaigns.audit.judge.violations import Kind, RecordPlace
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallRequested,
    Disposition,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RecordedRing(NamedTuple):
    """One ring of a carrier's own record."""

    call_id: str
    campaign_id: int
    contact_id: int
    run: int
    attempt: int
    began_at_ns: int  # Unix time, by the carrier's clock.
    carrier: str  # The id of the carrier that rang.
    where: str  # The file, and the line in it.

    @property
    def began_at(self) -> datetime:
        """Return when it began, to the microsecond, as permissions are recorded."""
        return _EPOCH + timedelta(microseconds=self.began_at_ns // 1000)

    @property
    def who(self) -> tuple[int, int, int, int]:
        """Return for which attempt it rang."""
        return self.campaign_id, self.contact_id, self.run, self.attempt


class RecordedRings(Protocol):
    """The rings of one or several carriers."""

    @property
    def carriers(self) -> Collection[str]:
        """Return the ids of the carriers that have rung."""
        ...

    @property
    def count(self) -> int:
        """Return how many rings there are."""
        ...

    def take(self, call_id: str) -> Sequence[RecordedRing]:
        """Return a call's rings. Asked once a call."""
        ...

    def left(self) -> Iterable[RecordedRing]:
        """Return the rings of calls that were never asked for: they had no permission."""
        ...


Finding = tuple[Kind, str]  # The kind, and what is wrong.


@dataclass(slots=True)
class Permission:
    """An accepted CallRequested that is not resolved, or whose rings are not explained yet."""

    at: RecordPlace  # Where it was requested, or resolved.
    request: CallRequested
    rings: Sequence[RecordedRing] = ()
    started: bool = False

    @property
    def who(self) -> tuple[int, int, int, int]:
        """Return which attempt was permitted."""
        request = self.request
        return request.campaign_id, request.contact_id, request.run, request.attempt

    @property
    def over_at(self) -> datetime:
        """Return when a pause no longer waits for it: after its lease and the carrier timeout."""
        return self.request.ring_by + timedelta(seconds=self.request.carrier_timeout_s)

    def late(self, ring: RecordedRing) -> bool:
        """Say whether a ring began too late.

        With a carrier that refuses late rings that is exact: it compares the same instant with the
        same clock. With others, lease and carrier timeout are what a pause waits for.
        """
        until = self.request.ring_by if self.request.refuses_late else self.over_at
        return ring.began_at > until


def permitted_rings(call: Permission) -> Iterator[Finding]:
    """Judge the rings of a call by its permission."""
    request = call.request
    if len(call.rings) > 1:
        yield Kind.RANG_TWICE, f"one permission rang {len(call.rings)} times"
    for ring in call.rings:
        if ring.who != call.who:
            yield (
                Kind.RANG_FOR_ANOTHER,
                f"rang for {_attempt(ring.who)}, permitted for {_attempt(call.who)}",
            )
        if ring.carrier != (request.carrier or ring.carrier):
            elsewhere = f"rang at the carrier {ring.carrier}, permitted for {request.carrier}"
            yield Kind.RANG_FOR_ANOTHER, elsewhere
        if call.late(ring):
            after_s = (ring.began_at - request.ring_by).total_seconds()
            yield Kind.RANG_AFTER_LEASE, f"rang {after_s:.3f} s after ring_by"


def explained(call: Permission, end: CallAbandoned | CallEnded) -> bool:
    """Say whether the end of a call tells of its rings, if it has any."""
    if not call.rings or call.started:
        return True
    return isinstance(end, CallEnded) and end.disposition is Disposition.UNKNOWN


def resolution(call: Permission, end: CallAbandoned | CallEnded) -> Iterator[Finding]:
    """Judge how a permission ended by what was recorded before."""
    if isinstance(end, CallAbandoned) and call.started and end.reason is not Abandonment.RANG_LATE:
        yield Kind.STARTED_AND_ABANDONED, f"it had started, and was given back: {end.reason.value}"


def _attempt(who: tuple[int, int, int, int]) -> str:
    campaign_id, contact_id, run, attempt = who
    return f"contact {campaign_id}/{contact_id}, run {run}, attempt {attempt}"
