"""Advances the views: a batch of accepted facts, its ledgers and positions, in one transaction.

`fold` collects a batch. Then the rows that it touches are read, it is folded in memory, written and
committed. An exception in between leaves the store at the last checkpoint, and ends the process.
"""

import logging
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.facts import AnyKeyFact
from campaigns.domain.webhooks import Webhooks
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.errors import StoreUnreadableError
from campaigns.records.cloud_event import events_of
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.batch import Batch, PartitionCheckpoint, touched_by
from projector.projections import facts, organization_records, outbox, records
from projector.projections.changes import Changes, EventPlace, Place
from projector.projections.organization_records import Share
from projector.store import record_index, views
from projector.store.checkpoints import is_stored
from projector.store.publication import Publication, store_publication
from projector.store.tallies import contact_tallies, execution_tallies
from projector.store.view_store import ViewStore

logger = logging.getLogger(__name__)
TAILS_MAX = 4_096  # Campaigns of which the last block of RECORDS is cached: 1 KiB each.


@dataclass
class Views:
    """The projector's fold: all campaigns in memory, everything else in the store.

    A batch goes through `take`, `look_up`, `index`, `fold_some`, `store_batch` and `tell`, in this
    order and one batch at a time. Only `look_up` and `store_batch` use the store, and only the
    others change memory, so the two may run in another thread.
    """

    store: ViewStore
    log: EventLog
    publishes: bool
    on_key: Callable[[AnyKeyFact], None]
    on_moved: Callable[[Partition], None] = lambda _: None
    on_changed: Callable[[Collection[int], Mapping[Place, Contact]], None] = lambda *_: None
    on_stored: Callable[[Batch], None] = lambda _: None
    listened: Callable[[Recorded], bool] = lambda _: False  # Whether its events are wanted.
    on_ruled: Callable[[], None] | None = None  # There is something to take. None: store it now.
    on_webhook: Callable[[str], None] = lambda _: None
    campaigns: Campaigns = field(default_factory=Campaigns)
    webhooks: Webhooks = field(default_factory=Webhooks)
    reader: Reader = field(init=False)
    # Partition → position and index of the last event that campaign.events has.
    published: dict[int, EventPlace] = field(default_factory=dict)
    topic_id: str = ""  # Of campaign.events, once it was asked.
    waiting: int = 0  # Records that were not taken yet.
    waiting_bytes: int = 0
    _facts: dict[Partition, int] = field(default_factory=dict)  # How many were accepted so far.
    _stored: dict[Partition, int] = field(default_factory=dict)  # Where the store is.
    _records: list[Recorded] = field(default_factory=list)
    _ruled: set[Partition] = field(default_factory=set)  # Since the last batch.
    _published: dict[int, EventPlace] = field(default_factory=dict)  # Since the last batch.
    # Contacts in progress, as stored, with the stretch in which each was met.
    _calling: dict[Place, tuple[Contact, int]] = field(default_factory=dict)
    _tails: dict[int, records.LastBlock] = field(default_factory=dict)  # Of RECORDS, as stored.
    _tallied: dict[int, int] = field(default_factory=dict)  # Campaign → blocks that are counted.
    _shares: "dict[Share, array[int]]" = field(default_factory=dict)  # Of ORGANIZATION_RECORDS.

    def __post_init__(self) -> None:
        self.reader = Reader(self.log, self)

    def restore(self, partitions: Sequence[Partition]) -> None:
        """Restore the last checkpoint. Views that cannot be read are rebuilt from the log."""
        try:
            with self.store.reading() as tx:
                keys = views.restore(tx, self.campaigns, self.webhooks)
        except StoreUnreadableError as exc:
            logger.warning("%s: %s: it is rebuilt from the log", self.store.where, exc)
            self.store.rebuild()
            return
        self._facts = self.store.restore(self.reader, partitions)
        self._stored = dict(self.reader.positions)
        for key in keys:
            self.on_key(key)

    def fold(self, recorded: Recorded) -> None:
        """Add one accepted record to the next batch.

        Raises:
            ContractError: it carries a fact that this build does not know.

        """
        # The facts are decoded here: an unknown one raises.
        assert recorded.facts, "a record has a fact"
        self._records.append(recorded)
        self.waiting_bytes += len(recorded.raw or b"")

    def folded(self, partition: Partition, position: int) -> None:
        """Note the end of a step: up to here, the next batch can be taken."""
        self._ruled.add(partition)
        self._noted()

    def event_published(self, number: int, place: EventPlace) -> None:
        """Let the next batch delete the events up to `place`: campaign.events has them."""
        self.published[number] = self._published[number] = place
        self._noted()

    def _noted(self) -> None:
        self.waiting = len(self._records)
        if self.on_ruled is not None:
            self.on_ruled()
        elif (batch := self.take()) is not None:
            if batch.touched:
                self.look_up(batch)
            self.index(batch)
            self.fold_some(batch, batch.records)
            self.store_batch(batch)
            self.tell(batch)

    def take(self) -> Batch | None:
        """Return everything that was ruled on since the last batch, or None if there is nothing.

        Rows, ledgers and positions are of one instant. Nothing is taken after a step that failed:
        the ledger is ahead of what was folded.
        """
        if self.reader.torn or not (self._ruled or self._published):
            return None
        taken, self._records = self._records, []
        ruled, self._ruled = self._ruled, set()
        published, self._published = self._published, {}
        self.waiting = self.waiting_bytes = 0
        touched, own = touched_by(taken)
        checkpoints = {one: self._checkpoint(one) for one in ruled}
        own_of = organization_records.own_of(self.campaigns, own)
        batch = Batch(taken, checkpoints, published, touched, own, own_of)
        known = touched.contacts & self._calling.keys()
        for place in known:
            contact, batch.changes.met[place] = self._calling[place]
            batch.changes.contacts[place] = contact
            batch.changes.stood[place] = contact_tallies.standing(contact)
        touched.contacts -= known
        for cached in (self._tails, self._shares):
            if len(cached) > TAILS_MAX:
                cached.clear()
        touched.tails = own.keys() - self._tails.keys()
        touched.shares = own_of.keys() - self._shares.keys()
        return batch

    def _checkpoint(self, partition: Partition) -> PartitionCheckpoint:
        return PartitionCheckpoint(
            self.reader.positions.get(partition, 0),
            replace(self.reader.chain(partition)),
            list(self.reader.ledger(partition).changes()),
            self._facts.get(partition, 0),
        )

    def look_up(self, batch: Batch) -> None:
        """Read the stored rows that the batch touches, other than those that are cached."""
        with self.store.reading() as tx:
            views.look_up(self.store, tx, batch.touched, batch.changes)
            batch.tails = record_index.tails(tx, batch.touched.tails)
            batch.shares = record_index.shares(tx, batch.touched.shares)

    def index(self, batch: Batch) -> None:
        """Note where the own records of each campaign, and of each organization, are."""
        self._tails.update(batch.tails)
        batch.due = records.project(batch.changes, self._tails, batch.own)
        self._shares.update(batch.shares)
        organization_records.project(batch.changes, self._shares, batch.own_of)

    def fold_some(self, batch: Batch, some: Sequence[Recorded]) -> None:
        """Fold some of the batch's records, in their order."""
        changes, due, campaigns = batch.changes, batch.due, self.campaigns
        for recorded in some:
            checkpoint = batch.checkpoints[recorded.partition]
            checkpoint.facts = facts.project(
                changes, campaigns, self.webhooks, recorded, checkpoint.facts
            )
            partition, position = recorded.partition, recorded.position
            for campaign_id, many in due.get((partition, position), ()) if due else ():
                if (campaign := campaigns.get(campaign_id)) is not None:
                    records.snapshot(changes, campaign, position, many)
            begin = self.published.get(partition.number, (0, 0))[0] if self.publishes else 0
            publishes = self.publishes and position >= begin
            if publishes or self.listened(recorded):
                events = batch.events[partition, position] = list(events_of(recorded))
                changes.events += outbox.project(events) if publishes else ()
        batch.campaigns |= {one: self.campaigns.by_id[one] for one in self.campaigns.dirty}
        self.campaigns.dirty.clear()

    def store_batch(self, batch: Batch) -> None:
        """Commit the batch's rows, ledgers and positions in one transaction.

        An exception leaves the store at the last checkpoint, and memory ahead of it; then it may be
        called again, also if the commit had arrived.

        Raises:
            StoreUnavailableError: the database is away.
            StoreElsewhereError: it is not where it was left.

        """
        partitions = self.log.partitions(CAMPAIGN_RECORDS)
        after = {one: checkpoint.position for one, checkpoint in batch.checkpoints.items()}
        before = {one: self._stored.get(one, 0) for one in after}
        with self.store.writing() as tx:
            if is_stored(tx, before, after):
                self._tallied.clear()
                return
            views.write(self.store, tx, batch.changes)
            views.write_campaigns(self.store, tx, batch.campaigns.values(), partitions)
            tallied = execution_tallies.count(tx, batch.campaigns, self._tallied)
            for number, place in batch.published.items():
                views.delete_events(tx, number, place)
            if batch.published:
                store_publication(self.store, tx, Publication(self.topic_id, batch.published))
            for partition, one in batch.checkpoints.items():
                self.store.move(tx, partition, one.facts, one.position, one.chain, one.ledger)
        if len(self._tallied) > TAILS_MAX:
            self._tallied.clear()
        self._tallied |= tallied

    def tell(self, batch: Batch) -> None:
        """Make a stored batch visible, and tell those who wait for it."""
        self._remember(batch.changes)
        for partition, checkpoint in batch.checkpoints.items():
            self._facts[partition] = checkpoint.facts
            self._stored[partition] = checkpoint.position
        for key in batch.changes.keys:
            self.on_key(key)
        for webhook_id in batch.changes.webhooks:
            self.on_webhook(webhook_id)
        for partition, checkpoint in batch.checkpoints.items():
            if self.reader.visible is not self.reader.positions:
                self.reader.shown(partition, checkpoint.position)
        self.store.moved()
        self.on_stored(batch)
        self.on_changed(batch.campaigns.keys(), batch.changes.contacts)
        for number in {number for number, *_ in batch.changes.events}:
            self.on_moved(Partition(CAMPAIGN_RECORDS, number))

    def take_over(self, other: "Views", keys: Iterable[AnyKeyFact], again: bool) -> None:
        """Go on with what another fold made of the same records: our store is its store now.

        `keys`: its facts about API keys. `again`: publish its outbox from the beginning.
        """
        self.campaigns.become(other.campaigns)
        for webhook_id in self.webhooks.become(other.webhooks):
            self.on_webhook(webhook_id)
        self._facts, self._calling, self._tails = other._facts, other._calling, other._tails
        self._shares, self._tallied = other._shares, other._tallied
        for key in keys:
            self.on_key(key)
        if again:
            self.published.clear()
            self._published.clear()
        self._published |= self.published  # Its outbox may hold what was published meanwhile.
        self._noted()

    def _remember(self, changes: Changes) -> None:
        """Cache the contacts that are being called: facts about them follow soon."""
        for place, contact in changes.contacts.items():
            if contact.status is ContactStatus.IN_PROGRESS:
                self._calling[place] = contact, changes.met[place]
            else:
                self._calling.pop(place, None)
