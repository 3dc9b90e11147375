"""A judge holds two bytes for each contact, and what is open: however long the log is."""

import gc
import tracemalloc
from collections.abc import Collection, Iterator, Mapping, Sequence

from campaigns.audit.judge.permission import RecordedRing
from campaigns.audit.verification import Verification
from campaigns.domain.facts import AnyFact, CampaignStarted, Disposition
from campaigns.log.port import BATCH_MAX, MemoryLog
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.streams import PLACES
from campaigns.records.topics import Partition
from campaigns.testing.sample_records import FIRST, NOON
from tests.support.sample_facts import call_ended, call_started, campaign_created
from tests.support.told_log import asked, record_of, ring

BYTES_A_CONTACT = 64  # The judge's two, the rule's four, and slack; its three records have 1,500.


class CallsOnly(MemoryLog):
    """A log of one campaign, three records a contact. What is cached by name is forgotten."""

    def __init__(self, contacts: int) -> None:
        super().__init__()
        self._raw = [record.encode() for record in _records(contacts)]

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        return {one: len(self._raw) if one == FIRST else 0 for one in partitions}

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        PLACES.clear()
        some = self._raw[after : after + limit] if partition == FIRST else []
        return [Recorded(FIRST, position, raw, 1) for position, raw in enumerate(some, after + 1)]


def _records(contacts: int) -> Iterator[Record]:
    yield _resting(campaign_created(1, NOON, rows=contacts), 0)
    yield _resting(CampaignStarted(campaign_id=1, run=1, started_at=NOON), 1)
    for contact in range(1, contacts + 1):
        call = asked(f"c{contact}", contact)
        ended = call_ended(call, NOON, Disposition.BUSY)
        told: tuple[AnyFact, ...] = (call, call_started(call, NOON), ended)
        for version, fact in enumerate(told):
            yield _resting(fact, version)


def _resting(fact: AnyFact, version: int) -> Record:
    return record_of(fact, condition={fact.stream: version})


class EveryCallRang:
    """A carrier's record that exists only where it is asked for."""

    carriers: Collection[str] = ()
    count = 0

    def take(self, call_id: str) -> Sequence[RecordedRing]:
        return [ring(asked(call_id, int(call_id[1:])))]

    def left(self) -> Sequence[RecordedRing]:
        return ()


async def _bytes_held(contacts: int) -> int:
    """Return how many bytes are held when such a log has been judged up to its last batch."""
    held = list[int]()

    def measure(records: int) -> None:
        gc.collect()  # What is garbage is not held.
        held.append(tracemalloc.get_traced_memory()[0])

    log = CallsOnly(contacts)
    verification = Verification(log, Installation(), [FIRST], EveryCallRang(), step=measure)
    gc.freeze()  # What other tests have left is not looked at again.
    tracemalloc.start()
    try:
        findings = await verification.run()
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert (findings.found, findings.records, findings.open) == (0, 2 + 3 * contacts, 0)
    return held[-1]


async def test_memory_does_not_grow_with_the_calls_of_a_log() -> None:
    few, many = BATCH_MAX, 5 * BATCH_MAX  # So that the last batch of both is of two records.
    await _bytes_held(few)  # What is made once.
    small, large = await _bytes_held(few), await _bytes_held(many)
    assert large - small < (many - few) * BYTES_A_CONTACT
