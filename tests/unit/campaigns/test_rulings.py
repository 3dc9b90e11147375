"""Whoever inspects a log rules as its readers do: each record, and the digest of all."""

from campaigns.audit.rulings import PartitionRuling, RulingKind, ruled_batches
from campaigns.domain.facts import CampaignPaused
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.records.log_entry import Recorded
from campaigns.testing.sample_records import FIRST, NOON, offered

PAUSED = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)


class _Fold:
    def fold(self, recorded: Recorded) -> None: ...

    def folded(self, partition: object, position: int) -> None: ...


async def test_an_inspection_rules_as_a_reader_does_and_has_its_digest() -> None:
    log = MemoryLog()
    await log.append(FIRST, offered(PAUSED), 1)
    log.append_bytes(FIRST, b"not a record")
    await log.append(FIRST, offered(PAUSED), 1)  # Rests on what the first has changed.
    ruling = PartitionRuling()
    found = [one async for batch in ruled_batches(log, FIRST, ruling) for one in batch]
    assert [one.ruling for one in found] == [
        RulingKind.ACCEPTED, RulingKind.FOREIGN, RulingKind.REFUSED,
    ]  # fmt: skip
    assert found[2].why == "campaign/1: expected 0, found 1"
    reader = Reader(log, _Fold())
    reader.step(FIRST, await log.read(FIRST, 0, 10))
    assert ruling.chain == reader.chain(FIRST)
    assert ruling.ledger.versions == reader.ledger(FIRST).versions


async def test_an_inspection_ends_where_it_is_told() -> None:
    log = MemoryLog()
    await log.append(FIRST, offered(PAUSED), 1)
    log.append_bytes(FIRST, b"not a record")
    ruling = PartitionRuling()
    assert [len(batch) async for batch in ruled_batches(log, FIRST, ruling, until=1)] == [1]
    assert ruling.position == 1
    assert [len(batch) async for batch in ruled_batches(log, FIRST, ruling)] == [1]
