"""What an import writes, and in which partition: from an export, to any number of partitions.

Streams are what conditions rest on, and a campaign's streams stay together and in order, so each
accepted record is accepted again. Into as many partitions as before, every record goes where it
was, byte for byte. Into another number only what was accepted or skipped is written: a record
that was refused beside other campaigns could count without them. So it is where plain contacts are
encrypted (encryption.py), and chunks of lists that no campaign names are left out, too.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from campaigns.audit.rulings import PartitionRuling, Ruled, RulingKind, partitions_of, ruled_batches
from campaigns.audit.transfer.campaign_digests import CampaignDigests, streams_of
from campaigns.audit.transfer.encryption import Encryption, level_record
from campaigns.audit.transfer.export_format import refuse
from campaigns.audit.transfer.export_log import ExportLog
from campaigns.audit.transfer.key_needs import EncryptedLists
from campaigns.domain.facts import ListClosed, ListRows, RecordSkipped
from campaigns.domain.values.stream_names import Stream
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    INSTALLATION_KEY,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
    campaign_partitions,
)

_Places = dict[tuple[str, int, int], tuple[int, int]]


class Planned(NamedTuple):
    """One record to write: the next one of its partition."""

    partition: Partition
    raw: bytes
    key: int  # Kafka's: the campaign, the organization, or a constant.
    ruling: RulingKind  # What it was, and is again.


@dataclass
class Plan:
    """The records to write. `check` comes first; `records` may be read any number of times."""

    export: ExportLog
    installation: Installation  # The export's.
    partitions: int  # Of campaign.records, where it is imported.
    encryption: Encryption | None = None  # None: contacts stay as they are.
    left_out: int = 0  # Records that counted for nobody, once `records` was read.
    encrypted: EncryptedLists = field(default_factory=EncryptedLists)  # Known once it is checked.
    _lists: dict[Stream, int] = field(default_factory=dict)  # A list's stream → its campaign.
    _checked: bool = False

    @property
    def same(self) -> bool:
        """Say whether every record keeps its partition and position."""
        return self.encryption is None and self.partitions == self.export.partitions(
            CAMPAIGN_RECORDS
        )

    async def check(self) -> None:
        """Rule on every record, and compare with the digests in the file. Writes nothing.

        Raises:
            ExportUnreadableError: it is of one campaign, its digests are not those of its records,
                or a record rests on two campaigns that would be parted.

        """
        if self._checked:
            return
        if self.export.manifest.campaign is not None:
            refuse(self.export.path, "an export of a whole log", "one of a single campaign")
        digests = CampaignDigests()
        for partition in partitions_of(self.export):
            ruling, accepted = self._ruling(partition), 0
            async for batch in ruled_batches(self.export, partition, ruling):
                for ruled in batch:
                    accepted += ruled.accepted
                    if ruled.accepted and partition.topic == CAMPAIGN_RECORDS:
                        digests.accept(ruled.recorded)
                        self._learn(ruled.recorded)
                        self.encrypted.fold(ruled.recorded.facts)
                        if self.encryption is not None:
                            self.encryption.fold(ruled.recorded.facts)
            summary = self.export.summary[str(partition)]
            if (str(ruling.chain), accepted) != (summary.digest, summary.accepted):
                refuse(
                    self.export.path, f"{summary.digest} of {partition}",
                    f"{ruling.chain}: its records are not those that were exported",
                )  # fmt: skip
        if {one.campaign: one for one in digests.summaries()} != self.export.campaigns:
            refuse(self.export.path, "the digests of its campaigns", "others: it was altered")
        self._checked = True

    async def ready(self) -> None:
        """Make what the records need, before the first is written. Raises: see `Encryption`."""
        if self.encryption is not None:
            await self.encryption.ready()

    async def done(self) -> None:
        """Note that all is written, before the log can start. Raises: see `Encryption`."""
        if self.encryption is not None:
            await self.encryption.done()

    async def records(self) -> AsyncIterator[Planned]:
        """Yield what to write, in order; installation.records, which needs the others, last."""
        moved, ends, self.left_out = _Places(), dict[Partition, int](), 0
        own = campaign_partitions(self.export.partitions(CAMPAIGN_RECORDS))
        for partition in (*own, ORGANIZATIONS, INSTALLATION):
            async for batch in ruled_batches(self.export, partition, self._ruling(partition)):
                for ruled in batch:
                    if (target := self._target(ruled)) is None:
                        self.left_out += 1
                        continue
                    for raw in self._raws(ruled, moved):
                        position = ends[target] = ends.get(target, 0) + 1
                        if ruled.ruling is RulingKind.SKIPPED:
                            place = (*partition, ruled.recorded.position)
                            moved[place] = (target.number, position)
                        yield Planned(target, raw, _key(ruled, target), ruled.ruling)
        if self.encryption is not None and (raised := level_record(self.export, self.installation)):
            yield Planned(INSTALLATION, raised, INSTALLATION_KEY, RulingKind.ACCEPTED)

    def _raws(self, ruled: Ruled, moved: _Places) -> Iterable[bytes]:
        """Return what is written of a record: mostly itself."""
        if ruled.accepted and ruled.recorded.partition == INSTALLATION:
            return (_moved(ruled.recorded, moved),)
        if ruled.accepted and self.encryption is not None:
            return self.encryption.rewritten(ruled.recorded)
        return (ruled.recorded.raw or b"",)

    def _ruling(self, partition: Partition) -> PartitionRuling:
        return PartitionRuling(self.installation.skipped.get(partition, {}))

    def _target(self, ruled: Ruled) -> Partition | None:
        """Return where a record goes; None: nowhere."""
        was = ruled.recorded.partition
        if self.same or was.topic != CAMPAIGN_RECORDS:
            return was
        if ruled.accepted:
            streams = streams_of(ruled.recorded)
            for campaign in streams.campaigns:
                return campaign_partition(campaign, self.partitions)
            for stream in sorted(streams.others):  # The same in every process.
                if campaign_id := self._lists.get(stream):
                    return campaign_partition(campaign_id, self.partitions)
            if self.encryption is not None and _is_of_lists_alone(ruled.recorded):
                return None
        elif ruled.ruling is not RulingKind.SKIPPED:
            return None
        return Partition(CAMPAIGN_RECORDS, was.number % self.partitions)

    def _learn(self, recorded: Recorded) -> None:
        """Note which lists belong to which campaign: their chunks come before their names."""
        streams = streams_of(recorded)
        if len({campaign % self.partitions for campaign in streams.campaigns}) > 1:
            refuse(
                self.export.path, f"records that can be divided into {self.partitions} partitions",
                f"{recorded.where}, which rests on campaigns {sorted(streams.campaigns)}",
            )  # fmt: skip
        for campaign in streams.campaigns:
            for stream in streams.others:
                self._lists[stream] = campaign


def _is_of_lists_alone(recorded: Recorded) -> bool:
    """Say whether a record counts for nobody unless a campaign names its list."""
    return all(isinstance(fact, ListRows | ListClosed) for fact in recorded.facts)


def _moved(recorded: Recorded, moved: _Places) -> bytes:
    """Return a decision of the installation that names the skipped record's new place."""
    assert recorded.raw is not None, "an accepted record has bytes"
    facts = [fact for fact in recorded.facts if isinstance(fact, RecordSkipped)]
    places = {(fact.topic, fact.partition, fact.position) for fact in facts}
    if all(moved.get(place, place[1:]) == place[1:] for place in places):
        return recorded.raw
    found: Any = orjson.loads(recorded.raw)  # Any: JSON, which the rule has accepted.
    for fact in found["facts"]:
        data = fact["data"]
        place = (data.get("topic"), data.get("partition"), data.get("position"))
        if place in moved:
            data["partition"], data["position"] = moved[place]
    return orjson.dumps(found)


def _key(ruled: Ruled, target: Partition) -> int:
    """Return the key that the record had, or could have had."""
    if target == INSTALLATION:
        return INSTALLATION_KEY
    if ruled.accepted:
        envelope = ruled.recorded.envelope
        assert isinstance(envelope, Envelope), "an accepted record has an envelope"
        for stream in envelope.condition:
            kind, number, *_ = stream.split("/")
            if kind in ("campaign", "contacts", "contact", "organization") and number.isdecimal():
                return int(number)
    return target.number
