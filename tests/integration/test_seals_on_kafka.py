"""A seal finds what was done to a log on Kafka: the same records in other topics, but for one."""

import pytest

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.lifecycle import start, stop_producer
from tests.support.on_kafka import opened
from tests.support.seals import FIRST, differences, log_of, raws, sealed

pytestmark = pytest.mark.kafka
RECORDS = raws(120)
# What stands in the topic instead, and where it first differs.
TAMPERED = {
    "as sealed": (RECORDS, None),
    "flipped": ((*RECORDS[:6], RECORDS[6].replace(b"test", b"tesT"), *RECORDS[7:]), 7),
    "a foreign one replaced": ((*RECORDS[:99], b"foreign 98", *RECORDS[100:]), 100),
    "dropped": ((*RECORDS[:6], *RECORDS[7:]), 7),
    "repeated": ((*RECORDS[:6], *RECORDS[5:]), 7),
    "moved": ((*RECORDS[:6], RECORDS[8], RECORDS[7], RECORDS[6], *RECORDS[9:]), 7),
    "truncated": (RECORDS[:110], 111),
}


async def rewritten(log: KafkaLog, some: tuple[bytes, ...]) -> None:
    producer = await start(log.kafka.producer(), stop_producer)
    try:
        for raw in some:
            await producer.send(log.kafka.topic(FIRST.topic), raw, key=b"1", partition=0)
        await producer.flush()
    finally:
        await stop_producer(producer)


async def test_what_is_done_to_topics_is_found_and_placed(
    kafka_servers: str, namespace: str
) -> None:
    async with opened(kafka_servers, f"{namespace}sealed.", 1) as log:
        await rewritten(log, RECORDS)
        lines = await sealed(log)
    assert await differences(log_of(RECORDS), lines) == [], "a copy has the same bytes"
    for number, (some, place) in enumerate(TAMPERED.values()):
        async with opened(kafka_servers, f"{namespace}{number}.", 1) as log:
            await rewritten(log, some)
            found = [at for at, _ in await differences(log, lines)]
        assert found == ([] if place is None else [f"{FIRST}@{place}"])
