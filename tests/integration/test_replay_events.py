"""`dialgate replay-events`: the events of campaign.events once more, wherever they are wanted."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from aiokafka.admin import NewTopic
from typer.testing import CliRunner

from campaigns.audit.event_history import cursor_of
from campaigns.domain.facts import Disposition
from campaigns.kafka.events import KafkaEvents
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import CAMPAIGN_EVENTS, TOPICS
from campaigns.testing.sample_records import NOON
from dialgate.__main__ import cli
from dialgate.events.pace import Pace
from dialgate.settings import ProcessSettings
from dialgate.verbs.replay_events import Replay, Wanted, replay_events
from projector.advance import Views
from projector.store.tables import OUTBOX
from projector.store.view_store import ViewStore
from tests.support.journal import Journal, every_partition
from tests.support.log_file import write_log
from tests.support.receiver import SECRET, receiving
from tests.support.subscriber import whole_topic

CAMPAIGNS = (1, 2, 3)


def history() -> Journal:
    """Return a log of two partitions with lists, and records that do not count."""
    journal = Journal(partitions=2)
    for campaign_id in CAMPAIGNS:
        journal.create(campaign_id, contacts=4)
        journal.start(campaign_id)
        for contact_id in range(1, 4):
            journal.call(contact_id, Disposition.BUSY, campaign_id=campaign_id)
            journal.refused(campaign_id)
    journal.replace(4, 2)
    journal.log.append_bytes(every_partition(journal)[0], b"garbage")
    return journal


def published(journal: Journal, folder: Path) -> list[bytes]:
    """Return what the projector publishes of a log: by time, as no two records have the same."""
    store = ViewStore(None, folder)
    store.belongs_to(journal.log.id, publishes=True)
    views = Views(store, journal.log, True, lambda key: None)
    views.restore(every_partition(journal))
    for partition in every_partition(journal):
        if records := journal.log._records[partition]:
            views.reader.step(partition, records)
    rows = store.dump([OUTBOX])[OUTBOX.name]
    store.close()
    events = [event for *_, event in rows]
    return sorted(events, key=lambda event: str(orjson.loads(event)["time"]))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Write the history where the settings look; return its events."""
    monkeypatch.setenv("DIALGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DIALGATE_KAFKA_SERVERS", raising=False)
    journal = history()
    write_log(journal, tmp_path / "data")
    return published(journal, tmp_path)


def run(*arguments: str, status: int = 0) -> tuple[bytes, str]:
    """Run the verb; return what it prints."""
    done = CliRunner().invoke(cli, ["replay-events", *arguments])
    assert done.exit_code == status, done.output
    return done.stdout_bytes, done.stderr


def lines(*arguments: str) -> list[bytes]:
    return run(*arguments)[0].splitlines()


def test_they_are_what_the_projector_publishes_byte_for_byte(log: list[bytes]) -> None:
    assert len(log) == 35, "a list is no event, nor is what did not count"
    assert lines() == log
    assert not [event for event in log if b"+1555" in event], "contact lists stay inside"


def test_an_export_of_the_log_has_the_same_events(log: list[bytes], tmp_path: Path) -> None:
    export = str(tmp_path / "all.export")
    assert CliRunner().invoke(cli, ["export", export]).exit_code == 0
    assert lines("--from", export) == log


def test_one_campaign_one_type_one_day(log: list[bytes]) -> None:
    loaded = [orjson.loads(event) for event in log]
    of_two = [event for event in log if orjson.loads(event)["data"]["campaign_id"] == 2]
    assert lines("--campaign", "2") == of_two
    calls = ["call-started.v1", "call-ended.v1"]
    wanted = [raw for raw, one in zip(log, loaded, strict=True) if one["type"] in calls]
    assert lines("--type", "call-started.v1", "--type", "call-ended") == wanted
    assert 0 < len(wanted) < len(log)
    at = NOON + timedelta(seconds=10)
    since = [raw for raw, one in zip(log, loaded, strict=True) if one["time"] >= at.isoformat()]
    assert lines("--since", at.isoformat()) == since
    assert lines("--until", at.isoformat()) + since == log


def test_after_each_cursor_come_exactly_the_others(log: list[bytes]) -> None:
    cursor = ""
    for n in range(1, 5):
        until = (NOON + timedelta(seconds=10 * n)).isoformat()
        after = ("--after", cursor) if cursor else ()
        some, told = run("--until", until, "--json", *after)
        cursor = orjson.loads(told.splitlines()[-1])["after"]
        assert lines(*after) == some.splitlines() + lines("--after", cursor)
    assert cursor_of(cursor).keys() == {0, 1}
    assert lines("--after", cursor) == log[-len(lines("--after", cursor)) :]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--after", "0@x"), "expected a cursor such as 0@812/0"),
        (("--speed", "0"), "--speed: expected a number above 0 or max, found 0"),
        (("--speed", "nan"), "--speed: expected a number above 0 or max, found nan"),
        (("--since", "noon"), "--since: expected an instant such as"),
        (("--type", "campaign-pausd"), "the nearest is campaign-paused"),
        (("--campaign", "99"), "there is no campaign 99 in the log"),
        (("--to", "http://127.0.0.1/"), "DIALGATE_WEBHOOK_SECRET: expected the secret"),
        (("--to", "kafka:mine"), "and DIALGATE_KAFKA_SERVERS"),
        (("--to", "no/such/folder/file"), "No such file or directory"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    log: list[bytes], arguments: Sequence[str], sentence: str
) -> None:
    out, told = run(*arguments, status=2)
    assert out == b""
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_a_cursor_behind_the_end_is_of_another_log(log: list[bytes]) -> None:
    for cursor in ("0@9999/0", "7@1/0"):
        assert "the cursor is of another log" in run("--after", cursor, status=1)[1]


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
@pytest.mark.parametrize("prefix", ["", "other."])
def test_nothing_is_ever_replayed_into_a_topic_of_dialgates_own(
    log: list[bytes], monkeypatch: pytest.MonkeyPatch, topic: str, prefix: str
) -> None:
    """Not into that of another namespace either: it would be another system's own."""
    monkeypatch.setenv("DIALGATE_KAFKA_SERVERS", "127.0.0.1:1")
    settings = ProcessSettings(data_dir=Path("nowhere"))
    told = asyncio.run(refused(f"kafka:{prefix}{topic}", settings))
    assert told == (
        f"--to: expected a topic that no Dialgate writes, found {prefix}{topic}: what is replayed"
        f" must not mix with {topic}, whatever is put before its name"
    )


async def refused(to: str, settings: ProcessSettings) -> str:
    from dialgate.events.event_targets import target
    from dialgate.verbs.verb import MisusedError

    with pytest.raises(MisusedError) as told:
        async with target(to, settings, SystemClock(), lambda _: None):
            pass
    return str(told.value)


def test_a_file_is_there_whole_or_not_at_all(log: list[bytes], tmp_path: Path) -> None:
    """Killed in the middle, it leaves no file; the next writes it whole."""
    file = tmp_path / "events.jsonl"
    command = [sys.executable, "-m", "dialgate", "replay-events", "--to", str(file)]
    with subprocess.Popen([*command, "--speed", "4"], env=os.environ) as process:
        while not (partial := tmp_path / "events.jsonl.partial").exists():
            assert process.poll() is None
        while partial.stat().st_size == 0:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not file.exists()
    assert run("--to", str(file))[0].startswith(b"35 events delivered; to go on from here: ")
    assert file.read_bytes().splitlines() == log
    assert sorted(one.name for one in tmp_path.glob("events*")) == ["events.jsonl"]
    assert file.stat().st_mode & 0o077 == 0


async def test_a_webhook_gets_each_in_order_signed(
    log: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever its receiver does meanwhile; and the secret is printed nowhere."""
    for name, value in {"PRIVATE": "true", "SECRET": SECRET, "RETRY_WAIT_S": "0.01"}.items():
        monkeypatch.setenv(f"DIALGATE_WEBHOOK_{name}", value)
    clock = SystemClock()
    replay = Replay(Pace(None, 60.0), clock, {})
    async with receiving("503", "200", "500", "reset", "200") as receiver:
        settings = ProcessSettings(data_dir=tmp_path / "data")
        await replay_events(settings, receiver.url, replay, Wanted())
    bodies = [request.checked() for request in receiver.requests]
    assert list(dict.fromkeys(bodies)) == log
    assert len(bodies) == len(log) + 3
    out, err = capsys.readouterr()
    assert "answered 503; again in 0.01 s" in err
    assert SECRET not in out + err


async def test_a_receiver_that_is_gone_ends_it_and_the_rest_can_be_delivered_later(
    log: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from campaigns.webhooks.delivery import UndeliveredError

    for name, value in {"PRIVATE": "true", "SECRET": SECRET}.items():
        monkeypatch.setenv(f"DIALGATE_WEBHOOK_{name}", value)
    clock, settings = SystemClock(), ProcessSettings(data_dir=tmp_path / "data")
    replay = Replay(Pace(None, 60.0), clock, {})
    async with receiving(*["200"] * 10, "410") as receiver:
        with pytest.raises(UndeliveredError):
            await replay_events(settings, receiver.url, replay, Wanted())
        rest = Replay(Pace(None, 60.0), clock, replay.passed)
        await replay_events(settings, receiver.url, rest, Wanted())
    assert (replay.delivered, rest.delivered) == (10, 25)
    assert [request.body for request in receiver.requests] == [*log[:11], *log[10:]]


async def test_at_a_speed_events_come_as_far_apart_as_they_were_recorded(
    log: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record is a second after the last: at a hundredfold 47 of them take half a second."""
    for name, value in {"PRIVATE": "true", "SECRET": SECRET}.items():
        monkeypatch.setenv(f"DIALGATE_WEBHOOK_{name}", value)
    clock, settings = SystemClock(), ProcessSettings(data_dir=tmp_path / "data")
    came: list[float] = []
    async with receiving() as receiver:
        receiver.on_request = lambda: came.append(clock.monotonic())
        replay = Replay(Pace(100.0, 60.0), clock, {})
        await replay_events(settings, receiver.url, replay, Wanted())
    times = [orjson.loads(event)["time"] for event in log]
    recorded_s = (_at(times[-1]) - _at(times[0])) / 100
    assert came[-1] - came[0] >= recorded_s - 0.02, "it never hurries"
    assert recorded_s > 0.3


def _at(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


@pytest.mark.kafka
async def test_a_topic_gets_what_campaign_events_has(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    """From Kafka into another topic of it; in a campaign's order, with its key."""
    journal, kafka_log = history(), KafkaLog(kafka_servers, 2, namespace=namespace)
    log = published(journal, tmp_path)
    await kafka_log.open()
    producer = kafka_log.kafka.producer()
    await producer.start()
    for partition, records in journal.log._records.items():
        for one in records:
            topic = kafka_log.kafka.topic(partition.topic)
            await producer.send_and_wait(topic, one.raw, partition=partition.number)
    await producer.stop()
    events = KafkaEvents(kafka_log.kafka)
    for event in log:
        number = int(orjson.loads(event)["id"].partition("@")[0])
        key = str(orjson.loads(event)["data"]["campaign_id"]).encode()
        await events.publish(number, [(key, event)])
    await events.close()
    settings = ProcessSettings(
        data_dir=tmp_path, kafka_servers=kafka_servers, kafka_namespace=namespace, partitions=2
    )
    clock, copy = SystemClock(), f"{namespace}copy"
    replay = Replay(Pace(None, 60.0), clock, {})
    with pytest.raises(LogUnavailableError, match=f"{copy}: there is no such topic"):
        await replay_events(settings, f"kafka:{copy}", replay, Wanted())
    admin = kafka_log.kafka.admin()
    await admin.start()
    await admin.create_topics([NewTopic(copy, 3, 1)])
    await admin.close()
    await kafka_log.close()
    await replay_events(settings, f"kafka:{copy}", replay, Wanted())
    there = await whole_topic(kafka_servers, f"{namespace}{CAMPAIGN_EVENTS}")
    copied = await whole_topic(kafka_servers, copy)
    for campaign_id in CAMPAIGNS:
        found = [
            [(one.value, one.headers) for records in topic.values() for one in records
             if one.key == str(campaign_id).encode()]
            for topic in (there, copied)
        ]  # fmt: skip
        assert found[0] == found[1]
        assert len(found[0]) == 11 + 2 * (campaign_id == 1)
