"""A log moves to Kafka, with other partitions, and back; an interrupted import starts nobody."""

from functools import partial
from pathlib import Path

import pytest

from campaigns.audit.transfer.import_kafka import import_kafka
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.installation_log import whole
from campaigns.process.errors import LogCutError, TopicMisfitError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.testing.sample_records import some_record
from tests.support.exported import imported, opened, planned, written
from tests.support.mixed_log import PARTITIONS, mixed_log
from tests.support.on_kafka import opened as on_kafka

pytestmark = pytest.mark.kafka
ONE = Partition(CAMPAIGN_RECORDS, 1)


class InterruptionError(Exception):
    """As good as a kill: nothing after it runs."""


async def brought(path: Path, servers: str, namespace: str, partitions: int, stop: int = -1) -> int:
    """Import an export; end in the middle once `stop` records were handed over."""
    count = 0

    def seen(more: int) -> None:
        nonlocal count
        count += more
        if count == stop:
            raise InterruptionError

    make = partial(
        KafkaLog, servers, partitions, namespace=namespace, read_only=True, importing=True
    )
    async with planned(path, partitions) as plan:
        return await import_kafka(plan, make, None, seen)


async def test_a_log_moves_to_kafka_and_back(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    first = await written(await mixed_log(), tmp_path / "first")
    with pytest.raises(InterruptionError):
        await brought(first, kafka_servers, namespace, 2, stop=9)
    with pytest.raises(TopicMisfitError, match="found an import that was interrupted"):
        async with on_kafka(kafka_servers, namespace, 2):
            pass
    other = await written(await mixed_log(skips=False), tmp_path / "other")
    with pytest.raises(LogCutError, match="expected the record of this export"):
        await brought(other, kafka_servers, namespace, 2)
    await brought(first, kafka_servers, namespace, 2)  # Goes on where it ended.
    async with on_kafka(kafka_servers, namespace, 2) as log:
        assert (await whole(log)).level > 1
        second = await written(log, tmp_path / "second")
        await log.append(ONE, *some_record(ONE, 2))  # It takes records now.
    with pytest.raises(TopicMisfitError, match="found a log with records"):
        await brought(first, kafka_servers, namespace, 2)
    async with on_kafka(kafka_servers, namespace, 2):  # And was left as it was.
        pass
    async with imported(second, tmp_path / "log.db", PARTITIONS) as log:
        third = await written(log, tmp_path / "third")
    async with opened(first) as was, opened(second) as moved, opened(third) as back:
        assert was.campaigns == moved.campaigns == back.campaigns


async def test_as_many_partitions_have_the_same_bytes(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    first = await written(await mixed_log(), tmp_path / "first")
    await brought(first, kafka_servers, namespace, PARTITIONS)
    async with on_kafka(kafka_servers, namespace, PARTITIONS) as log:
        second = await written(log, tmp_path / "second")
    assert first.read_bytes().splitlines()[1:-1] == second.read_bytes().splitlines()[1:-1]
