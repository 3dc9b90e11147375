"""A broker that comes back without its last records, and takes others: no service reads on.

As after a power cut with one replica (Kafka does not sync before it acknowledges): the segment
ends earlier than it did.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.reader import Reader
from campaigns.process.errors import LogCutError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.testing.sample_records import close, some_record
from tests.support.broker import Broker
from tests.unit.campaigns.test_reader import Remembered

pytestmark = pytest.mark.kafka

READ, KEPT, PARTITIONS = 20, 8, 5
GROWN = {0: 3, 1: READ - KEPT, 2: 30, 3: 0}  # Less, as much, more; nothing. 4: not cut at all.
WHOLE = Partition(CAMPAIGN_RECORDS, 4)
CUT = [Partition(CAMPAIGN_RECORDS, number) for number in GROWN]
EVERY = [*CUT, WHOLE]


def cut(broker: Broker, partition: Partition, to: int) -> None:
    """End a partition's segment behind `to` records, while the broker is dead."""
    (folder,) = Path(broker.folder, "data").glob(f"{partition.topic}-{partition.number}")
    segment = folder / f"{0:020}.log"
    raw, place = segment.read_bytes(), 0
    while place < len(raw) and int.from_bytes(raw[place : place + 8]) < to:
        place += 12 + int.from_bytes(raw[place + 8 : place + 12])  # A batch: offset, length.
    assert place < len(raw), "there is something to cut"
    segment.write_bytes(raw[:place])
    for path in folder.iterdir():
        if path.suffix in (".index", ".timeindex", ".snapshot"):
            path.unlink()  # Rebuilt from the segment.


@asynccontextmanager
async def opened(broker: Broker) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(broker.servers, PARTITIONS)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def append(log: KafkaLog, partition: Partition, count: int, version: int) -> None:
    """Append records that count, one after the other."""
    for n in range(count):
        record, key = some_record(partition, PARTITIONS)
        condition = dict.fromkeys(record.condition, version + n)
        await log.append(partition, replace(record, condition=condition), key)


async def until_end(log: KafkaLog, partition: Partition, end: int) -> None:
    async with asyncio.timeout(60):
        while (await log.ends([partition]))[partition] < end:
            await asyncio.sleep(0.05)


async def behind(log: KafkaLog, partition: Partition) -> Sequence[Recorded]:
    """Follow from the start; return what is given first behind what had been read."""
    found, batches = list[Recorded](), log.batches(partition, 0)
    try:
        async for batch in batches:
            found += [one for one in batch if one.position > len(found)]
            if len(found) == READ:
                read[partition].set()
            if len(found) > READ:
                return found[READ:]
    finally:
        await close(batches)
    raise AssertionError("a log is followed for ever")


read: dict[Partition, asyncio.Event] = {}


async def test_who_follows_and_who_begins_again_are_stopped_and_others_go_on(
    broker: Broker,
) -> None:
    async with opened(broker) as log:
        await scenario(broker, log)


async def scenario(broker: Broker, log: KafkaLog) -> None:
    reader = Reader(log, Remembered())
    read.update({partition: asyncio.Event() for partition in EVERY})
    following = {one: asyncio.create_task(behind(log, one)) for one in EVERY}
    reading = asyncio.create_task(reader.follow(EVERY))
    for partition in EVERY:
        await append(log, partition, KEPT, 0)
        await until_end(log, partition, KEPT)  # What comes now is another batch.
        await append(log, partition, READ - KEPT, KEPT)
    async with asyncio.timeout(60):
        for partition in EVERY:
            await read[partition].wait()
            await reader.reached(partition, READ)
    reading.cancel()
    await asyncio.wait([reading])

    consumer = log._fetcher.consumer
    assert consumer is not None
    consumer.pause(*log._at.values())  # It is slower than those who write meanwhile.
    broker.kill()
    for partition in CUT:
        cut(broker, partition, KEPT)
    broker.start()
    async with opened(broker) as other:
        for partition in CUT:
            await append(other, partition, GROWN[partition.number], KEPT)
            await until_end(other, partition, KEPT + GROWN[partition.number])
        await append(other, CUT[1], 1, READ)  # The very next place after what was read.
        await append(other, WHOLE, 1, READ)
        await until_end(other, CUT[1], READ + 1)
        consumer.resume(*(log._at[one] for one in EVERY))

        async with asyncio.timeout(60):
            (given,) = await following[WHOLE]
            assert given.position == READ + 1, "a partition that lost nothing goes on"
            for partition in CUT:
                with pytest.raises(LogCutError, match=str(partition)):
                    await following[partition]
        for partition in EVERY:
            again = Reader(other, Remembered(), {partition: reader.ledger(partition)})
            again.positions[partition] = READ
            again.chains[partition] = reader.chain(partition)
            if partition == WHOLE:
                await again.check()
            else:
                with pytest.raises(LogCutError, match=str(partition)):
                    await again.check()
