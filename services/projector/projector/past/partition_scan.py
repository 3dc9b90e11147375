"""A campaign as it was, from the log alone: where there is no store, or it is behind.

One pass over the campaign's partition rules on all its records. Contacts take a second one, over
the campaign's own records and its lists, into a temporary store.
"""

from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import (
    CampaignCreated,
    CampaignErased,
    CampaignFact,
    ContactErased,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
)
from campaigns.log.port import MemoryLog, ReadableLog
from campaigns.log.selection import selected
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from projector.advance import Views
from projector.past.as_of import AsOf, before, position_in
from projector.past.time_travel import Past
from projector.projections.records import micros
from projector.store.view_store import ViewStore


@dataclass
class PartitionScan:
    """One campaign, folded from its partition's first record on."""

    log: ReadableLog
    installation: Installation
    campaign_id: int
    step: Callable[[int], object] = lambda _: None  # Told how many more records were read.
    _campaigns: Campaigns = field(default_factory=Campaigns)
    _own: "array[int]" = field(default_factory=lambda: array("Q"))
    _lists: "dict[str, array[int]]" = field(
        default_factory=lambda: defaultdict(lambda: array("Q"))
    )  # Import id → the positions of its chunks; of all lists: whose they are is said later.
    _counting: set[str] = field(default_factory=set)  # The campaign's lists.
    _erased_since: "array[int]" = field(default_factory=lambda: array("Q"))
    _ruling: PartitionRuling = field(init=False)

    def __post_init__(self) -> None:
        self._ruling = PartitionRuling(self.installation.skipped.get(self.partition, {}))

    @property
    def partition(self) -> Partition:
        """Return the campaign's partition."""
        return campaign_partition(self.campaign_id, self.log.partitions(CAMPAIGN_RECORDS))

    async def past(self, as_of: AsOf, end: int) -> Past:
        """Return the campaign at that point. `end`: the log's.

        Raises:
            AsOfError: it lies ahead of `end`, or before the campaign; or is of another partition.
            ContractError: this build does not know an accepted fact.
            LogUnavailableError: the log does not answer.

        """
        partition = self.partition
        until = position_in(as_of, partition.number, end)
        later = False
        async for batch in ruled_batches(
            self.log, partition, self._ruling, until=end if until is None else until
        ):
            self.step(len(batch))
            for ruled in batch:
                if ruled.accepted:
                    later = later or self._take(ruled.recorded, as_of.time)
                    if later:
                        self._note_erased(ruled.recorded)
            if later:
                break
        campaign = self._campaigns.get(self.campaign_id)
        if campaign is None:
            raise before(as_of, self.campaign_id)
        return Past(campaign, self._own[-1])

    def _take(self, recorded: Recorded, time: int | None) -> bool:
        """Fold an accepted record, unless it is an own one of later than `time`; say whether."""
        own = [
            fact
            for fact in recorded.facts
            if isinstance(fact, CampaignFact) and fact.campaign_id == self.campaign_id
        ]
        if own:
            envelope = recorded.envelope
            assert isinstance(envelope, Envelope), "an accepted record"
            if time is not None and micros(envelope.time) > time:
                return True
            self._own.append(recorded.position)
        for fact in own:
            self._campaigns.fold(fact, recorded)
            if isinstance(fact, CampaignCreated | ImportCompleted) and fact.import_id:
                self._counting.add(fact.import_id)
        for added in recorded.facts:
            if isinstance(added, ContactsAdded | ContactsEncrypted):
                self._lists[added.import_id].append(recorded.position)
        return False

    def _note_erased(self, recorded: Recorded) -> None:
        if any(
            isinstance(fact, ContactErased | CampaignErased)
            and fact.campaign_id == self.campaign_id
            for fact in recorded.facts
        ):
            self._erased_since.append(recorded.position)

    @asynccontextmanager
    async def contacts(self) -> AsyncIterator[ViewStore]:
        """Yield a temporary store with the campaign that `past` has found, and its contacts.

        Who was forgotten since then is forgotten in it: the log is read on to its end for it.

        Raises:
            ContractError: this build does not know an accepted fact of later.
            LogUnavailableError: the log does not answer.

        """
        async for batch in ruled_batches(self.log, self.partition, self._ruling):
            for ruled in batch:
                if ruled.accepted:
                    self._note_erased(ruled.recorded)
        chunks = [at for one in self._counting for at in self._lists.get(one, ())]
        positions = sorted({*self._own, *chunks, *self._erased_since})
        store = ViewStore(None, None)
        try:
            views = Views(store, MemoryLog(), publishes=False, on_key=lambda _: None)
            async for some in selected(self.log, self.partition, positions):
                if some:
                    _fold(views, some)
            yield store
        finally:
            store.close()


def _fold(views: Views, records: Sequence[Recorded]) -> None:
    partition, position = records[-1].partition, records[-1].position
    for recorded in records:
        views.fold(recorded)
    views.reader.positions[partition] = position
    views.folded(partition, position)
