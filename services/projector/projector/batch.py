"""One batch of the projector: records of any partitions, where they end, what they change. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from campaigns.domain.call_evolution import CALLS
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import CampaignFact
from campaigns.log.digest import Chain
from campaigns.records.cloud_event import CloudEvent
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from projector.projections import contacts, imports, lists
from projector.projections.changes import Changes, EventPlace, Place
from projector.projections.organization_records import OwnOf, Share
from projector.projections.records import Due, LastBlock


@dataclass(slots=True)
class Touched:
    """The keys of the stored rows that a batch touches."""

    contacts: set[Place] = field(default_factory=set)
    imports: set[Place] = field(default_factory=set)
    lists: set[tuple[int, str]] = field(default_factory=set)  # Partition, import id.
    tails: set[int] = field(default_factory=set)  # The campaigns of which the tail is not known.
    shares: set[Share] = field(default_factory=set)  # The same of organizations.

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.contacts or self.imports or self.lists or self.tails or self.shares)


def touched_by(records: Sequence[Recorded]) -> tuple[Touched, dict[int, list[Recorded]]]:
    """Return what the records' facts name, and the records of each campaign."""
    touched, own = Touched(), dict[int, list[Recorded]]()
    called = touched.contacts
    of, records_of = 0, list[Recorded]()  # Often the next record is the same campaign's.
    for recorded in records:
        for fact in recorded.facts:
            if type(fact) in CALLS:
                campaign_id = fact.campaign_id  # type: ignore[union-attr]  # It is a call's.
                called.add((campaign_id, fact.contact_id))  # type: ignore[union-attr]
            else:
                touched.contacts.update(contacts.places_of(fact))
                if place := imports.place_of(fact):
                    touched.imports.add(place)
                if import_id := lists.import_of(fact):
                    touched.lists.add((recorded.partition.number, import_id))
                if not isinstance(fact, CampaignFact):
                    continue
                campaign_id = fact.campaign_id
            if campaign_id != of:
                of, records_of = campaign_id, own.setdefault(campaign_id, [])
            if not records_of or records_of[-1] is not recorded:
                records_of.append(recorded)
    return touched, own


@dataclass(slots=True)
class PartitionCheckpoint:
    """Where a partition stands after a batch: its checkpoint."""

    position: int
    chain: Chain
    ledger: Sequence[tuple[str, bytes]]  # What changed since the last batch.
    facts: int  # How many were accepted so far; counted by the fold.


@dataclass(slots=True)
class Batch:
    """What was ruled on since the last batch, as of one instant: it is stored whole or not at all.

    The records of several partitions may be mixed; those of each are in its order.
    """

    records: Sequence[Recorded]
    checkpoints: dict[Partition, PartitionCheckpoint]
    published: dict[int, EventPlace]  # Partition → the last event of the outbox to delete.
    touched: Touched
    own: dict[int, list[Recorded]]  # Of each campaign.
    own_of: OwnOf  # The same of each organization.
    tails: dict[int, LastBlock] = field(default_factory=dict)  # Of RECORDS, as looked up.
    shares: "dict[Share, array[int]]" = field(default_factory=dict)  # Of ORGANIZATION_RECORDS.
    due: Due = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    campaigns: dict[int, Campaign] = field(default_factory=dict)  # That it changed.
    # Of those records of which somebody wants the events: their places → events.
    events: dict[tuple[Partition, int], Sequence[CloudEvent]] = field(default_factory=dict)
