"""Reads a log once, from its beginning, and says of each record whether it counts. Streaming.

Everything that inspects a log is built on this: the verbs, `verify`, seals, exports. It holds no
more than the ledger of the partition that is being read.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from campaigns.log.digest import Chain
from campaigns.log.port import BATCH_MAX, ReadableLog
from campaigns.process.errors import ContractError
from campaigns.records.installation import Skipped, confirm
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Foreign, conflict
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
    campaign_partitions,
)

VERB_BATCH_MAX = 256  # Records a batch where a process does nothing else: more fit no cache.


class RulingKind(StrEnum):
    """What every reader does with a record. Source: architecture "The rule", ADR-0015."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # A stream that it rests on had moved on.
    FOREIGN = "foreign"  # Not a record.
    SKIPPED = "skipped"  # By an operator's decision.

    @property
    def has_facts(self) -> bool:
        """Say whether such a record was read as a record: skipped ones may be unreadable."""
        return self in (RulingKind.ACCEPTED, RulingKind.REFUSED)


_ACCEPTED = RulingKind.ACCEPTED


class Ruled(NamedTuple):
    """One record of the log with its ruling. `why` is None for an accepted record."""

    recorded: Recorded
    ruling: RulingKind
    why: str | None

    @property
    def accepted(self) -> bool:
        """Say whether the record counts."""
        return self.ruling is RulingKind.ACCEPTED


_ruled = partial(tuple.__new__, Ruled)  # Takes half the time.


class PartitionRuling:
    """Rules on one partition's records in order, as each reader does, and keeps its digest."""

    def __init__(
        self, skipped: Skipped = MappingProxyType({}), *, keeps_digest: bool = True
    ) -> None:
        """Begin before the first record. `skipped`: the partition's records that were skipped.

        `keeps_digest` False: nobody asks for it, so `chain` stays as it is.
        """
        self.skipped, self._keeps_digest = skipped, keeps_digest
        self.ledger, self.chain, self.position = Ledger(), Chain(), 0
        self.last: Recorded | None = None  # The one that was ruled on last.

    def rule(self, recorded: Recorded) -> Ruled:
        """Rule on the next record.

        Raises:
            ContractError: it is accepted, and this build does not know one of its facts.
            LevelBeyondError: it needs a later version of this program.
            LogCutError: it stands where a record was skipped, and is another one.

        """
        ruled = list[Ruled]()
        self.rule_all((recorded,), ruled)
        return ruled[0]

    def rule_all(self, batch: Sequence[Recorded], ruled: list[Ruled]) -> None:
        """Rule on the next records, and add each with its ruling to `ruled`.

        Raises:
            ContractError, LevelBeyondError, LogCutError: as `rule`; those before it are added.

        """
        accepted = list[tuple[int, bytes]]()
        try:
            self._rule_all(batch, ruled, accepted)
        finally:
            self.chain.accept_all(accepted)

    def _rule_all(
        self, batch: Sequence[Recorded], ruled: list[Ruled], accepted: list[tuple[int, bytes]]
    ) -> None:
        """Rule, and note what is for the digest."""
        admit, skipped, keeps_digest = self.ledger.admit, self.skipped, self._keeps_digest
        add, accept = ruled.append, accepted.append
        for recorded in batch:
            self.last, self.position = recorded, recorded.position
            if skipped and (decision := skipped.get(recorded.position)) is not None:
                confirm(decision, recorded)
                add(Ruled(recorded, RulingKind.SKIPPED, decision.reason))
                continue
            envelope = recorded.envelope
            if type(envelope) is Foreign:  # Cheaper than `isinstance`.
                add(Ruled(recorded, RulingKind.FOREIGN, envelope.why))
                continue
            if not admit(envelope):
                found = {stream: self.ledger.version(stream) for stream in envelope.condition}
                add(Ruled(recorded, RulingKind.REFUSED, conflict(envelope.condition, found)))
                continue
            assert recorded.facts, "decoding raises for an accepted fact that is not known"
            if keeps_digest:
                assert recorded.raw is not None, "a record with an envelope has bytes"
                accept((recorded.position, recorded.raw))
            add(_ruled((recorded, _ACCEPTED, None)))


async def ruled_batches(
    log: ReadableLog,
    partition: Partition,
    ruling: PartitionRuling,
    *,
    until: int | None = None,
    batch_max: int = BATCH_MAX,
) -> AsyncIterator[Sequence[Ruled]]:
    """Yield the partition's records after `ruling.position`, in order, each with its ruling.

    Ends at `until`, or at what is the log's end when this begins. The event loop gets a turn
    between batches; `batch_max`: VERB_BATCH_MAX where nobody else waits for it.

    Raises:
        ContractError, LevelBeyondError, LogCutError: as `PartitionRuling.rule`; what stands before
            the record has been yielded.
        LogUnavailableError: the log does not answer.

    """
    end = (await log.ends([partition]))[partition] if until is None else until
    while ruling.position < end:
        limit = min(batch_max, end - ruling.position)
        batch = await log.read(partition, ruling.position, limit)
        if not batch:
            return  # What Kafka's own markers occupy up to the end is no record.
        ruled, stopped = list[Ruled](), None
        try:
            ruling.rule_all(batch, ruled)  # What came before is kept.
        except ContractError as exc:
            stopped = exc
        if ruled:
            yield ruled
        if stopped is not None:
            raise stopped
        await asyncio.sleep(0)


def partitions_of(log: ReadableLog, campaign_id: int | None = None) -> Collection[Partition]:
    """Return all partitions of an open log, or the one of a campaign."""
    count = log.partitions(CAMPAIGN_RECORDS)
    if campaign_id is not None:
        return (campaign_partition(campaign_id, count),)
    return (INSTALLATION, ORGANIZATIONS, *campaign_partitions(count))
