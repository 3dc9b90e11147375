"""A campaign's latest history, kept while people look at it: its lines, and its calls over time.

It is told from the campaign's own records, as `dialgate timeline` and the API tell it, and goes on
from where it was. Bounded: of a long campaign the latest RECORDS_MAX records are told.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.audit.stories.abridgement import Abridgement
from campaigns.audit.stories.call_chart import CallChart
from campaigns.audit.stories.fact_place import place_of
from campaigns.audit.stories.story import Item, Story
from campaigns.domain.campaign import dump, load
from campaigns.domain.facts import CallStarted
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import campaign_partition
from projector.past.as_of import AsOf
from projector.past.own_records import records_of
from projector.queries.freshness import Queries
from projector.store import record_index

RECORDS_MAX = 20_000  # Of a campaign; about a second.
LINES_MAX = 200  # Of calls; beyond it neighbours are summed up.
KEPT_MAX = 32  # Chronicles: those that were looked at last.


@dataclass(eq=False, slots=True)
class Chronicle:
    """The history of one campaign, as far as it was told."""

    campaign_id: int
    story: Story = field(default_factory=Story)
    chart: CallChart = field(default_factory=CallChart)
    abridged: Abridgement = field(default_factory=lambda: Abridgement(call_lines_max=LINES_MAX))
    position: int = 0  # Up to which it is told.
    whole: bool = True  # It is told from the beginning.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, records: Sequence[Recorded]) -> None:
        """Tell the campaign's next own records."""
        for recorded in records:
            for item in self.story.tell(recorded, self.campaign_id):
                self.chart.note(item)
                self.abridged.add(item)
            for fact in recorded.facts:
                if isinstance(fact, CallStarted) and fact.campaign_id == self.campaign_id:
                    self.chart.begun(fact, place_of(recorded).at)
            self.position = recorded.position

    @property
    def first_at(self) -> datetime | None:
        """Return when the log had the campaign. None: its beginning is not told."""
        return self.abridged.items[0].at if self.whole and self.abridged.items else None

    def lines(self, until: datetime | None = None, through: int | None = None) -> list[Item]:
        """Return what is told, newest first; at most up to an instant, or through a position."""
        told = [*self.abridged.items, *self.story.unfinished()]
        if until is not None:
            told = [one for one in told if one.at <= until]
        if through is not None:
            told = [one for one in told if int(one.position.partition("@")[2]) <= through]
        return told[::-1]

    def halt(self, position: str) -> Item | None:
        """Return the halt at that position, once it has settled. None: not yet, or not told.

        Its times are those of the records: of the service that paused, and of whoever settled the
        last permission.
        """
        for item in reversed(self.abridged.items):
            if item.position == position and item.halts:
                return item if item.settled_at else None
        return None


@dataclass
class Chronicles:
    """The chronicles of the campaigns that are looked at."""

    queries: Queries
    _kept: OrderedDict[int, Chronicle] = field(default_factory=OrderedDict)

    async def of(self, campaign_id: int) -> Chronicle:
        """Return a campaign's chronicle, told up to what queries show.

        Raises:
            LogUnavailableError, NotFreshError: it cannot be told now.

        """
        if (found := self._kept.get(campaign_id)) is None:
            found = self._kept[campaign_id] = Chronicle(campaign_id)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(campaign_id)
        async with found.lock:
            await self._tell(found)
        return found

    async def _tell(self, chronicle: Chronicle) -> None:
        queries, campaign_id = self.queries, chronicle.campaign_id
        partition = campaign_partition(campaign_id, queries.partitions)
        reached, store = queries.reached(partition), queries.views.store
        if not chronicle.position:

            def begins() -> int:
                with store.reading() as tx:
                    every = record_index.positions(tx, campaign_id, 0, reached)
                    return every[-RECORDS_MAX - 1] if len(every) > RECORDS_MAX else 0

            if before := await asyncio.to_thread(begins):
                point = AsOf(place=(partition.number, before))
                past = await queries.travel.past(campaign_id, point, reached)
                chronicle.story = Story(load(dump(past.campaign), campaign_id))
                chronicle.position, chronicle.whole = before, False
        after, log = chronicle.position, queries.views.log
        async for some in records_of(store, log, campaign_id, after=after, through=reached):
            await asyncio.to_thread(chronicle.take, some)
