"""A stream's signs of life: the place that they name is past no event that is still to come."""

import asyncio

from campaigns.events.cursor import Cursor, Passed
from campaigns.events.feed import Feed, Types
from campaigns.process.virtual_time import run_virtually
from campaigns.records.cloud_event import CloudEvent, EventId
from projector.feeds.event_stream import Following, _live
from projector.feeds.event_tail import TAKEN_MAX, TailReader, _Channel

WANTED = "campaign-paused.v1"


def put(channel: _Channel, position: int, tag: str) -> None:
    event = CloudEvent(EventId(0, position, 0), 1, tag, b"{}")
    channel.put(event, Passed(position))


def test_a_sign_of_life_does_not_pass_over_what_is_not_told_yet() -> None:
    """Its client resumes there if the stream is cut, after many events that it does not want."""

    async def scenario() -> None:
        channel = _Channel(Feed(1), {0: Passed()}, 10 * TAKEN_MAX)
        reader = TailReader(channel)
        channel.readers.add(reader)
        last = 3 * TAKEN_MAX
        for position in range(1, last):
            put(channel, position, "call-ended.v1")
        put(channel, last, WANTED)
        following = Following(Feed(1), Cursor(), Types(frozenset({WANTED})), lambda: False)
        told = False
        async for chunk, cursor in _live(reader, following):
            told = told or WANTED.encode() in chunk
            assert told or cursor[0].position < last, "it would be lost"
            if not chunk:
                assert cursor[0].position == last, "and then it is passed"
                break
            await asyncio.sleep(0)
        assert told

    run_virtually(scenario())
