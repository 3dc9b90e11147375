"""Has a log judged, from its first record to its end: counts, violations, digests. Streaming."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from campaigns.audit.judge.judge import Judge
from campaigns.audit.judge.permission import RecordedRings
from campaigns.audit.judge.violations import Kind, RecordPlace, Violation
from campaigns.audit.rulings import VERB_BATCH_MAX, PartitionRuling, RulingKind, ruled_batches
from campaigns.log.installation_log import read_on
from campaigns.log.port import ReadableLog
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition

_ACCEPTED = RulingKind.ACCEPTED
VIOLATIONS_MAX = 1_000  # Listed; all are counted.


@dataclass
class Findings:
    """What was found in a log."""

    violations_max: int = VIOLATIONS_MAX
    violations: list[Violation] = field(default_factory=list)  # The first ones.
    found: int = 0  # All violations.
    by_ruling: dict[RulingKind, int] = field(default_factory=lambda: dict.fromkeys(RulingKind, 0))
    digests: dict[str, str] = field(default_factory=dict)  # RecordPlace → digest.
    rings: int | None = None  # None: no ring log was given.
    open: int = 0  # Calls that are not resolved.

    def find(self, violation: Violation) -> None:
        """Note one violation."""
        self.found += 1
        if len(self.violations) < self.violations_max:
            self.violations.append(violation)

    @property
    def records(self) -> int:
        """Return how many records were read."""
        return sum(self.by_ruling.values())

    def shape(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        shown: dict[str, Any] = {
            "ok": not self.found,
            "violations": [violation.shape() for violation in self.violations],
            "violations_found": self.found,
            "records": self.records,
        }
        shown |= {ruling.value: n for ruling, n in self.by_ruling.items()}
        shown |= {"open": self.open, "rings": self.rings, "digests": self.digests}
        return shown


@dataclass
class Verification:
    """One pass over a log."""

    log: ReadableLog
    installation: Installation
    partitions: Collection[Partition]
    rings: RecordedRings | None = None
    campaign_id: int | None = None  # Judge only this one.
    at_rest: bool = False  # Nothing more will come: what is open is a violation.
    violations_max: int = VIOLATIONS_MAX
    # Where else digests are taken, by partition.
    positions: Mapping[Partition, Collection[int]] = field(default_factory=dict)
    step: Callable[[int], None] = lambda records: None  # Told how many records more were judged.
    campaign_met: bool = False  # The one to judge is in the log. Known at the end.

    async def run(self) -> Findings:
        """Read and judge everything that is in the log now.

        Raises:
            ContractError, LevelBeyondError: this build does not know an accepted record.
            LogCutError: a record that was skipped is another one.
            LogUnavailableError: the log does not answer.

        """
        findings = Findings(self.violations_max, rings=self.rings.count if self.rings else None)
        ends = await self.log.ends(self.partitions)
        await read_on(self.log, self.installation)  # Whatever level these records may be of.
        for partition in self.partitions:
            await self._partition(partition, ends[partition], findings)
        for ring in self.rings.left() if self.rings else ():
            what = f"rang contact {ring.campaign_id}/{ring.contact_id}, and was never permitted"
            self._find(
                findings,
                Violation(Kind.RANG_UNPERMITTED, ring.where, what, ring.campaign_id, ring.call_id),
            )
        return findings

    async def _partition(self, partition: Partition, end: int, findings: Findings) -> None:
        ruling = PartitionRuling(self.installation.skipped.get(partition, {}))
        judge = Judge(partial(self._find, findings), self.rings, self.installation.level)
        for until in sorted({*self.positions.get(partition, ()), end}):
            batches = ruled_batches(
                self.log, partition, ruling, until=until, batch_max=VERB_BATCH_MAX
            )
            async for batch in batches:
                others, take = 0, judge.take
                for recorded, how, _ in batch:
                    if how is _ACCEPTED:
                        take(recorded)
                    else:
                        findings.by_ruling[how] += 1
                        others += 1
                findings.by_ruling[_ACCEPTED] += len(batch) - others
                self.step(len(batch))
            findings.digests[str(RecordPlace(partition, until))] = str(ruling.chain)
        judge.finish(at_rest=self.at_rest)
        self.campaign_met |= self.campaign_id in judge.campaigns
        findings.open += sum(len(campaign.calls) for campaign in judge.campaigns.values())

    def _find(self, findings: Findings, violation: Violation) -> None:
        if self.campaign_id in (None, violation.campaign_id):
            findings.find(violation)
