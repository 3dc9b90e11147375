"""The end of every feed that somebody follows: each event is written once, for all its readers.

A feed with readers keeps its latest events, at most `buffer_max`. A reader takes from them at its
own pace, and has fallen behind when its next one is gone. Knows no HTTP.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignDeleted
from campaigns.events.cursor import Cursor, Passed, passed
from campaigns.events.feed import EVERY_TYPE, Feed, FeedEvent, Types
from campaigns.records.cloud_event import CloudEvent, events_of
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS
from projector.batch import Batch

TAKEN_MAX = 100  # Events that a reader takes at once: some 64 KiB.
# Readers are woken together, the more of them, the more rarely: each costs as much for ten events
# as for one (bench/feed.py).
REST_A_READER_S, REST_MAX_S = 0.000_1, 0.1


_LAST = CampaignDeleted.TYPE  # Of a campaign's events.
SIGN_S = 5.0  # How often readers are woken to see whether a sign of life is due.


class FellBehindError(Exception):
    """A reader was more events behind than are kept. It loses nothing: it resumes at its cursor."""


@dataclass(slots=True, eq=False)
class _Channel:
    """One feed's latest events, for all of its readers."""

    feed: Feed
    places: dict[int, Passed]  # After its last event, and at least as far as its first reader was.
    buffer_max: int
    first: int = 0  # The number of the first event that is kept.
    events: list[FeedEvent] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)  # Of these, as server-sent events.
    joined: dict[tuple[int, int], bytes] = field(default_factory=dict)  # For readers side by side.
    readers: set["TailReader"] = field(default_factory=set)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False  # The campaign was deleted: nothing else comes.
    waking: asyncio.TimerHandle | None = None

    @property
    def next(self) -> int:
        """Return the number of the next event."""
        return self.first + len(self.events)

    def put(self, event: CloudEvent, place: Passed) -> None:
        """Add an event: the oldest may have to go."""
        self.places[event.id.partition] = place
        self.over = self.over or (self.feed.campaign_id is not None and event.type == _LAST)
        found = FeedEvent(event, Cursor(dict(self.places)))
        self.events.append(found)
        self.frames.append(frame(found))
        self.joined.clear()

    def trim(self) -> None:
        """Forget what every reader has taken, and what is over the buffer."""
        taken = min((reader.at for reader in self.readers), default=self.next)
        gone = max(taken - self.first, len(self.events) - self.buffer_max)
        if gone > 0:
            self.first += gone
            del self.events[:gone], self.frames[:gone]
            self.joined.clear()

    def wake(self) -> None:
        """Wake all readers."""
        self.waking = None
        self.grown.set()
        self.grown = asyncio.Event()


class TailReader:
    """One reader of a feed's end."""

    def __init__(self, channel: _Channel) -> None:
        """Begin at the channel's end."""
        self._channel, self.at = channel, channel.next

    @property
    def cursor(self) -> Cursor:
        """Return where a reader is that has taken everything."""
        return Cursor(dict(self._channel.places))

    @property
    def waits(self) -> bool:
        """Say whether everything was taken."""
        return self.at == self._channel.next

    @property
    def over(self) -> bool:
        """Say whether everything was taken, and nothing else comes: the campaign was deleted."""
        return self._channel.over and self.waits

    async def grown(self) -> None:
        """Wait until there is something to take, or until the readers are woken for another reason.

        It may already be there, if the reader has not taken everything.
        """
        if self.waits:
            await self._channel.grown.wait()

    def take(self, types: Types = EVERY_TYPE, most: int = TAKEN_MAX) -> Sequence[FeedEvent]:
        """Return the wanted ones of the next events, at most `most`.

        Raises:
            FellBehindError: they are gone.

        """
        first, end = self._range(most)
        return [one for one in self._channel.events[first:end] if types.have(one.event.type)]

    def take_frames(self, types: Types = EVERY_TYPE) -> bytes:
        """Return the wanted ones of the next events as server-sent events.

        Raises:
            FellBehindError: they are gone.

        """
        channel = self._channel
        first, end = self._range(TAKEN_MAX)
        if types.names:
            some = zip(channel.events[first:end], channel.frames[first:end], strict=True)
            return b"".join(frame for one, frame in some if types.have(one.event.type))
        if (found := channel.joined.get((first, end))) is None:
            found = channel.joined[first, end] = b"".join(channel.frames[first:end])
        return found

    def _range(self, most: int) -> tuple[int, int]:
        channel = self._channel
        if self.at < channel.first:
            raise FellBehindError
        first = self.at - channel.first
        end = min(first + most, len(channel.events))
        self.at = channel.first + end
        return first, end


def frame(found: FeedEvent) -> bytes:
    """Return an event as a server-sent event, with the cursor after it."""
    event = found.event
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        str(found.cursor).encode(), event.type.encode(), event.body,
    )  # fmt: skip


class EventTail:
    """The feeds that somebody follows now."""

    def __init__(self, campaigns: Campaigns, buffer_max: int) -> None:
        """Store the bound: how many events a reader may be behind."""
        self._campaigns, self._buffer_max = campaigns, buffer_max
        self._channels: dict[Feed, _Channel] = {}
        self._signing: asyncio.TimerHandle | None = None

    @contextmanager
    def reading(self, feed: Feed, end: Cursor) -> Iterator[TailReader]:
        """Follow a feed: what is stored after this call. `end`: how far the views have come."""
        if self._signing is None:
            self._signing = asyncio.get_running_loop().call_later(SIGN_S, self._sign)
        channel = self._channels.get(feed)
        if channel is None:
            places = dict(end.by_partition)
            channel = self._channels[feed] = _Channel(feed, places, self._buffer_max)
        reader = TailReader(channel)
        channel.readers.add(reader)
        try:
            yield reader
        finally:
            channel.readers.discard(reader)
            if not channel.readers:
                if channel.waking is not None:
                    channel.waking.cancel()
                del self._channels[feed]
            if not self._channels and self._signing is not None:
                self._signing.cancel()
                self._signing = None

    @property
    def readers(self) -> int:
        """Return how many readers there are."""
        return sum(len(channel.readers) for channel in self._channels.values())

    def listened(self, recorded: Recorded) -> bool:
        """Say whether somebody follows a record's events."""
        return bool(self._channels) and any(
            self._of(campaign_id)
            for fact in recorded.facts
            if (campaign_id := getattr(fact, "campaign_id", None)) is not None
        )

    def _of(self, campaign_id: int) -> list[_Channel]:
        campaign = self._campaigns.get(campaign_id)
        if campaign is None:
            return []
        organization_id = campaign.created.organization_id
        feeds = Feed(organization_id), Feed(organization_id, campaign_id)
        return [self._channels[feed] for feed in feeds if feed in self._channels]

    def stored(self, batch: Batch) -> None:
        """Give a stored batch to those who follow its events."""
        if not self._channels:
            return
        touched = set[_Channel]()
        for recorded in batch.records:
            events = batch.events.get((recorded.partition, recorded.position))
            if events is None:  # Nobody followed it when it was folded.
                events = list(events_of(recorded)) if self.listened(recorded) else ()
            for event in events:
                place = passed(event.id, last=event is events[-1])
                for channel in self._of(event.campaign_id):
                    channel.put(event, place)
                    touched.add(channel)
        for channel in self._channels.values():
            for partition, checkpoint in batch.checkpoints.items():
                if partition.topic == CAMPAIGN_RECORDS and partition.number in channel.places:
                    channel.places[partition.number] = Passed(checkpoint.position)
        for channel in touched:
            channel.trim()
            if channel.waking is None:
                rest_s = min(REST_A_READER_S * len(channel.readers), REST_MAX_S)
                loop = asyncio.get_running_loop()
                channel.waking = loop.call_later(rest_s, channel.wake)

    def _sign(self) -> None:
        """Wake all readers: a sign of life may be due."""
        self._signing = asyncio.get_running_loop().call_later(SIGN_S, self._sign)
        for channel in list(self._channels.values()):
            channel.wake()
