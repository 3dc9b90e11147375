"""Advances the views: a batch of accepted facts, its ledger and its position, in one transaction.

`fold` collects a batch; `folded` reads the rows that it touches, folds in memory, writes, commits.
An exception in between leaves the store at the last checkpoint, and ends the process.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from sqlalchemy import Connection

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.facts import (
    AnyCallFact,
    AnyCampaignFact,
    AnyFact,
    AnyOrganizationFact,
    ApiKeyCreated,
    ApiKeyRevoked,
    CallEnded,
    CallFact,
    CallRequested,
    CampaignCreated,
    CampaignFact,
    CampaignRearmed,
    ContactExhausted,
    ContactsAdded,
    CreateKeyed,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    InstallationFact,
    ListClosed,
)
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.errors import StoreUnreadableError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.projections import contacts, executions, history, imports, lists, outbox, records
from projector.projections.changes import Changes, Place
from projector.store import record_index, views
from projector.store.view_store import ViewStore

logger = logging.getLogger(__name__)

TAILS_MAX = 4_096  # Campaigns of which the last block of RECORDS is cached: 1 KiB each.


@dataclass
class Views:
    """The projector's fold: all campaigns in memory, everything else in the store."""

    store: ViewStore
    log: EventLog
    publishes: bool
    on_key: Callable[[AnyOrganizationFact], None]
    on_moved: Callable[[Partition], None] = lambda _: None
    on_changed: Callable[[Collection[int], Mapping[Place, Contact]], None] = lambda *_: None
    campaigns: Campaigns = field(default_factory=Campaigns)
    reader: Reader = field(init=False)
    # Partition → position and index of the last event that campaign.events has.
    published: dict[int, tuple[int, int]] = field(default_factory=dict)
    _facts: dict[Partition, int] = field(default_factory=dict)  # How many were accepted so far.
    _batch: list[Recorded] = field(default_factory=list)
    _calling: dict[Place, Contact] = field(default_factory=dict)  # Contacts in progress, as stored.
    _tails: dict[int, records.LastBlock] = field(default_factory=dict)  # Of RECORDS, as stored.

    def __post_init__(self) -> None:
        self.reader = Reader(self.log, self)

    def restore(self, partitions: Sequence[Partition]) -> None:
        """Restore the last checkpoint. Views that cannot be read are rebuilt from the log."""
        try:
            with self.store.reading() as tx:
                keys = views.restore(tx, self.campaigns)
        except StoreUnreadableError as exc:
            logger.warning("%s: %s: it is rebuilt from the log", self.store.where, exc)
            self.store.rebuild()
            return
        self._facts = self.store.restore(self.reader, partitions)
        for key in keys:
            self.on_key(key)

    def fold(self, recorded: Recorded) -> None:
        """Add one accepted record to the batch.

        Raises:
            ContractError: it carries a fact that this build does not know.

        """
        # The facts are decoded here: an unknown one raises.
        assert recorded.facts, "a record has a fact"
        self._batch.append(recorded)

    def folded(self, partition: Partition, position: int) -> None:
        """Fold the batch, and commit it with its ledger and position."""
        batch, self._batch = self._batch, []
        with self.store.writing() as tx:
            changes, own = self._look_up(tx, partition, batch)
            due = self._index(tx, changes, own)
            facts = self._fold(changes, batch, self._facts.get(partition, 0), due)
            views.write(self.store, tx, changes)
            dirty = [self.campaigns.by_id[one] for one in sorted(self.campaigns.dirty)]
            views.write_campaigns(self.store, tx, dirty, self.log.partitions(CAMPAIGN_RECORDS))
            chain, ledger = self.reader.chain(partition), self.reader.ledger(partition)
            self.store.move(tx, partition, facts, position, chain, ledger.changes())
        changed = frozenset(self.campaigns.dirty)
        self.campaigns.dirty.clear()
        self._remember(changes)
        self._facts[partition] = facts
        for key in changes.keys:
            self.on_key(key)
        self.store.moved()
        self.on_changed(changed, changes.contacts)
        if changes.events:
            self.on_moved(partition)

    def _index(
        self, tx: Connection, changes: Changes, own: Mapping[int, Sequence[Recorded]]
    ) -> records.Due:
        """Note where each campaign's own records are; return where a snapshot may be due."""
        if len(self._tails) > TAILS_MAX:
            self._tails.clear()
        self._tails.update(record_index.tails(tx, own.keys() - self._tails.keys()))
        return records.project(changes, self._tails, own)

    def _fold(
        self, changes: Changes, batch: Sequence[Recorded], ordinal: int, due: records.Due
    ) -> int:
        """Fold a batch; return the ordinal of its last fact."""
        for recorded in batch:
            for fact in recorded.facts:
                ordinal += 1
                if isinstance(fact, CallFact):  # Most facts of a log: the shortest way.
                    self._fold_call(changes, recorded.position, fact)
                else:
                    self._fold_other(changes, recorded, fact, ordinal)
            for campaign_id, many in due.get(recorded.position, ()) if due else ():
                if (campaign := self.campaigns.get(campaign_id)) is not None:
                    records.snapshot(changes, campaign, recorded.position, many)
            if self.publishes:
                number = recorded.partition.number
                if recorded.position >= self.published.get(number, (0, 0))[0]:
                    changes.events += outbox.project(recorded)
        return ordinal

    def _fold_call(self, changes: Changes, position: int, fact: AnyCallFact) -> None:
        campaign = self.campaigns.get(fact.campaign_id)
        if campaign is None:
            return  # Facts of a campaign that was never created.
        before, call = campaign.executions, campaign.calls.get(fact.call_id)
        self.campaigns.fold_call(campaign, fact, position)
        contacts.project(changes, campaign, fact)
        if not isinstance(fact, CallRequested):
            executions.project(changes, campaign, call, before, fact)
            if isinstance(fact, CallEnded):
                history.project(changes, campaign, fact)

    def _fold_other(
        self, changes: Changes, recorded: Recorded, fact: AnyFact, ordinal: int
    ) -> None:
        match fact:
            case CampaignFact():
                self._fold_campaign(changes, recorded, fact, ordinal)
            case ContactsAdded() | ListClosed():
                lists.project(changes, fact, recorded.partition.number, ordinal)
            case ApiKeyCreated() | ApiKeyRevoked():
                changes.keys.append(fact)
            case CreateKeyed() | InstallationFact():
                return
            case unreachable:
                assert_never(unreachable)

    def _fold_campaign(
        self, changes: Changes, recorded: Recorded, fact: AnyCampaignFact, ordinal: int
    ) -> None:
        found = self.campaigns.get(fact.campaign_id)
        campaign = self.campaigns.fold(fact, recorded)
        if campaign is None:
            return  # Facts of a campaign that was never created.
        history.project(changes, campaign, fact)
        match fact:
            case CampaignCreated():
                if found is None:
                    lists.project(changes, fact, recorded.partition.number, ordinal)
            case ImportStarted():
                imports.project(changes, fact)
            case ImportCompleted() | ImportFailed():
                lists.project(changes, fact, recorded.partition.number, ordinal)
                imports.project(changes, fact)
            case ContactExhausted():
                contacts.project_exhausted(changes, campaign, fact)
            case CampaignRearmed():
                contacts.project_rearmed(changes, campaign, fact)
            case _:
                return  # Lifecycle: the views derive it from the campaign's state.

    def _look_up(
        self, tx: Connection, partition: Partition, batch: Sequence[Recorded]
    ) -> tuple[Changes, dict[int, list[Recorded]]]:
        """Return the stored rows that a batch touches, and the records of each campaign."""
        calls, facts, own = set[Place](), list[AnyFact](), dict[int, list[Recorded]]()
        of, records_of = 0, list[Recorded]()  # Often the next record is the same campaign's.
        for recorded in batch:
            for fact in recorded.facts:
                if isinstance(fact, CallFact):
                    campaign_id = fact.campaign_id
                    calls.add((campaign_id, fact.contact_id))
                else:
                    facts.append(fact)
                    if not isinstance(fact, CampaignFact):
                        continue
                    campaign_id = fact.campaign_id
                if campaign_id != of:
                    of, records_of = campaign_id, own.setdefault(campaign_id, [])
                if not records_of or records_of[-1] is not recorded:
                    records_of.append(recorded)
        places = calls.union(*map(contacts.places_of, facts))
        changes = views.look_up(
            self.store,
            tx,
            partition.number,
            places - self._calling.keys(),
            {place for one in facts if (place := imports.place_of(one))},
            {import_id for one in facts if (import_id := lists.import_of(one))},
        )
        for place in places & self._calling.keys():
            changes.contacts[place] = self._calling[place]
        return changes, own

    def _remember(self, changes: Changes) -> None:
        """Cache the contacts that are being called: facts about them follow soon."""
        for place, contact in changes.contacts.items():
            if contact.status is ContactStatus.IN_PROGRESS:
                self._calling[place] = contact
            else:
                self._calling.pop(place, None)
