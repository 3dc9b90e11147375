"""Judges a world by its log, the carrier's own record and the answers that clients got.

What log and rings alone show, the judge of `dialgate verify` finds (evidence.py). Here is what only
the world knows: true times, the carrier's terms, who died when. It trusts no service.
"""

from collections import Counter
from datetime import datetime, timedelta

import orjson

from campaigns.audit.judge.violations import Kind, Violation
from campaigns.domain.carrier_refusals import UNPLACED
from campaigns.domain.facts import (
    Abandonment,
    AnyCallFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from campaigns.domain.levels import LEVEL_OLDEST
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import campaign_partitions
from dialer.carrier.port import NoRing
from tests.simulation import world
from tests.simulation.evidence import OF_LATE_RINGS, verified
from tests.simulation.faulty_carrier import POISONED, Placement
from tests.simulation.history import Entry, History, Permission
from tests.simulation.injections import is_undecidable
from tests.simulation.world import World

CLOCK_SLACK = 1 - 2e-4  # What drift may take from a wait.
TELLING_S = 90.0  # A process that has heard of a late ring, and lives this long, has recorded it.


class Audit:
    """What an auditor finds. `broken` is empty when every promise was kept."""

    def __init__(self, world: World) -> None:
        self.world, self.plan = world, world.plan
        self.broken: list[str] = [f"crashed: {what}" for what in world.crashes]
        self.broken += world.reasons.wrong
        self.dangers: Counter[str] = world.story.dangers
        self.dangers.update(world.reasons.dangers)
        self.dangers.update({f"fault: {kind}": n for kind, n in self.plan.struck.items() if n})
        self.entries: list[Entry] = []
        self.history = History(self.dangers)
        self.permissions = self.history.permissions
        self.verified: list[Violation] = []  # What log and rings alone show.
        self._carrier = world.carrier

    def find(self, invariant: int, what: str) -> None:
        """Note a broken promise."""
        self.broken.append(f"invariant {invariant}: {what}")

    def run(self) -> "Audit":
        """Look at everything."""
        self._read()
        for entry in self.entries:
            if entry.accepted and self.world.log.handed[entry.envelope.id].by.died_at < entry.at_s:
                self.dangers["a dead sender's record was accepted"] += 1
            self.history.take(entry)
        for placement in self._carrier.rings():
            self.dangers["rings"] += 1
            if permission := self.permissions.get(placement.call.call_id):
                permission.rings.append(placement)
        self._verify()
        for permission in self.permissions.values():
            self._permission(permission)
        self._attempts()
        self._leases()
        self._claims()
        self._exceptions()
        self._rests()
        if not self.world.finished:
            self.find(8, "the world did not come to its end")
        return self

    def _verify(self) -> None:
        """Have log and rings judged as `dialgate verify` does."""
        for violation in verified(self.world):
            if self._excused(violation):
                self.dangers[f"verify shows what is excused: {violation.kind.label}"] += 1
            else:
                self.verified.append(violation)
                of = f"{violation.call_id or violation.campaign_id} at {violation.at}"
                self.find(violation.invariant, f"{of}: {violation.what} ({violation.kind.label})")

    def _excused(self, violation: Violation) -> bool:
        """Say whether a late ring is one that design section 3 excuses, as true times show."""
        permission = self.permissions.get(violation.call_id or "")
        if violation.kind not in OF_LATE_RINGS or permission is None:
            return False
        good = bool(permission.of(CallStarted)) or any(
            isinstance(fact, CallEnded) and fact.disposition is Disposition.UNKNOWN
            for fact, _ in permission.facts
        )
        timely = any(
            self._leased(permission, ring) and not self._clocks_apart(permission, ring)
            for ring in permission.rings
        )
        unrecorded = violation.kind is not Kind.RANG_AFTER_LEASE and timely and not good
        return not (unrecorded or all(self._strict(permission, ring) for ring in permission.rings))

    def _leased(self, permission: Permission, ring: Placement) -> bool:
        """Say whether a ring began within its lease, by the true time."""
        return self.waited_s(permission, ring) <= permission.request.lease_s * CLOCK_SLACK

    def _read(self) -> None:
        log = self.world.log
        for partition in campaign_partitions(self.plan.shape.partitions):
            ledger = Ledger()
            skipped = self.world.operators.skipped.get(partition, {})
            for recorded in log.core._records[partition]:
                strange = (partition, recorded.position) not in log.appeared_at
                if recorded.position in skipped or (strange and not self.world.finished):
                    continue
                assert isinstance(recorded.envelope, Envelope), "there are no strangers"
                accepted = ledger.admit(recorded.envelope)
                at_s = log.appeared_at[partition, recorded.position]
                self._level(recorded, at_s)
                facts = recorded.facts if accepted else ()
                tags = frozenset(offered["type"] for offered in recorded.offered)
                entry = Entry(
                    partition, recorded.position, at_s, recorded.envelope, accepted, tags, facts
                )
                self.entries.append(entry)
                if not accepted:
                    self._refused(entry, ledger)
        self.entries.sort(key=lambda entry: (entry.at_s, entry.position))

    def _refused(self, entry: Entry, ledger: Ledger) -> None:
        """Count what the rule has prevented."""
        moved = {
            s.split("/")[0] for s, n in entry.envelope.condition.items() if ledger.version(s) != n
        }
        handed = self.world.log.handed[entry.envelope.id]
        if handed.by.died_at < entry.at_s:
            self.dangers["a dead sender's record was refused"] += 1
        for tag in entry.tags:
            for kind in moved:
                self.dangers[f"refused: {tag} because {kind} had moved on"] += 1

    # -- one permission, the log and the carrier side by side --------------------------------------

    def tardy(self, permission: Permission, ring: Placement) -> bool:
        """Say whether a ring began so late that design section 3 excuses it: see there."""
        request = permission.request
        waits_s = (request.lease_s + request.carrier_timeout_s) * CLOCK_SLACK
        return not self._strict(permission, ring) and self.waited_s(permission, ring) > waits_s

    def _refusing(self, permission: Permission, ring: Placement) -> bool:
        """Say whether its carrier refused late rings when it was permitted, and ever since."""
        assert ring.began_at_s is not None, "it rang"
        sent_at_s = self.world.log.handed[permission.request.call_id].at_s
        terms = self._carrier.terms
        return permission.request.refuses_late and terms.refused_throughout(
            sent_at_s, ring.began_at_s
        )

    def _strict(self, permission: Permission, ring: Placement) -> bool:
        """Say whether it was refused late, by a clock that was behind by less than the timeout."""
        behind_s = -self._carrier_ahead_s(permission, ring)
        timeout_s = permission.request.carrier_timeout_s
        return self._refusing(permission, ring) and behind_s < timeout_s

    def _carrier_ahead_s(self, permission: Permission, ring: Placement) -> float:
        """Return how far the carrier's wall clock was ahead of the dialer's, by the ring."""
        began_at = _began(ring)
        assert began_at is not None, "it rang"
        between_s = (began_at - permission.request.requested_at).total_seconds()
        return between_s - self.waited_s(permission, ring)

    def waited_s(self, permission: Permission, ring: Placement) -> float:
        """Return how long after its permission was sent a ring began."""
        assert ring.began_at_s is not None, "it rang"
        return ring.began_at_s - self.world.log.handed[permission.request.call_id].at_s

    def _permission(self, permission: Permission) -> None:
        request, rings = permission.request, permission.rings
        call_id = request.call_id
        resolved = permission.of(CallAbandoned, CallEnded)
        started = permission.of(CallStarted)
        if len(resolved) != 1 or len(started) > 1:
            return  # `verify` has found it.
        for ring in rings:
            self._ring(permission, ring)
        self._believable(permission)
        end = resolved[0][0]
        self._told(permission, end, resolved[0][1])
        for fact, entry in started:
            assert isinstance(fact, CallStarted), "asked for"
            began = [ring.began_at_s for ring in rings if ring.began_at_s is not None]
            if not any(at <= entry.at_s for at in began):
                self.find(5, f"{call_id}: CallStarted, and no phone had begun to ring")
        if (
            isinstance(end, CallEnded)
            and not started
            and end.disposition is not Disposition.UNKNOWN
        ):
            known = self._carrier.placements.get(call_id, [])
            if self._unplaced_too_often(permission, resolved[0][1]):
                self.dangers["a contact was given up: it could not be placed"] += 1
            elif not any(isinstance(placement.state, NoRing) for placement in known):
                self.find(5, f"{call_id} ended {end.disposition.value}; the carrier never said so")

    def _believable(self, permission: Permission) -> None:
        """Invariant 5: no impossible time is recorded; an undecidable call ends as unknown."""
        request = permission.request
        for fact, _ in permission.of(CallStarted, CallEnded):
            at = fact.started_at if isinstance(fact, CallStarted) else fact.ended_at  # type: ignore[union-attr]
            if abs((at - request.requested_at).total_seconds()) > 86_400:
                self.find(5, f"{request.call_id}: recorded at {at}, as nothing can be")
        if is_undecidable(self.plan, request.call_id):
            (end, _), *_ = permission.of(CallAbandoned, CallEnded)
            if isinstance(end, CallEnded) and end.disposition is Disposition.UNKNOWN:
                self.dangers["a call could not be decided, and ended as unknown"] += 1
            else:
                self.find(5, f"{request.call_id} could not be decided, and ended as {end}")

    def _exceptions(self) -> None:
        """Invariant 8: an exception in a reaction ends its process."""
        for process in self.world.raised_in:
            if process not in self.world.fell and process.died_at == float("inf"):
                self.find(8, f"{process.name} went on after an exception in a reaction")

    def _rests(self) -> None:
        """Invariant 8: a contact that could not be placed twice rests before the next try."""
        rows: dict[tuple[int, int, int], tuple[int, datetime]] = {}  # How often, and when last.
        for permission in sorted(self.permissions.values(), key=lambda one: one.entry.at_s):
            request = permission.request
            who = (request.campaign_id, request.contact_id, request.run)
            times, since = rows.get(who, (0, request.requested_at))
            if times >= 2:
                self.dangers["a contact that could not be placed was tried again"] += 1
                if (request.requested_at - since).total_seconds() < 1.5:  # Of 3, and clocks differ.
                    self.find(8, f"{request.call_id}: {who} did not rest, unplaced {times} times")
            for fact in (fact for fact, _ in permission.facts):
                if isinstance(fact, CallAbandoned) and fact.reason in UNPLACED:
                    rows[who] = (times + 1, fact.abandoned_at)
                elif isinstance(fact, CallStarted | CallEnded):
                    rows.pop(who, None)

    def _level(self, recorded: Recorded, at_s: float) -> None:
        """Invariant 1: nothing that needs more of its readers than the level says."""
        raised_at_s = self.world.operators.raised_at_s
        if orjson.loads(recorded.raw or b"")["dialgate"] > LEVEL_OLDEST:
            self.dangers["written at a level that was raised under way"] += raised_at_s > 0
            if at_s < raised_at_s:
                self.find(1, f"{recorded.where} is of a level that was not raised yet")

    def _unplaced_too_often(self, permission: Permission, end: Entry) -> bool:
        """Say whether the permissions of a contact before this one came back unused, in a row."""
        request, row = permission.request, 1
        before = [
            other
            for other in self.permissions.values()
            if (other.request.campaign_id, other.request.contact_id, other.request.run)
            == (request.campaign_id, request.contact_id, request.run)
            and other.entry.position < permission.entry.position
        ]
        for other in sorted(before, key=lambda one: one.entry.position, reverse=True):
            given_back = [fact for fact, _ in other.of(CallAbandoned)]
            reasons = {fact.reason for fact in given_back if isinstance(fact, CallAbandoned)}
            if reasons & UNPLACED:
                row += 1
            elif not reasons:
                break
        rang = any((ring.began_at_s or 0.0) <= end.at_s for ring in permission.rings)
        return not rang and row >= world.UNPLACED.its_own

    def _ring(self, permission: Permission, ring: Placement) -> None:
        """Invariant 3, and 5: what rang is on the record as such."""
        request, call_id = permission.request, permission.request.call_id
        assert ring.began_at_s is not None, "it rang"
        if ring.began_at_s < permission.entry.at_s:
            self.find(3, f"{call_id} rang before it was permitted")
        self.dangers["a phone rang at a carrier that was exchanged since"] += (
            ring.carrier != self._carrier.id
        )
        began_at = _began(ring)
        late = began_at is not None and began_at > request.ring_by
        if late and self._refusing(permission, ring):
            self.find(3, f"{call_id} rang after its lease")
        if self.tardy(permission, ring):
            self.dangers["a ring was tardy"] += 1

    def _told(self, permission: Permission, end: AnyCallFact, entry: Entry) -> None:
        """Every ring is recorded as started or unknown, or as CallLate if a process could tell."""
        request, late = permission.request, permission.of(CallLate)
        call_id = request.call_id
        started = permission.of(CallStarted)
        if late and all(self._strict(permission, ring) for ring in permission.rings):
            self.find(4, f"{call_id} is recorded as late: {late[0][0]}")
        if late and not permission.rings:
            self.find(5, f"{call_id} is recorded as late, and never rang")
        for ring in permission.rings:
            tardy = self.tardy(permission, ring)
            good = bool(started) or (
                isinstance(end, CallEnded) and end.disposition is Disposition.UNKNOWN
            )
            leased = self._leased(permission, ring)
            began_at = _began(ring)
            assert began_at is not None, "it rang"
            if not good and leased:
                if self._clocks_apart(permission, ring):
                    self.dangers["taken for late: clocks differed by more than is assumed"] += 1
                else:
                    self.find(5, f"{call_id} rang in time, and is recorded as {end}")
            by = request.ring_by + timedelta(seconds=request.carrier_timeout_s)
            tellable = not good or (tardy and began_at > by and self._knew_better(started, request))
            could_tell = self._could_tell(call_id) or self._taken_over(permission, entry)
            if tellable and not late and could_tell:
                self.find(3, f"{call_id} rang late, was heard of, and there is no CallLate")
            if ring.hung_up and good and leased:
                if self._clocks_apart(permission, ring):
                    self.dangers["hung up as late: clocks differed by more than is assumed"] += 1
                else:
                    self.find(5, f"{call_id} was a good call, and was hung up")
        if isinstance(end, CallAbandoned) and end.reason is not Abandonment.RANG_LATE and started:
            self.find(5, f"{call_id} was started, then abandoned")

        if late and not self._hung_up(late[0][1], call_id):
            self.find(4, f"{call_id} is recorded as late, rang, and was left to ring")

    def _clocks_apart(self, permission: Permission, ring: Placement) -> bool:
        """Say whether dialer's and carrier's wall clocks differed by the carrier timeout or more.

        So they may for a while behind a stall, until they are set: nobody can tell then whether a
        ring of a carrier that cannot refuse was late, and it is taken for late (how-we-know.md,
        "On what assumptions").
        """
        apart_s = abs(self._carrier_ahead_s(permission, ring))
        refusing, timeout_s = self._refusing(permission, ring), permission.request.carrier_timeout_s
        return not refusing and apart_s >= timeout_s / CLOCK_SLACK

    def _knew_better(
        self, started: list[tuple[AnyCallFact, Entry]], request: CallRequested
    ) -> bool:
        """Say whether the dialer that recorded a tardy ring as started had to find it late."""
        if not started:
            return False
        handed = self.world.log.handed[started[0][1].envelope.id]
        given_s = self.world.log.given.get((handed.by.name, request.call_id))
        over_s = request.lease_s + request.carrier_timeout_s
        heard = [
            told.boot_s
            for told in self._carrier.told
            if told.call_id == request.call_id
            and told.who is handed.by
            and told.at_s <= handed.at_s
        ]
        if given_s is None or not heard:
            return False
        seen_weak = self._carrier.terms.seen_weak(handed.by, given_s, min(heard))
        return min(heard) - given_s > over_s and (seen_weak or not request.refuses_late)

    def _hung_up(self, entry: Entry, call_id: str) -> bool:
        """Say whether the dialer that recorded a late ring, and knew of it, hung up at least once.

        One who was frozen may hear of the ring and of its end at once: there is nothing to end.
        """
        handed = self.world.log.handed[entry.envelope.id]
        teller, rings = handed.by, self.permissions[call_id].rings
        knew = any(t.call_id == call_id and t.who is teller and t.rings for t in self._carrier.told)
        over = all(ring.ended_at_s <= handed.at_s for ring in rings)
        return not knew or over or call_id in self._carrier.asked_to_hang_up

    def _leases(self) -> None:
        """Invariant 3: no dialer asks the carrier after the lease, by the dialer's own clock."""
        for call_id, who, boot_s in self._carrier.asked:
            handed = self.world.log.handed.get(call_id)
            permission = self.permissions.get(call_id)
            if handed is None or permission is None or handed.by is not who:
                self.find(3, f"{who.name} placed {call_id}, which was not its own to place")
            elif boot_s - handed.boot_s > permission.request.lease_s:
                self.find(3, f"{who.name} placed {call_id} after its lease, by its own clock")

    def _claims(self) -> None:
        """Invariant 4: no permission claims more of its carrier than is known."""
        for wrong in self._carrier.terms.wrong:
            self.find(4, wrong)

    def _could_tell(self, call_id: str) -> bool:
        for told in self._carrier.told:
            lived_s = min(told.who.died_at, self.world.ended_at_s) - told.at_s
            if told.call_id == call_id and (
                lived_s > TELLING_S or told.who.died_at == float("inf")
            ):
                return True
        return False

    def _taken_over(self, permission: Permission, end: Entry) -> bool:
        """Say whether the process that heard of a late ring died, and another took over.

        Whoever begins asks about what was given back as not placed (ADR-0018).
        """
        call_id = permission.request.call_id
        heard = [t for t in self._carrier.told if t.call_id == call_id and t.at_s < t.who.died_at]
        not_placed = any(
            isinstance(fact, CallAbandoned) and fact.reason is Abandonment.NOT_PLACED
            for fact, _ in permission.facts
        )
        can_say = (
            self._carrier.id == permission.request.carrier
            and not self.plan.marked("poison", call_id, POISONED)
            and not is_undecidable(self.plan, call_id)
        )
        if not (heard and not_placed and can_say):
            return False
        seen_s = [ring.found_from_s for ring in permission.rings]
        since_s = max(end.at_s, *seen_s, *(told.who.died_at for told in heard))
        return any(slot.process.opened_at_s > since_s for slot in self.world.dialers)

    def _attempts(self) -> None:
        """Invariant 5: at most max_attempts, by the phones that rang."""
        rung: Counter[tuple[int, int, int]] = Counter()
        for permission in self.permissions.values():
            request = permission.request
            for ring in permission.rings:
                if not self.tardy(permission, ring):
                    rung[request.campaign_id, request.contact_id, request.run] += 1
        for who, times in rung.items():
            if times > max(self.history.limits[who[0]]):
                self.find(5, f"contact {who} was rung {times} times")
            if times > 1:
                self.dangers["a contact was rung again, as it should be"] += 1


def _began(ring: Placement) -> datetime | None:
    return getattr(ring.state, "began_at", None)
