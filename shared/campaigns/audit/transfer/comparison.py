"""A log beside what an import meant to write: read back, record by record."""

from dataclasses import dataclass, field

from campaigns.audit.rulings import PartitionRuling, partitions_of
from campaigns.audit.transfer.campaign_digests import CampaignDigests
from campaigns.audit.transfer.import_plan import Plan
from campaigns.log.port import ReadableLog
from campaigns.process.errors import ExportUnreadableError, LogCutError
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

_READ = 2_048  # Records per read of what was written.


@dataclass
class Comparison:
    """Compares a log with what was to be written, record by record, and rules on it anew."""

    plan: Plan
    target: ReadableLog
    installation: Installation  # The target's.

    async def check(self) -> int:
        """Return how many records the target has: exactly those of the plan, with their rulings.

        Raises:
            LogCutError: it has others, fewer or more.
            ExportUnreadableError: a record would be ruled on in another way there.

        """
        readers, count, digests = dict[Partition, PlanReader](), 0, CampaignDigests()
        async for planned in self.plan.records():
            where = planned.partition
            if where not in readers:
                skipped = self.installation.skipped.get(where, {})
                readers[where] = PlanReader(self.target, where, PartitionRuling(skipped))
            recorded = await readers[where].next()
            if recorded is None or (recorded.raw or b"") != planned.raw:
                raise LogCutError(
                    f"{where}@{readers[where].position}: expected the record of the export, found"
                    f" {'another' if recorded else 'none'}"
                )
            ruled = readers[where].ruling.rule(recorded)
            if ruled.ruling is not planned.ruling:
                raise ExportUnreadableError(
                    f"{self.plan.export.path}: expected a record that is {planned.ruling}, found it"
                    f" {ruled.ruling} at {recorded.where}: {ruled.why}"
                )
            if ruled.accepted and where.topic == CAMPAIGN_RECORDS:
                digests.accept(recorded)
            count += 1
        for partition, end in (await self.target.ends(partitions_of(self.target))).items():
            planned_end = readers[partition].position if partition in readers else 0
            if end != planned_end:
                raise LogCutError(
                    f"{partition}: expected {planned_end} records of the export, found {end}:"
                    " somebody else writes to this log"
                )
        if self.plan.encryption is None:  # Otherwise the records are others.
            assert {one.campaign: one for one in digests.summaries()} == self.plan.export.campaigns
        return count


@dataclass
class PlanReader:
    """Reads one partition of a log, record by record."""

    log: ReadableLog
    partition: Partition
    ruling: PartitionRuling
    position: int = 0
    _batch: list[Recorded] = field(default_factory=list)

    async def next(self) -> Recorded | None:
        """Return the next record, or None at the end."""
        if not self._batch:
            self._batch = list(await self.log.read(self.partition, self.position, _READ))
            self._batch.reverse()
        self.position += 1
        return self._batch.pop() if self._batch else None
