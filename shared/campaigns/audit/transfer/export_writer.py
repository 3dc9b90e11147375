"""Writes an export: one pass over a log, streaming. Writes to whatever it is given."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING

from campaigns.audit.rulings import (
    VERB_BATCH_MAX,
    PartitionRuling,
    Ruled,
    RulingKind,
    partitions_of,
    ruled_batches,
)
from campaigns.audit.transfer.campaign_digests import CampaignDigests, streams_of
from campaigns.audit.transfer.export_format import (
    FORMAT,
    End,
    Manifest,
    PartitionSummary,
    Summary,
    line,
    line_start,
    record_line,
)
from campaigns.domain.values.stream_names import Stream
from campaigns.log.digest import Chain
from campaigns.log.port import ReadableLog
from campaigns.records.installation import Installation
from campaigns.records.topics import CAMPAIGN_RECORDS, INSTALLATION, Partition

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_ACCEPTED = RulingKind.ACCEPTED
Write = Callable[[bytes], object]
Seen = Callable[[int], None]  # Called with how many more records were written.


@dataclass
class Exporter:
    """One export of a log as it was when this began."""

    log: ReadableLog
    installation: Installation
    write: Write
    seen: Seen = lambda _: None
    campaign: int | None = None
    ends: Mapping[Partition, int] = field(default_factory=dict)  # As the export has them.
    campaigns: int = 0  # In the export.
    _hash: "Hash" = field(default_factory=sha256)
    _lists: set[Stream] = field(default_factory=set)  # Of the campaign.

    async def export(self, now: datetime) -> Mapping[Partition, PartitionSummary]:
        """Write all of it; return what the rule made of each partition's records.

        Raises:
            ContractError: a record stops every reader: `dialgate skip` is the way past it.
            LogUnavailableError: the log does not answer.

        """
        self.ends = ends = await self.log.ends(self._partitions())
        self._put(line(self._manifest(ends, now)))
        if self.campaign is not None:
            await self._find_lists(ends)
        digests, summaries = CampaignDigests(), dict[Partition, PartitionSummary]()
        for partition in ends:
            summaries[partition] = await self._partition(partition, ends[partition], digests)
        for campaign in digests.summaries():
            self._put(line(campaign))
            self.campaigns += 1
        named = {str(partition): summary for partition, summary in summaries.items()}
        self._put(line(Summary(named)))
        self.write(line(End(f"sha256:{self._hash.hexdigest()}")))
        return summaries

    def _partitions(self) -> tuple[Partition, ...]:
        if self.campaign is None:
            return tuple(partitions_of(self.log))
        return (INSTALLATION, *partitions_of(self.log, self.campaign))

    def _manifest(self, ends: Mapping[Partition, int], now: datetime) -> Manifest:
        partitions = {str(partition): end for partition, end in ends.items()}
        return Manifest(
            format=FORMAT,
            log=self.log.id,
            made_at=now.isoformat(timespec="microseconds"),
            made_by=f"dialgate {version('dialgate')}",
            level=self.installation.level,
            campaign=self.campaign,
            campaign_partitions=self.log.partitions(CAMPAIGN_RECORDS),
            partitions=partitions,
        )

    async def _partition(
        self, partition: Partition, end: int, digests: CampaignDigests
    ) -> PartitionSummary:
        ruling, start = self._ruling(partition), line_start(partition)
        whole, of_campaigns = self.campaign is None, partition.topic == CAMPAIGN_RECORDS
        kinds = Counter[RulingKind]()
        chain = ruling.chain if whole else Chain()
        async for batch in ruled_batches(
            self.log, partition, ruling, until=end, batch_max=VERB_BATCH_MAX
        ):
            wanted = batch if whole else [ruled for ruled in batch if self._wanted(ruled)]
            lines, others, accept = list[bytes](), 0, digests.accept
            for recorded, kind, _ in wanted:
                position, raw = recorded.position, recorded.raw or b""
                if kind is not _ACCEPTED:
                    readable = kind is RulingKind.REFUSED
                    lines.append(record_line(start, position, raw, readable=readable))
                    kinds[kind] += 1
                    others += 1
                    continue
                lines.append(record_line(start, position, raw, readable=True))
                if not whole:
                    chain.accept(position, raw)
                if of_campaigns:
                    accept(recorded)
            kinds[RulingKind.ACCEPTED] += len(wanted) - others
            self._put(b"".join(lines))
            self.seen(len(wanted))
        return PartitionSummary(
            records=kinds.total(),
            accepted=kinds[RulingKind.ACCEPTED],
            refused=kinds[RulingKind.REFUSED],
            foreign=kinds[RulingKind.FOREIGN],
            skipped=kinds[RulingKind.SKIPPED],
            digest=str(chain),
        )

    def _ruling(self, partition: Partition) -> PartitionRuling:
        return PartitionRuling(self.installation.skipped.get(partition, {}))

    def _wanted(self, ruled: Ruled) -> bool:
        """Say whether a record belongs into the export: of one campaign, what was accepted.

        A refused record may have lost to another campaign's (two creates with one key): alone, it
        would count.
        """
        if self.campaign is None:
            return True
        if not ruled.accepted:
            return False
        if ruled.recorded.partition.topic != CAMPAIGN_RECORDS:
            return True
        streams = streams_of(ruled.recorded)
        return self.campaign in streams.campaigns or bool(
            not streams.campaigns and streams.others & self._lists
        )

    async def _find_lists(self, ends: Mapping[Partition, int]) -> None:
        """Note the campaign's lists: their chunks precede the record that names them."""
        for partition in partitions_of(self.log, self.campaign):
            ruling = self._ruling(partition)
            async for batch in ruled_batches(self.log, partition, ruling, until=ends[partition]):
                for ruled in batch:
                    if ruled.accepted:
                        streams = streams_of(ruled.recorded)
                        if self.campaign in streams.campaigns:
                            self._lists |= streams.others

    def _put(self, some: bytes) -> None:
        self._hash.update(some)
        self.write(some)
