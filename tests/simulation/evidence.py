"""What a world leaves for an auditor who was not there, and what `dialgate verify` says of it.

That is its log, byte for byte, and its carrier's own rings: no true time, no answer, no store.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from campaigns.audit.judge.permission import RecordedRing
from campaigns.audit.judge.violations import Kind, Violation
from campaigns.audit.rulings import partitions_of
from campaigns.audit.verification import Verification
from campaigns.process.errors import ContractError
from campaigns.records.installation import Installation
from dialer.carrier.port import Ended, Rung
from tests.simulation.world import World
from tests.support.told_log import RingsInMemory

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
VIOLATIONS_MAX = 100_000

# Of rings: whether these are excused, the auditor knows from true times and the carrier's terms.
OF_LATE_RINGS = frozenset(
    {Kind.RANG_AFTER_LEASE, Kind.RANG_WHILE_PAUSED, Kind.RANG_UNRECORDED, Kind.LATE_ON_RECORD}
)


def verified(world: World) -> Sequence[Violation]:
    """Return what `dialgate verify --rings … --at-rest` finds; nothing in a log it cannot read."""
    log = world.log.core
    verification = Verification(
        log,
        Installation(),
        partitions_of(log),
        RingsInMemory(_rings(world)),
        at_rest=True,
        violations_max=VIOLATIONS_MAX,
    )
    with asyncio.Runner() as runner:
        try:
            return runner.run(verification.run()).violations
        except ContractError:
            return ()  # What `verify` says then is that the log is unreadable, and where.


def _rings(world: World) -> Iterator[RecordedRing]:
    """Yield the carrier's ring log: when each ring began, by its own wall clock."""
    for number, ring in enumerate(world.carrier.rings(), 1):
        assert isinstance(ring.state, Rung | Ended), "it rang"
        call = ring.call
        began_at_ns = (ring.state.began_at - EPOCH) // MICROSECOND * 1000
        yield RecordedRing(
            call.call_id, call.campaign_id, call.contact_id, call.run, call.attempt,
            began_at_ns, ring.carrier, f"rings:{number}",
        )  # fmt: skip
