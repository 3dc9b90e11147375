"""A stock ProjectionRunner follows campaigns, on the embedded log and on Kafka."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    MapperDeserialisationError,
    NotSupportedError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder
from eventsourcing.utils import Environment

from campaigns.domain.facts import AnyFact, CampaignPaused, CampaignStarted
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.eventsourcing.mapper import StreamedFact
from campaigns.eventsourcing.ordinals import KEPT_MAX
from campaigns.eventsourcing.recorder import LogRecorder
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.installation_log import Author, decided
from campaigns.log.port import EventLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import ContractError, LogCutError
from campaigns.records.installation import skip_record
from campaigns.records.json_reader import read_envelope
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope, Record
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON
from dialgate.persistence import Factory
from tests.support.broker import Broker

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "follow_campaigns.py"
WITHIN_S = 20.0
AT_ONCE = 32  # Appends on their way: so few stay in their order.


def started(campaign_id: int = 1) -> CampaignStarted:
    return CampaignStarted(campaign_id=campaign_id, run=1, started_at=NOON)


def paused(campaign_id: int = 1) -> CampaignPaused:
    return CampaignPaused(campaign_id=campaign_id, reason="a test", paused_at=NOON)


@dataclass
class Writer:
    """Writes into one partition, and notes what every reader must find accepted."""

    log: EventLog
    environment: dict[str, str]  # How others find the log.
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    ledger: Ledger = field(default_factory=Ledger)
    accepted: list[tuple[int, str, int, str]] = field(default_factory=list)
    written: int = 0

    @contextmanager
    def open(self) -> Iterator["Writer"]:
        self.runner.run(self.log.open())
        yield self
        self.runner.run(self.log.close())
        self.runner.close()

    def accept(self, *facts: AnyFact) -> None:
        self.accept_each([facts])

    def accept_each(self, records: list[tuple[AnyFact, ...]]) -> None:
        encoded = []
        for facts in records:
            condition = self.ledger.condition(fact.stream for fact in facts)
            encoded.append(record(condition, facts))
            envelope = read_envelope(encoded[-1].encode(), FIRST, 1)
            assert isinstance(envelope, Envelope)
            seen = dict(condition)
            for fact in facts:
                seen[fact.stream] += 1
                number = len(self.accepted) + 1
                self.accepted.append((number, fact.stream, seen[fact.stream], fact.TYPE))
            assert self.ledger.admit(envelope)
        self.append(encoded)

    def refuse(self) -> None:
        self.append([record({paused().stream: 999}, (paused(),))])

    def foreign(self, raw: bytes = b"garbage") -> None:
        """Write any bytes at all, as a stranger may, with a tool of his own."""
        self.written += 1
        self.runner.run(self._foreign(raw))

    async def _foreign(self, raw: bytes) -> None:
        if isinstance(self.log, KafkaLog):
            producer = self.log.kafka.producer()
            await producer.start()
            await producer.send_and_wait(self.log.kafka.topic(FIRST.topic), raw, partition=0)
            await producer.stop()
            return
        with closing(sqlite3.connect(Path(self.environment["DIALGATE_DATA_DIR"], "log.db"))) as db:
            db.execute("insert into records values (?, ?, ?, ?)", (*FIRST, self.written, raw))
            db.commit()
        await self.log.ends([FIRST])

    def append(self, records: list[Record]) -> None:
        async def appended() -> None:
            async with asyncio.timeout(WITHIN_S):
                for some in range(0, len(records), AT_ONCE):
                    appends = (self.log.append(FIRST, r, 1) for r in records[some : some + AT_ONCE])
                    await asyncio.gather(*appends)
                while (await self.log.ends([FIRST]))[FIRST] < self.written:
                    await asyncio.sleep(0.002)

        self.written += len(records)
        self.runner.run(appended())

    def recorder(self) -> LogRecorder:
        made = Factory(Environment(str(FIRST), self.environment)).application_recorder()
        assert isinstance(made, LogRecorder)
        return made


def record(condition: object, facts: tuple[AnyFact, ...]) -> Record:
    assert isinstance(condition, dict)
    return Record(uuid4().hex, NOON, "test", "test", "test", None, condition, facts)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def writer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Writer]:
    monkeypatch.delenv("DIALGATE_KAFKA_SERVERS", raising=False)
    if request.param == "kafka":
        servers, namespace = map(request.getfixturevalue, ("kafka_servers", "namespace"))
        made = on_kafka(servers, namespace)
    else:
        log = SqliteLog(tmp_path / "log.db", exclusive=False)
        made = Writer(log, {"DIALGATE_DATA_DIR": str(tmp_path)})
    with made.open():
        yield made


def on_kafka(servers: str, namespace: str) -> Writer:
    return Writer(
        KafkaLog(servers, 1, namespace=namespace),
        {
            "DIALGATE_KAFKA_SERVERS": servers,
            "DIALGATE_KAFKA_NAMESPACE": namespace,
            "DIALGATE_PARTITIONS": "1",
        },
    )


class Seen(SQLiteTrackingRecorder):
    """A view that keeps all it was shown, in the transaction of its tracking."""

    def construct_create_table_statements(self) -> list[str]:
        made = "create table if not exists seen (id int primary key, stream, version, tag)"
        return [*super().construct_create_table_statements(), made]

    def keep(self, fact: StreamedFact, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as tx:
            self._insert_tracking(tx, tracking)
            place = (fact.originator_id, fact.originator_version, fact.fact.TYPE)
            tx.execute("insert into seen values (?, ?, ?, ?)", (tracking.notification_id, *place))

    def all(self) -> list[tuple[int, str, int, str]]:
        with self.datastore.transaction(commit=False) as tx:
            tx.execute("select id, stream, version, tag from seen order by id", ())
            return [tuple(row) for row in tx.fetchall()]


class Watch(Projection[Seen]):
    def process_event(self, domain_event: StreamedFact, tracking: Tracking) -> None:
        self.view.keep(domain_event, tracking)


class WatchStarts(Watch):
    name = "Watch"
    topics = (CampaignStarted.TYPE,)


class Campaigns(Application[str]):
    name = str(FIRST)


def runner_of(
    writer: Writer, tmp_path: Path, projection: type[Watch] = Watch
) -> ProjectionRunner[Campaigns, Seen]:
    return ProjectionRunner(
        application_class=Campaigns,
        projection_class=projection,
        view_class=Seen,
        env={
            "PERSISTENCE_MODULE": "dialgate.persistence",
            "WATCH_PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "WATCH_SQLITE_DBNAME": str(tmp_path / "seen.db"),
            **writer.environment,
        },
    )


def caught_up(runner: ProjectionRunner[Campaigns, Seen]) -> list[tuple[int, str, int, str]]:
    """Wait as a user does after an answer, and return what the view holds."""
    runner.wait(runner.app.recorder.max_notification_id(), timeout=WITHIN_S)
    return runner.view.all()


def test_a_stock_runner_sees_exactly_the_accepted_facts_and_resumes_where_it_was(
    writer: Writer, tmp_path: Path
) -> None:
    writer.foreign()
    writer.accept(started(1))
    writer.refuse()
    writer.accept(paused(1), started(2), paused(1))
    with runner_of(writer, tmp_path) as runner:
        assert caught_up(runner) == writer.accepted, "it catches up"
        for campaign_id in range(3, 8):
            writer.refuse()
            writer.accept(started(campaign_id))
            assert caught_up(runner) == writer.accepted, "it goes on live"
    before = len(writer.accepted)
    writer.accept(paused(3), paused(4))
    writer.foreign(b"")
    with runner_of(writer, tmp_path) as again:
        assert again.view.max_tracking_id(str(FIRST)) in {before, before + 1, before + 2}
        assert caught_up(again) == writer.accepted, "nothing twice (the key is unique), none lost"


def test_a_projection_may_ask_for_some_facts_alone(writer: Writer, tmp_path: Path) -> None:
    with runner_of(writer, tmp_path, WatchStarts) as runner:
        for campaign_id in range(1, 5):
            writer.accept(paused(campaign_id))
            writer.accept(started(campaign_id))
        wanted = [one for one in writer.accepted if one[3] == CampaignStarted.TYPE]
        assert caught_up(runner) == wanted
        assert [number for number, *_ in wanted] == [2, 4, 6, 8]


@pytest.mark.parametrize("projection", [Watch, WatchStarts])
def test_an_unknown_fact_stops_the_runner_and_is_not_imported(
    writer: Writer, tmp_path: Path, projection: type[Watch], capfd: pytest.CaptureFixture[str]
) -> None:
    writer.accept(started(1))
    strange = record({campaign_stream(9): 0}, (started(9),)).encode()
    writer.foreign(strange.replace(CampaignStarted.TYPE.encode(), b"this"))
    with (
        pytest.raises(MapperDeserialisationError, match=r"campaign/9 version 1.*found 'this'"),
        runner_of(writer, tmp_path, projection) as runner,
    ):
        runner.run_forever(timeout=WITHIN_S)
    assert "Zen" not in capfd.readouterr().out
    assert runner.view.all() == writer.accepted, "all that came before it"


def test_a_record_of_a_later_rule_stops_the_runner(writer: Writer, tmp_path: Path) -> None:
    writer.accept(started(1))
    with runner_of(writer, tmp_path) as runner:
        assert caught_up(runner) == writer.accepted
    writer.foreign(b'{"dialgate": 99}')
    with (
        pytest.raises(ContractError, match=r"campaign.records/0@2: expected a level of at most"),
        runner_of(writer, tmp_path) as runner,
    ):
        runner.run_forever(timeout=WITHIN_S)


def test_a_runner_passes_over_what_was_skipped(writer: Writer, tmp_path: Path) -> None:
    writer.accept(started(1))
    strange = record({campaign_stream(9): 0}, (started(9),)).encode()
    writer.foreign(strange.replace(CampaignStarted.TYPE.encode(), b"this"))
    with (
        pytest.raises(MapperDeserialisationError),
        runner_of(writer, tmp_path, Watch) as runner,
    ):
        runner.run_forever(timeout=WITHIN_S)
    writer.runner.run(skipped(writer.log, 2))
    writer.accept(started(9))
    with runner_of(writer, tmp_path) as runner:
        assert caught_up(runner) == writer.accepted, "the stream begins with the fact that counts"


async def skipped(log: EventLog, position: int) -> None:
    (recorded,) = await log.read(FIRST, position - 1, 1)
    by = Author("test", "operator")
    await decided(log, lambda now: skip_record(now, recorded, "a test", NOON), by, SystemClock())


def test_a_view_of_another_log_is_not_followed_on(writer: Writer, tmp_path: Path) -> None:
    writer.accept(started(1))
    with runner_of(writer, tmp_path) as runner:
        caught_up(runner)
        runner.view.insert_tracking(Tracking(str(FIRST), 7))
    with pytest.raises(LogCutError, match="expected at least 7 accepted facts, found 1"):
        runner_of(writer, tmp_path)


def ids(recorder: LogRecorder, *arguments: int | None, **options: object) -> list[int]:
    found = recorder.select_notifications(*arguments, **options)  # type: ignore[arg-type]  # Tests.
    return [one.id for one in found]


def test_notifications_are_selected_as_the_library_says(writer: Writer) -> None:
    recorder = writer.recorder()
    assert recorder.max_notification_id() is None
    assert ids(recorder, None, 10) == []
    assert recorder.select_events("campaign/1") == []
    for campaign_id in (1, 2, 1, 2, 1):
        writer.refuse()
        writer.accept(paused(campaign_id), started(campaign_id))
    assert recorder.max_notification_id() == 10
    found = recorder.select_notifications(None, 100)
    places = [(n.id, n.originator_id, n.originator_version, n.topic) for n in found]
    assert places == writer.accepted
    assert ids(recorder, None, 3) == ids(recorder, 1, 3) == ids(recorder, -5, 3) == [1, 2, 3]
    assert ids(recorder, 4, 3) == [4, 5, 6]
    assert ids(recorder, 4, 3, inclusive_of_start=False) == [5, 6, 7]
    assert ids(recorder, 0, 2, inclusive_of_start=False) == [1, 2]
    assert ids(recorder, 8, 100, 9) == [8, 9]
    assert ids(recorder, 9, 100) == [9, 10]
    assert ids(recorder, 11, 100) == ids(recorder, 5, 0) == ids(recorder, 5, 9, 4) == []
    assert ids(recorder, 3, 2, topics=[CampaignStarted.TYPE]) == [4, 6]
    assert ids(recorder, 1, 100, topics=["campaign-stopped.v1"]) == []

    def versions(**options: object) -> list[int]:
        events = recorder.select_events("campaign/1", **options)  # type: ignore[arg-type]  # Tests.
        return [one.originator_version for one in events]

    assert versions() == [1, 2, 3, 4, 5, 6]
    assert versions(gt=2, lte=4) == [3, 4]
    assert versions(desc=True, limit=2) == [6, 5]
    assert versions(gt=1, limit=2) == [2, 3]
    recorder.close()


def test_nothing_is_written_here(writer: Writer) -> None:
    recorder = writer.recorder()
    fact = StoredEvent("campaign/1", 1, CampaignPaused.TYPE, b"{}")
    for facts in ([fact], []):
        with pytest.raises(NotSupportedError, match="the command API"):
            recorder.insert_events(facts)
    assert recorder.max_notification_id() is None
    recorder.close()
    with pytest.raises(ProgrammingError, match="not open"):
        recorder.max_notification_id()
    factory = Factory({})
    for refused in (factory.aggregate_recorder, factory.process_recorder):
        with pytest.raises(NotSupportedError):
            refused()


def test_a_long_log_is_read_again_and_not_kept(writer: Writer) -> None:
    count = 2 * KEPT_MAX
    writer.accept_each([(paused(1),)] * 100)
    writer.refuse()
    writer.foreign()
    writer.accept_each([(paused(1),)] * (KEPT_MAX - 100))
    writer.refuse()
    writer.accept_each([(paused(1), started(1))] * (KEPT_MAX // 2))
    recorder = writer.recorder()
    subscription = recorder.subscribe()
    with subscription:
        assert [next(subscription).id for _ in range(count)] == list(range(1, count + 1))
        writer.accept(started(1))
        assert next(subscription).id == count + 1
    assert len(recorder.followed.ordinals._kept) <= KEPT_MAX
    assert ids(recorder, 700, 3) == [700, 701, 702]
    recorder.close()


@pytest.mark.kafka
def test_an_outage_of_the_log_is_waited_out(
    broker: Broker, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIALGATE_KAFKA_SERVERS", raising=False)
    writer = on_kafka(broker.servers, namespace)
    with writer.open():
        writer.accept(started(1))
        with runner_of(writer, tmp_path) as runner:
            assert caught_up(runner) == writer.accepted
            broker.restart()
            writer.accept(paused(1))
            assert caught_up(runner) == writer.accepted


def test_readers_in_many_threads_see_no_gap_while_it_grows(writer: Writer) -> None:
    recorder = writer.recorder()
    gaps: list[list[int]] = []
    done = threading.Event()

    def look() -> None:
        last = 0
        while not done.is_set() or last < recorder.followed.ordinals.facts:
            found = ids(recorder, last, 50, inclusive_of_start=False)
            if found != list(range(last + 1, last + 1 + len(found))):
                gaps.append(found)
                return
            last += len(found)
            done.wait(0.001)  # The follower needs the interpreter too.

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for campaign_id in range(1, 300):
        writer.accept_each([(paused(campaign_id),), (started(campaign_id), paused(campaign_id))])
    assert recorder.max_notification_id() == len(writer.accepted)
    done.set()
    for thread in threads:
        thread.join(WITHIN_S)
    assert not gaps
    recorder.close()


def test_who_waits_at_the_end_is_woken_by_stop_and_by_close(writer: Writer) -> None:
    recorder = writer.recorder()
    stopped, closed = recorder.subscribe(), recorder.subscribe()
    threading.Timer(0.05, stopped.stop).start()
    assert list(stopped) == []
    threading.Timer(0.05, recorder.close).start()
    with pytest.raises(ProgrammingError, match="not open"):
        next(closed)


@pytest.mark.parametrize(
    ("name", "environment", "message"),
    [
        ("Campaigns", {}, "named after a partition, such as campaign.records/0, found 'Campaigns'"),
        ("campaign.events/0", {}, "named after a partition"),
        (str(FIRST), {"DIALGATE_DATADIR": "x"}, "the nearest is DIALGATE_DATA_DIR"),
    ],
)
def test_a_wrong_name_or_setting_is_told(
    name: str, environment: dict[str, str], message: str
) -> None:
    application = type("Wrong", (Application,), {"name": name})
    with pytest.raises(InfrastructureFactoryError, match=message):
        application({"PERSISTENCE_MODULE": "dialgate.persistence", **environment})


def test_a_partition_that_does_not_exist_is_told(writer: Writer) -> None:
    application = type("Second", (Application,), {"name": "campaign.records/1"})
    with pytest.raises(ContractError, match=r"expected campaign.records/1, found 1 partitions"):
        application({"PERSISTENCE_MODULE": "dialgate.persistence", **writer.environment})


def test_the_example_follows_campaigns_and_resumes_after_a_kill(
    writer: Writer, tmp_path: Path
) -> None:
    seen: list[str] = []

    def run(until: Callable[[], bool]) -> None:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE],
            cwd=tmp_path,
            env={**os.environ, **writer.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        killer = threading.Timer(WITHIN_S, process.kill)
        killer.start()
        for line in process.stdout:
            seen.append(" ".join(line.split()[:2]))
            if until():
                break
        killer.cancel()
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.extend(" ".join(line.split()[:2]) for line in process.stdout)  # Meanwhile seen, too.
        process.stdout.close()

    writer.accept(started(1), started(2))
    run(until=lambda: len(seen) == 1)  # The second may be kept, or not.
    writer.refuse()
    writer.accept(paused(1))
    run(until=lambda: seen[-1] == "3 campaign/1")
    assert list(dict.fromkeys(seen)) == ["1 campaign/1", "2 campaign/2", "3 campaign/1"]
