"""What was acknowledged is what the fetch brings: else the log was cut."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from campaigns.kafka.consumer import Placed
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.process.errors import LogCutError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.testing.sample_records import FIRST


def fetched(*values: bytes, first: int = 0) -> list[SimpleNamespace]:
    """What Kafka's client gives: offset and value."""
    return [SimpleNamespace(offset=n, value=raw) for n, raw in enumerate(values, start=first)]


def placed(**at: bytes) -> Placed:
    return Placed({int(position.removeprefix("at")): raw for position, raw in at.items()})


def test_what_was_acknowledged_and_is_fetched_is_forgotten() -> None:
    ours = placed(at2=b"ours", at4=b"later")
    ours.check(FIRST, fetched(b"theirs", b"ours", b"theirs"), None)
    assert ours.raws == {4: b"later"}
    ours.check(FIRST, (), 3)
    ours.check(FIRST, fetched(b"later", b"more", first=3), None)
    assert not ours.raws


@pytest.mark.parametrize(
    ("messages", "end", "found"),
    [
        (fetched(b"theirs", b"another"), None, "another"),
        (fetched(b"theirs", first=5), None, "none"),
        ((), 2, "none"),
    ],
)
def test_what_was_acknowledged_and_is_gone_stops_the_followers(
    messages: list[SimpleNamespace], end: int | None, found: str
) -> None:
    """Brokers that lost it went on without it, and this process with it: two histories."""
    with pytest.raises(LogCutError, match=rf"campaign.records/0@2: .* found {found}: the log was"):
        placed(at2=b"ours").check(FIRST, messages, end)


async def test_a_follower_of_a_log_that_was_cut_is_stopped_behind_what_it_had() -> None:
    log = KafkaLog("127.0.0.1:1", 1)
    tail = log._fetcher.tails[FIRST]
    follower, _ = tail.join(0)
    await log._fetcher.leaders.verify(FIRST, None)
    log._fetcher.place(Recorded(FIRST, 0, b"ours", 1), 1)
    assert [one.raw for one in tail.take(follower, 9) or ()] == [b"ours"]
    tail.moved(follower, 1)
    log._fetcher.deliver(FIRST, fetched(b"another"), None)
    with pytest.raises(LogCutError):
        tail.take(follower, 9)


async def test_an_acknowledgement_on_a_new_connection_places_nothing() -> None:
    """The broker was away: earlier records may be others by now. The fetch finds out."""
    log = KafkaLog("127.0.0.1:1", 1)
    tail = log._fetcher.tails[FIRST]
    tail.join(0)
    log._fetcher.leaders.reading = lambda _: (1, "a connection")
    log._fetcher.place(Recorded(FIRST, 0, b"ours", 1), 1)
    assert tail.head == 0
    await log._fetcher.leaders.verify(FIRST, None)
    log._fetcher.place(Recorded(FIRST, 0, b"ours", 1), 1)
    assert tail.head == 1, "on the one that was verified"


class Paused:
    """A consumer that is only asked what it may fetch."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()

    def pause(self, at: TopicPartition) -> None:
        self.paused.add(at)

    def resume(self, at: TopicPartition) -> None:
        self.paused.discard(at)


async def test_a_partition_that_cannot_be_read_holds_up_no_other() -> None:
    log, consumer = KafkaLog("127.0.0.1:1", 2), Paused()
    log._fetcher.consumer = consumer
    first, second = (log._at[Partition(CAMPAIGN_RECORDS, number)] for number in (0, 1))
    log._fetcher.tails[FIRST].join(0)
    over = asyncio.Event()

    async def looked_at() -> None:
        await over.wait()

    log._fetcher.hold(first, looked_at())
    log._fetcher.hold(first, looked_at())  # Asked once, however often its fetch fails.
    await asyncio.sleep(0)
    assert consumer.paused == {first}, "the other is fetched meanwhile"
    assert second not in log._fetcher.held
    over.set()
    async with asyncio.timeout(20):
        while log._fetcher.held:
            await asyncio.sleep(0)
    assert not consumer.paused


async def test_a_partition_that_was_cut_is_not_fetched_again() -> None:
    log, consumer = KafkaLog("127.0.0.1:1", 1), Paused()
    log._fetcher.consumer = consumer
    log._fetcher.tails[FIRST].join(0)
    log._fetcher.tails[FIRST].fail(LogCutError("cut"))
    log._fetcher.hold(log._at[FIRST], asyncio.sleep(0))
    async with asyncio.timeout(20):
        while log._fetcher.held:
            await asyncio.sleep(0)
    assert consumer.paused == {log._at[FIRST]}
