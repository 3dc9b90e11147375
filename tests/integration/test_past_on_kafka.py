"""The past and the present of a log on a real broker: `as_of`, `state --as-of`, `log --follow`."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.lifecycle import start, stop_producer
from campaigns.process.errors import LogCutError
from campaigns.records.topics import TOPICS
from dialgate.__main__ import cli
from dialgate.settings import ProcessSettings
from dialgate.verbs.history.log import LogView, log
from dialgate.verbs.inspection.state import StateQuery, state
from projector.projections import records
from tests.integration.test_kafka_topics import deleted
from tests.integration.test_projector import ONE, serving
from tests.integration.test_time_travel import HERE, answer, own, paths, shown_at, time_of, told
from tests.support.journal import Journal
from tests.support.on_kafka import opened
from tests.support.system import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def copied(journal: Journal, servers: str, namespace: str) -> AsyncIterator[KafkaLog]:
    """Write the journal's records, whatever they are, to topics; yield the log there."""
    async with opened(servers, namespace, 1) as there:
        producer = await start(there.kafka.producer(), stop_producer)
        try:
            for one in journal.log._records[HERE]:
                await handed(producer, there, one.raw or b"")
            await producer.flush()
        finally:
            await stop_producer(producer)
        yield there


async def handed(producer: AIOKafkaProducer, there: KafkaLog, raw: bytes) -> None:
    await producer.send(there.kafka.topic(HERE.topic), raw, key=b"1", partition=0)


def settings(folder: Path, servers: str, namespace: str) -> ProcessSettings:
    return ProcessSettings(
        data_dir=folder, kafka_servers=servers, kafka_namespace=namespace, partitions=1
    )


async def test_the_past_on_kafka_is_that_of_the_same_records_elsewhere(
    kafka_servers: str,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(records, "BLOCK", 5)
    monkeypatch.setattr(records, "SNAPSHOT_EVERY", 7)
    journal = told(21)
    chance, mine = random.Random(4), own(journal)
    there = settings(tmp_path / "kafka", kafka_servers, namespace)
    for name in ("memory", "kafka"):
        (tmp_path / name).mkdir()

    async def printed(as_of: str) -> Any:  # Any: JSON.
        capsys.readouterr()
        await state(there, StateQuery(1, as_of, contacts=True, as_json=True, reveal=True))
        return orjson.loads(capsys.readouterr().out)

    async with (
        copied(journal, kafka_servers, namespace) as on_kafka,
        serving(journal.log, tmp_path / "memory") as then,
        serving(on_kafka, tmp_path / "kafka") as now,
    ):
        for one in chance.sample(mine, 5):
            by_time = 200 if shown_at(journal, time_of(one)) else 422
            for as_of, status in (
                (f"0@{one.position}", 200), (time_of(one).isoformat(), by_time),
            ):  # fmt: skip
                for path in paths(chance):
                    expected = await answer(then, path, as_of)
                    assert expected[0] == status
                    assert await answer(now, path, as_of) == expected, (as_of, path)
        last = mine[-1].position
        ahead = (await answer(now, "", f"0@{last + 10**6}"))[2]["detail"][0]["msg"]
        assert "lies ahead of the log" in ahead
        points = [f"0@{mine[n].position}" for n in (1, len(mine) // 2, -1)]
        from_store = [await printed(as_of) for as_of in points]
        for as_of, shown in zip(points, from_store, strict=True):
            assert (
                shown["contacts"]
                == (await now.get(f"{ONE}/contacts", params={"as_of": as_of})).json()["items"]
            )
    (tmp_path / "kafka" / "projector.db").rename(tmp_path / "aside.db")
    assert [await printed(as_of) for as_of in points] == from_store


async def test_following_a_log_on_kafka_shows_what_comes_and_ends_when_it_is_another(
    kafka_servers: str, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, shown = Journal(), list[Any]()
    journal.create()

    def at_least(number: int) -> Callable[[], bool]:
        def there() -> bool:
            shown.extend(map(orjson.loads, capsys.readouterr().out.splitlines()))
            return len(shown) >= number

        return there

    async with copied(journal, kafka_servers, namespace) as there:
        producer = await start(there.kafka.producer(), stop_producer)
        view = LogView(as_json=True, follow=True)
        following = asyncio.create_task(log(settings(tmp_path, kafka_servers, namespace), view))
        try:
            await until(at_least(1))
            await handed(producer, there, journal.start().raw or b"")
            await until(at_least(2))
            await handed(producer, there, journal.refused().raw or b"")
            await handed(producer, there, b"strange")
            await until(at_least(4))
            await deleted(kafka_servers, [f"{namespace}{topic.name}" for topic in TOPICS])
            async with copied(journal, kafka_servers, namespace) as other:  # Other bytes there.
                await handed(producer, other, journal.start(run=2).raw or b"")
                await handed(producer, other, b"longer than what was read: it is looked at again")
                with pytest.raises(LogCutError, match="was cut, or made again"):
                    async with asyncio.timeout(30):
                        await following
        finally:
            following.cancel()
            await stop_producer(producer)
    rulings = [one["ruling"] for one in shown]
    assert rulings == ["accepted", "accepted", "refused", "foreign"]
    assert [one["at"] for one in shown] == [f"{HERE}@{n}" for n in (1, 2, 3, 4)]


def test_brokers_that_do_not_answer_are_one_sentence(tmp_path: Path) -> None:
    environment = {
        "DIALGATE_DATA_DIR": str(tmp_path),
        "DIALGATE_KAFKA_OPEN_S": "1",
        "DIALGATE_KAFKA_SERVERS": f"127.0.0.1:{free_port()}",
    }
    told = CliRunner().invoke(cli, ["log", "--follow"], env=environment)
    (line,) = told.output.splitlines()
    assert told.exit_code == 2
    assert "expected Kafka at 127.0.0.1:" in line
