"""A campaign as it was: its own records folded up to a position, with the projector's functions.

The campaign itself starts from a snapshot, so it costs the same however long its history is. Its
contacts are copied as they were a little earlier, and folded from there on, into a temporary store
of which the same queries are asked as of the present. The rows of lists and the executions are
those of the present: a row never changes, and of an execution only its end is left out
(`execution_pages.executions`).
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
from campaigns.domain.webhooks import Webhooks
from campaigns.log.port import ReadableLog
from campaigns.log.selection import selected
from campaigns.process.errors import NotFreshError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from projector.batch import Touched, touched_by
from projector.past.as_of import AsOf, AsOfError, before, position_in, through
from projector.past.own_records import records_of
from projector.projections import contacts, facts
from projector.projections.changes import Changes
from projector.store import earlier_contacts, record_index, views
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
    contacts_max: int | None = None  # Ever called, that are copied. None: no limit.
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
            AsOfError: more than `contacts_max` were ever called.
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
        """Copy the contacts as they were at the begin of the stretch, and fold what came then."""
        campaign_id, stretch = past.campaign.campaign_id, past.position // contacts.STRETCH
        begin = stretch * contacts.STRETCH - 1  # The last position before it.
        made, campaigns = ViewStore(None, None), Campaigns()
        try:
            await asyncio.to_thread(self._copy, campaign_id, stretch, made)
            start, positions = await asyncio.to_thread(self._found, campaign_id, begin)
            campaign = await self._folded(campaign_id, start, positions)
            if campaign is not None:
                partitions = self.log.partitions(CAMPAIGN_RECORDS)
                campaigns.take(campaign, campaign_partition(campaign_id, partitions).number)
            found = records_of(
                self.store, self.log, campaign_id, after=begin, through=past.position
            )
            async for some in found:
                await asyncio.to_thread(_fold_contacts, made, campaigns, some)
        except BaseException:
            made.close()
            raise
        return made

    def _copy(self, campaign_id: int, stretch: int, made: ViewStore) -> None:
        with self.store.reading() as tx:
            if self.contacts_max is not None:
                many = earlier_contacts.called(tx, campaign_id)
                if many > self.contacts_max:
                    raise AsOfError(
                        f"{many} contacts of the campaign were called, and past ones are shown of"
                        f" at most {self.contacts_max} (DIALGATE_AS_OF_CONTACTS_MAX): `dialgate"
                        " state` has no such limit"
                    )
            earlier_contacts.copied(tx, campaign_id, stretch, made)

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


def _fold_contacts(made: ViewStore, campaigns: Campaigns, records: Sequence[Recorded]) -> None:
    """Fold records into the contacts of a store; the rest is read from the views of the present."""
    touched, changes = touched_by(records)[0], Changes()
    with made.writing() as tx:
        views.look_up(made, tx, Touched(touched.contacts), changes)
        for recorded in records:
            facts.project(changes, campaigns, Webhooks(), recorded, 0)
        of = Changes(contacts=changes.contacts, met=changes.met, stood=changes.stood)
        views.write(made, tx, of)
