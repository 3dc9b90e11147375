"""The Kafka adapters against a real broker that is killed, frozen and written to by strangers."""

import asyncio
import contextlib
import gc
import random
import sys
import time
from collections.abc import Awaitable

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from campaigns.kafka.events import KafkaEvents
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.reader import Reader
from campaigns.process.errors import (
    ContractError,
    EventsCutError,
    LogCutError,
    LogUnavailableError,
)
from campaigns.records.topics import (
    CAMPAIGN_EVENTS,
    CAMPAIGN_RECORDS,
    ORGANIZATION_RECORDS,
    campaign_partitions,
)
from campaigns.testing.sample_records import close
from tests.support.broker import Broker
from tests.support.on_kafka import PARTITION, Folded, following, opened, paused
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


async def told(log: KafkaLog, raw: bytes | None, key: bytes | None) -> None:
    """Write as a stranger does."""
    stranger = AIOKafkaProducer(bootstrap_servers=log.kafka.servers)
    await stranger.start()
    try:
        topic = log.kafka.topic(CAMPAIGN_RECORDS)
        await stranger.send_and_wait(topic, raw, key=key, partition=PARTITION.number)
    finally:
        await stranger.stop()


async def test_without_a_broker_open_gives_up_in_time() -> None:
    log = KafkaLog("127.0.0.1:1", open_s=0.5)
    with pytest.raises(LogUnavailableError, match="expected Kafka at"):
        await log.open()
    await log.close()


async def test_a_second_process_sees_the_same(kafka_servers: str, namespace: str) -> None:
    async with opened(kafka_servers, namespace) as log:
        for number in range(5):
            await log.append(PARTITION, paused(number), 42)
        async with following(log, PARTITION) as (reader, fold):
            await until(lambda: reader.positions.get(PARTITION) == 5)
        script = (
            "import asyncio, sys\n"
            "from campaigns.kafka.kafka_log import KafkaLog\n"
            "from campaigns.records.topics import Partition\n"
            "async def main():\n"
            "    log = KafkaLog(sys.argv[1], 3, namespace=sys.argv[2])\n"
            "    await log.open()\n"
            "    found = await log.read(Partition('campaign.records', 0), 0, 99)\n"
            "    print([one.envelope.id for one in found])\n"
            "    await log.close()\n"
            "asyncio.run(main())\n"
        )
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, kafka_servers, namespace, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await other.communicate()
        assert printed.decode().strip() == str(fold.ids) == str([f"r{n}" for n in range(5)])


async def test_what_strangers_write_is_foreign_and_harmless(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, namespace) as log, following(log, PARTITION) as (reader, fold):
        await log.append(PARTITION, paused(0), 42)
        await until_read(log, 1)  # Taken is not there yet: a stranger could be first.
        for raw, key in [
            (None, b"42"), (b"", None), (b"\xff\xfe", b"\x00"), (b"[]", b"no number"),
            (b"{" * 5000, b"42"), (b'{"dialgate": true}', b"42"),
        ]:  # fmt: skip
            await told(log, raw, key)
        await log.append(PARTITION, paused(1), 42)
        await until(lambda: len(fold.ids) == 2)
        assert reader.counts.foreign == 6
        assert [one.raw for one in await log.read(PARTITION, 1, 2)] == [None, b""]


async def test_offsets_without_a_record_hold_nobody_up(kafka_servers: str, namespace: str) -> None:
    """A stranger's transaction ends in a control batch, which has an offset and is never read."""
    async with opened(kafka_servers, namespace) as log, following(log, PARTITION) as (reader, fold):
        await log.append(PARTITION, paused(0), 42)
        await until_read(log, 1)
        stranger = AIOKafkaProducer(bootstrap_servers=kafka_servers, transactional_id=namespace)
        await stranger.start()
        async with stranger.transaction():
            topic = log.kafka.topic(CAMPAIGN_RECORDS)
            await stranger.send_and_wait(topic, b"{}", partition=PARTITION.number)
        await stranger.stop()
        await until(lambda: reader.positions[PARTITION] == 3)
        await reader.catch_up([PARTITION], within_s=20)
        assert len(await log.read(PARTITION, 0, 99)) == 3
        await log.append(PARTITION, paused(1), 42)
        await until(lambda: fold.ids == ["r0", "r1"])


async def test_a_record_of_a_later_rule_stops_the_reader_behind_those_before(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, namespace) as log:
        await log.append(PARTITION, paused(0), 42)
        await until_read(log, 1)
        await told(log, b'{"dialgate": 99}', b"42")
        fold = Folded()
        with pytest.raises(ExceptionGroup) as stopped:
            await Reader(log, fold).follow([PARTITION])
        assert stopped.group_contains(ContractError, match=r"campaign\.records/0@2")
        assert fold.ids == ["r0"]
        assert len(await log.read(PARTITION, 0, 9)) == 2


async def test_a_log_that_was_cut_stops_its_readers(kafka_servers: str, namespace: str) -> None:
    async with opened(kafka_servers, namespace) as log:
        for number in range(4):
            await log.append(PARTITION, paused(number), 42)
        await until_read(log, 4)
        with pytest.raises(LogCutError, match="expected at least 5"):
            await anext(log.batches(PARTITION, 5))
        admin = log.kafka.admin()
        await admin.start()
        at = TopicPartition(log.kafka.topic(CAMPAIGN_RECORDS), PARTITION.number)
        await admin.delete_records({at: RecordsToDelete(2)})
        await admin.close()
        with pytest.raises(LogCutError, match="begins after 2"):
            await anext(log.batches(PARTITION, 0))
        with pytest.raises(LogCutError):
            await log.read(PARTITION, 0, 9)
        assert (await anext(log.batches(PARTITION, 2)))[0].position == 3


async def until_read(log: KafkaLog, position: int) -> None:
    async with asyncio.timeout(30):
        while (await log.ends([PARTITION]))[PARTITION] < position:
            await asyncio.sleep(0.01)


async def test_followers_of_one_process_share_each_record(
    kafka_servers: str, namespace: str
) -> None:
    """A reader that starts late, or is slow, reads alone and joins the others again."""
    async with opened(kafka_servers, namespace) as log:
        first, second = log.batches(PARTITION, 0), log.batches(PARTITION, 0)
        waiting = [asyncio.ensure_future(anext(one)) for one in (first, second)]
        await until(lambda: len(log._fetcher.tails[PARTITION].followers) == 2)
        await log.append(PARTITION, paused(0), 42)
        one, other = await asyncio.gather(*waiting)
        assert one[0] is other[0]
        for number in range(1, 300):
            await log.append(PARTITION, paused(number), 42)
        seen = [one[0].position]
        while seen[-1] < 300:
            seen += [recorded.position for recorded in await anext(first)]
        assert seen == list(range(1, 301))
        late, places = log.batches(PARTITION, 0), list[int]()
        while len(places) < 300:
            places += [recorded.position for recorded in await anext(late)]
        assert places == seen
        await log.append(PARTITION, paused(300), 42)
        assert (await anext(first))[0] is (await anext(late))[0]
        for batches in (first, second, late):
            await close(batches)


async def test_a_killed_broker_loses_nothing_and_repeats_nothing(
    broker: Broker, namespace: str
) -> None:
    async with (
        opened(broker.servers, namespace) as log,
        following(log, *campaign_partitions(3)) as (reader, fold),
    ):
        offered, untaken, stopping = 0, 0, asyncio.Event()

        async def write() -> None:
            nonlocal offered, untaken
            while not stopping.is_set():
                try:
                    await log.append(PARTITION, paused(offered), 42)
                    offered += 1
                except LogUnavailableError:
                    untaken += 1
                await asyncio.sleep(0.005)

        writing = asyncio.create_task(write())
        await until(lambda: len(fold.ids) > 50)
        await asyncio.to_thread(broker.kill)
        before = len(fold.ids)
        await asyncio.sleep(3.0)
        await asyncio.to_thread(broker.start)
        await until(lambda: len(fold.ids) > before + 50)
        stopping.set()
        await writing
        await until(lambda: len(fold.ids) == offered)
        # Each rests on the one before: all accepted means in order, none twice, none lost.
        assert fold.ids == [f"r{number}" for number in range(offered)]
        assert reader.counts.refused == 0
        assert log.unacknowledged == 0


async def test_a_frozen_broker_is_told_in_time(broker: Broker, namespace: str) -> None:
    log = KafkaLog(broker.servers, 3, namespace=namespace, ends_s=1.0)
    await log.open()
    async with following(log, PARTITION) as (reader, fold):
        await log.append(PARTITION, paused(0), 42)
        await until(lambda: len(fold.ids) == 1)
        broker.freeze()
        try:
            await asyncio.gather(*(late(log.ends([PARTITION]), LATE_S) for _ in range(3)))
            await late(log.read(PARTITION, 0, 1), LATE_S)
            await log.append(PARTITION, paused(1), 42)  # Taken: it may appear, and it does.
            await until(lambda: "has not acknowledged" in "".join(log.troubles([CAMPAIGN_RECORDS])))
            assert not log.troubles([ORGANIZATION_RECORDS])
        finally:
            broker.thaw()
        await until(lambda: len(fold.ids) == 2)
        await reader.catch_up([PARTITION], within_s=20)
        assert not log.troubles([CAMPAIGN_RECORDS])
        broker.freeze()
        began = time.monotonic()
        await log.append(PARTITION, paused(2), 42)
    await log.close()
    assert time.monotonic() - began < 30, "close() must not hang"
    broker.thaw()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_log_is_closed_quietly_while_no_broker_answers(
    broker: Broker, namespace: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the client was sending again was failed under its hands: tracebacks at each stop."""
    log = KafkaLog(broker.servers, 3, namespace=namespace)
    await log.open()
    await log.append(PARTITION, paused(0), 42)
    await until_read(log, 1)
    broker.kill() if how == "killed" else broker.freeze()
    await log.append(PARTITION, paused(1), 42)
    await asyncio.sleep(6.0)  # Longer than a request may take: it is sent again.
    began = time.monotonic()
    await log.close()
    assert time.monotonic() - began < 30, "close() must not hang"
    gc.collect()  # Raises what no task has awaited.
    assert not [one for one in caplog.records if one.name == "asyncio" or one.exc_info]


LATE_S = 5.0  # A second that it is given, and what busy cores may add.


async def late(asked: Awaitable[object], within_s: float) -> None:
    began = time.monotonic()
    with pytest.raises(LogUnavailableError):
        await asked
    assert time.monotonic() - began < within_s


async def test_what_comes_by_its_acknowledgement_stands_where_everybody_finds_it(
    kafka_servers: str, namespace: str
) -> None:
    """Two processes and a stranger write to one partition at once (ADR-0013)."""
    each, chance = 150, random.Random(1)
    async with opened(kafka_servers, namespace) as one, opened(kafka_servers, namespace) as other:

        async def write(log: KafkaLog, name: int) -> None:
            for number in range(each):
                await log.append(PARTITION, paused(name + number), 42)
                if chance.random() < 0.5:  # Now and then the others have time to read.
                    await asyncio.sleep(chance.random() * 0.01)

        async def read_all(log: KafkaLog) -> list[tuple[int, bytes | None]]:
            batches, found = log.batches(PARTITION, 0), list[tuple[int, bytes | None]]()
            while len(found) < 2 * each + 1:
                found += [(entry.position, entry.raw) for entry in await anext(batches)]
            await close(batches)
            return found

        async with asyncio.timeout(30):
            first, second, *_ = await asyncio.gather(
                read_all(one), read_all(other), write(one, 0), write(other, 1000),
                told(one, b"a stranger's", b"42"),
            )  # fmt: skip
        there = [(entry.position, entry.raw) for entry in await one.read(PARTITION, 0, 999)]
    assert first == second == there
    assert [position for position, _ in there] == list(range(1, 2 * each + 2))
    for log in (one, other):
        assert 0 < log._fetcher.placed <= each, "vacuous: none came by its acknowledgement"


async def test_events_are_published_in_order_and_the_last_is_found(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, namespace) as log:
        events = KafkaEvents(log.kafka)
        assert await events.last_event(1) is None
        for number in range(0, 25, 5):
            await events.publish(1, [(b"42", b"%d" % n) for n in range(number, number + 5)])
        assert await events.last_event(1) == b"24"
        assert await events.last_event(2) is None
        await events.close()


async def test_a_topic_of_events_that_is_made_anew_has_another_id_and_is_noticed(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, namespace) as log:
        events, topic = KafkaEvents(log.kafka), log.kafka.topic(CAMPAIGN_EVENTS)
        assert await events.last_event(1) is None
        await events.publish(1, [(b"42", b"%d" % n) for n in range(5)])
        before = await events.topic_id()
        assert before
        assert before == await events.topic_id()
        admin = log.kafka.admin()
        await admin.start()
        await admin.delete_topics([topic])
        async with asyncio.timeout(30):
            while (await admin.create_topics([NewTopic(topic, 3, 1)])).topic_errors[0][1]:
                await asyncio.sleep(0.05)  # It is still being deleted.
        await admin.close()
        after = before
        async with asyncio.timeout(30):
            while after == before:
                with contextlib.suppress(LogUnavailableError):
                    after = await events.topic_id()
                await asyncio.sleep(0.05)
        told: EventsCutError | None = None
        async with asyncio.timeout(30):
            while told is None:
                try:
                    await events.publish(1, [(b"42", b"5")])
                except EventsCutError as exc:
                    told = exc
                except LogUnavailableError:
                    await asyncio.sleep(0.05)  # The producer has not heard of it yet.
        assert "expected offset 5 or later, found 0: it was made anew" in str(told)
        await events.close()
