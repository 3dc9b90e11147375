"""A campaign as it was: its own records folded up to a position, with the projector's functions.

The campaign itself starts from a snapshot, so it costs the same however long its history is. Its
contacts are folded from its first record on, into a temporary store of which the same queries are
asked as of the present. The rows of lists and the executions are those of the present: a row never
changes, and of an execution only its end is left out (`campaign_pages.executions`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignFact
from campaigns.log.port import ReadableLog
from campaigns.log.selection import selected
from campaigns.process.errors import NotFreshError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from projector.past.as_of import AsOf, AsOfError, before, position_in, through
from projector.past.own_records import records_of
from projector.projections import facts
from projector.projections.changes import Changes
from projector.store import record_index, views
from projector.store.database import Database
from projector.store.view_store import ViewStore

KEPT_MAX = 8  # Folded campaigns that are kept for the next page, with their contacts.


class Past(NamedTuple):
    """A campaign at a point of its history."""

    campaign: Campaign
    position: int  # Of the last of its own records that is included.


@dataclass(slots=True)
class _FoldedPast:
    """A campaign that was folded, and its contacts once they were asked for."""

    past: Past
    contacts: ViewStore | None = None
    readers: int = 0
    folding: asyncio.Lock = field(default_factory=asyncio.Lock)  # Its contacts.


@dataclass
class TimeTravel:
    """Folds campaigns to points of their history. For one event loop."""

    store: Database  # With the index of each campaign's own records.
    log: ReadableLog
    records_max: int | None = None  # Of which contacts are folded. None: no limit.
    at_once_max: int = 1  # Folds.
    wait_s: float = 10.0  # For one of these.
    _kept: OrderedDict[tuple[int, int], _FoldedPast] = field(default_factory=OrderedDict)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.at_once_max)

    async def past(self, campaign_id: int, as_of: AsOf, reached: int) -> Past:
        """Return the campaign at that point. `reached`: the position that the store has reached.

        Raises:
            AsOfError: it lies ahead of `reached`, or before the campaign; or is of another
                partition.
            LogUnavailableError, NotFreshError: it cannot be folded now.

        """
        number = campaign_partition(campaign_id, self.log.partitions(CAMPAIGN_RECORDS)).number
        position = position_in(as_of, number, reached)
        async with self._place():
            if position is None:
                position = min(await self._position(campaign_id, as_of), reached)
            start, positions = await asyncio.to_thread(self._found, campaign_id, position)
            last = positions[-1] if positions else start.position
            if (kept := self._kept.get((campaign_id, last))) is not None:
                self._kept.move_to_end((campaign_id, last))
                return kept.past
            campaign = await self._folded(campaign_id, start, positions)
            if campaign is None:
                raise before(as_of, campaign_id)
            return self._keep(Past(campaign, last)).past

    @asynccontextmanager
    async def contacts(self, past: Past) -> AsyncIterator[ViewStore]:
        """Yield a store with the campaign's contacts as they were.

        Raises:
            AsOfError: the history is longer than `records_max`.
            LogUnavailableError, NotFreshError: it cannot be folded now.

        """
        kept = self._keep(past)
        kept.readers += 1
        try:
            async with kept.folding:
                if kept.contacts is None:
                    async with self._place():
                        kept.contacts = await self._folded_contacts(past)
            yield kept.contacts
        finally:
            kept.readers -= 1
            self._drop()

    def close(self) -> None:
        """Delete what was kept."""
        for kept in self._kept.values():
            if kept.contacts is not None:
                kept.contacts.close()
        self._kept.clear()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.wait_s):
                await self._places.acquire()
        except TimeoutError as exc:
            raise NotFreshError(
                f"as_of: {self.at_once_max} others are being folded, and none ended within"
                f" {self.wait_s} s"
            ) from exc
        try:
            yield
        finally:
            self._places.release()

    async def _position(self, campaign_id: int, as_of: AsOf) -> int:
        """Return the position of the last own record that an instant shows; 0: none."""
        time = as_of.time
        assert time is not None, "a position needs no search"

        def found() -> tuple[int, Sequence[int]]:
            with self.store.reading() as tx:
                return record_index.before_time(tx, campaign_id, time)

        position, positions = await asyncio.to_thread(found)
        partition = campaign_partition(campaign_id, self.log.partitions(CAMPAIGN_RECORDS))
        async for some in selected(self.log, partition, positions):
            position, over = through(some, time, position)
            if over:
                break
        return position

    def _found(self, campaign_id: int, position: int) -> tuple[record_index.StateAt, Sequence[int]]:
        with self.store.reading() as tx:
            start = record_index.snapshot(tx, campaign_id, position)
            return start, record_index.positions(tx, campaign_id, start.position, position)

    async def _folded(
        self, campaign_id: int, start: record_index.StateAt, positions: Sequence[int]
    ) -> Campaign | None:
        campaigns = Campaigns()
        partition = campaign_partition(campaign_id, self.log.partitions(CAMPAIGN_RECORDS))
        if start.campaign is not None:
            campaigns.take(start.campaign, partition.number)
        async for some in selected(self.log, partition, positions):
            await asyncio.to_thread(_fold, campaigns, campaign_id, some)
        return campaigns.get(campaign_id)

    async def _folded_contacts(self, past: Past) -> ViewStore:
        campaign_id = past.campaign.campaign_id
        if self.records_max is not None:
            many = await asyncio.to_thread(self._count, past)
            if many > self.records_max:
                raise AsOfError(
                    f"the campaign has {many} records up to there, and contacts are folded from at"
                    f" most {self.records_max} (DIALGATE_AS_OF_RECORDS_MAX): `dialgate state` has"
                    " no such limit"
                )
        campaigns, changes = Campaigns(), Changes()
        through = past.position
        async for some in records_of(self.store, self.log, campaign_id, after=0, through=through):
            changes = await asyncio.to_thread(_fold_contacts, changes, campaigns, some)
        return await asyncio.to_thread(_stored, changes)

    def _count(self, past: Past) -> int:
        with self.store.reading() as tx:
            return record_index.count(tx, past.campaign.campaign_id, past.position)

    def _keep(self, past: Past) -> _FoldedPast:
        place = past.campaign.campaign_id, past.position
        if (kept := self._kept.get(place)) is None:  # Nobody else has folded it meanwhile.
            kept = self._kept[place] = _FoldedPast(past)
            self._drop()
        return kept

    def _drop(self) -> None:
        """Drop the oldest ones that nobody reads."""
        idle = [place for place, kept in self._kept.items() if not kept.readers]
        for place in idle[: max(len(self._kept) - KEPT_MAX, 0)]:
            if (contacts := self._kept.pop(place).contacts) is not None:
                contacts.close()


def _fold(campaigns: Campaigns, campaign_id: int, records: Sequence[Recorded]) -> None:
    for recorded in records:
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact) and fact.campaign_id == campaign_id:
                campaigns.fold(fact, recorded)


def _fold_contacts(changes: Changes, campaigns: Campaigns, records: Sequence[Recorded]) -> Changes:
    """Fold records; return the contacts so far: the rest is read from the views of the present."""
    for recorded in records:
        facts.project(changes, campaigns, recorded, 0)
    return Changes(contacts=changes.contacts)


def _stored(changes: Changes) -> ViewStore:
    store = ViewStore(None, None)
    with store.writing() as tx:
        views.write(store, tx, changes)
    return store
