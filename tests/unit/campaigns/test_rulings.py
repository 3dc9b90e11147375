"""Whoever inspects a log rules as its readers do: each record, and the digest of all."""

from dataclasses import replace

import pytest

from campaigns.audit.rulings import PartitionRuling, Ruled, RulingKind, ruled_batches
from campaigns.audit.transfer.campaign_digests import CampaignDigests
from campaigns.domain.facts import CampaignPaused, ContactExhausted
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.log.digest import Chain
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.process.errors import ContractError
from campaigns.records.log_entry import Recorded
from campaigns.testing.sample_records import FIRST, NOON, offered
from tests.support.sample_facts import call_started
from tests.support.told_log import asked

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


async def test_a_digest_has_all_that_stands_before_a_fact_that_is_not_known() -> None:
    log, known = MemoryLog(), [offered(PAUSED), offered(PAUSED, condition_version=1)]
    for record in known:
        await log.append(FIRST, record, 1)
    unknown = offered(PAUSED, condition_version=2).encode().replace(b"paused.v1", b"paused.v9")
    log.append_bytes(FIRST, unknown)
    ruling, expected = PartitionRuling(), Chain()
    found = list[Ruled]()
    with pytest.raises(ContractError, match=r"campaign-paused\.v9"):
        ruling.rule_all(await log.read(FIRST, 0, 10), found)
    for position, record in enumerate(known, 1):
        expected.accept(position, record.encode())
    assert (len(found), ruling.chain) == (2, expected)


def test_a_call_that_rests_on_another_campaign_too_is_in_the_digests_of_both() -> None:
    digests = CampaignDigests()
    abandoned = ContactExhausted(campaign_id=1, contact_id=7, run=1, attempts=2, exhausted_at=NOON)
    call = call_started(asked("a"), NOON)
    both = replace(offered(call), condition={call.stream: 0, campaign_stream(2): 0})
    for record in (offered(PAUSED), offered(abandoned), offered(call), both):
        digests.accept(Recorded(FIRST, 1, record.encode(), 1))
    assert {one.campaign: one.records for one in digests.summaries()} == {1: 4, 2: 1}
