"""The eventsourcing library's own suites, on the log: which run, and why the others do not.

Its recorder is read-only, and a suite has to write first. So the suites write through the rule
itself: an event becomes a fact, its version a condition, an insert of several one record; a refused
record is the library's IntegrityError. All that they read, they read from our recorder.
"""

import asyncio
import inspect
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from unittest import TestCase
from uuid import UUID, uuid4

import orjson
import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    IntegrityError,
    Notification,
    ProcessRecorder,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.tests import application, persistence, projection
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    InfrastructureFactoryTestCase,
    NonInterleavingNotificationIDsBaseCase,
)
from eventsourcing.utils import Environment

from campaigns.domain.facts import AnyFact, CampaignFailed, CampaignPaused, CampaignStopped
from campaigns.domain.values.stream_names import Stream
from campaigns.eventsourcing.recorder import LogRecorder, LogSubscription
from campaigns.records.record import Record
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON
from dialgate.persistence import Factory

WITHIN_S = 20.0

# Each suite of the library that does not run on the log, and why not.
NOT_HERE = {
    "RecorderTestCase": "the base of the others",
    "AggregateRecorderTestCase": "no aggregate and no snapshot is kept: a decision rests on two"
    " streams, and an aggregate is one (ADR-0009)",
    "ProcessRecorderTestCase": "a process records what it decides; here that is a command",
    "TranscoderTestCase": "facts are JSON themselves: no transcoder is asked",
    "ExampleApplicationTestCase": "saves aggregates",
    "ApplicationTestCase": "saves aggregates",
    "EventCountersViewTestCase": "about a view of a subscriber's own, in whatever store he has",
    "AggregateEventCountersProjectionTestCase": "saves aggregates through the runner's application;"
    " what it says of projections: tests/integration/test_recorder.py",
    "TaggedDecisionCountersProjectionTestCase": "saves decisions of another kind (DCB)",
    "EventSourcedProjectionTestCase": "a projection that saves aggregates",
}
ELSEWHERE = {"TrackingRecorderTestCase": "tests/contract/test_tracking_recorder.py"}

# Of a suite that runs, what does not.
NOT_OF_THE_FACTORY = {
    "test_mapper_with_compressor": "the log is plain JSON, which everybody reads",
    "test_mapper_with_cipher": "the same",
    "test_mapper_with_cipher_and_compressor": "the same",
    "test_mapper_with_wrong_cipher_key": "the same",
    "test_create_aggregate_recorder": "refused: tests/integration/test_recorder.py",
    "test_create_process_recorder": "refused: tests/integration/test_recorder.py",
    "test_create_tracking_recorder": "the log keeps no trackings: a view brings its own class",
}


class WrittenRecorder(LogRecorder):
    """Our recorder, and a writer of the suites' events: each is a fact on a campaign's stream."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._log, self._one_at_a_time = SqliteLog(path, 1, exclusive=False), threading.Lock()
        self._campaigns: dict[UUID | str, int] = {}
        self._originators: dict[str, UUID | str] = {}
        self._first: dict[UUID | str, int] = {}  # The suites count from 0 or 1.
        self._run(self._log.open())
        super().__init__(lambda: SqliteLog(path, exclusive=False, read_only=True), FIRST)
        self.open()

    def close(self) -> None:
        super().close()
        self._run(self._log.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:  # Any: of a coroutine.
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_S)

    def insert_events(  # type: ignore[override]  # It never returns in the product.
        self, stored_events: Sequence[StoredEvent], **_: object
    ) -> Sequence[int]:
        with self._one_at_a_time:
            before = self.max_notification_id() or 0
            self._run(self._offered(stored_events))
            after = self.max_notification_id() or 0
        if after - before != len(stored_events):
            raise IntegrityError("the rule refused it")
        return list(range(before + 1, after + 1))

    async def _offered(self, stored_events: Sequence[StoredEvent]) -> None:
        condition, written = dict[Stream, int](), Counter[Stream]()
        facts = [self._fact(one) for one in stored_events]
        for one, fact in zip(stored_events, facts, strict=True):
            first = self._first.setdefault(one.originator_id, one.originator_version)
            seen = condition.setdefault(fact.stream, one.originator_version - first)
            if one.originator_version - first != seen + written[fact.stream]:
                return  # Two events of one version in one insert: no record says that.
            written[fact.stream] += 1
        record = Record(uuid4().hex, NOON, "test", "test", "t", None, condition, tuple(facts))
        end = (await self._log.ends([FIRST]))[FIRST]
        await self._log.append(FIRST, record, 1)
        while (await self._log.ends([FIRST]))[FIRST] == end:
            await asyncio.sleep(0.001)

    def _fact(self, one: StoredEvent) -> AnyFact:
        number = self._campaigns.setdefault(one.originator_id, len(self._campaigns) + 1)
        text = f"{one.topic}/{one.state.decode()}"
        fact: AnyFact
        match self.tag(one.topic):
            case CampaignStopped.TYPE:
                fact = CampaignStopped(campaign_id=number, reason=text, stopped_at=NOON)
            case CampaignFailed.TYPE:
                fact = CampaignFailed(campaign_id=number, reason=text, failed_at=NOON)
            case _:
                fact = CampaignPaused(campaign_id=number, reason=text, paused_at=NOON)
        self._originators[fact.stream] = one.originator_id
        return fact

    @staticmethod
    def tag(topic: str) -> str:
        other = {"topic2": CampaignStopped.TYPE, "topic3": CampaignFailed.TYPE}
        return other.get(topic, CampaignPaused.TYPE)

    def theirs(self, one: Notification) -> Notification:
        """Return what the suite had written."""
        topic, _, state = orjson.loads(one.state)["reason"].partition("/")
        assert one.topic == self.tag(topic)
        originator = self._originators[str(one.originator_id)]
        version = one.originator_version - 1 + self._first[originator]
        return Notification(originator, version, topic, state.encode(), id=one.id)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        found = super().select_notifications(
            start, limit, stop, [self.tag(one) for one in topics],
            inclusive_of_start=inclusive_of_start,
        )  # fmt: skip
        return [self.theirs(one) for one in found]

    def select_events(self, originator_id: UUID | str, **asked: Any) -> Sequence[StoredEvent]:
        stream = f"campaign/{self._campaigns.get(originator_id, 0)}"
        found = super().select_events(stream, **asked)
        return [self.theirs(Notification(**vars(one), id=1)) for one in found]

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Any:
        return Subscribed(self, super().subscribe(gt, [self.tag(one) for one in topics]))


class Subscribed:
    """A subscription whose notifications are as the suite wrote them."""

    def __init__(self, recorder: WrittenRecorder, ours: LogSubscription) -> None:
        self._recorder, self._ours = recorder, ours

    def __enter__(self) -> "Subscribed":
        self._ours.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        self._ours.__exit__(*how)

    def __iter__(self) -> Iterator[Notification]:
        return map(self._recorder.theirs, self._ours)

    def stop(self) -> None:
        self._ours.stop()


class OnTheLog(TestCase):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> Iterator[None]:
        self.path, self.made = tmp_path / "log.db", list[WrittenRecorder]()
        yield
        for recorder in self.made:
            recorder.close()

    def create_recorder(self) -> WrittenRecorder:
        self.made.append(WrittenRecorder(self.path))
        return self.made[-1]


class TestApplicationRecorder(OnTheLog, ApplicationRecorderTestCase[WrittenRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleavingNotificationIds(OnTheLog, NonInterleavingNotificationIDsBaseCase):
    pass


class TestFactory(InfrastructureFactoryTestCase[Factory]):
    env: Environment
    test_mapper_with_compressor: ClassVar[None] = None  # type: ignore[assignment]
    test_mapper_with_cipher: ClassVar[None] = None  # type: ignore[assignment]
    test_mapper_with_cipher_and_compressor: ClassVar[None] = None  # type: ignore[assignment]
    test_mapper_with_wrong_cipher_key: ClassVar[None] = None  # type: ignore[assignment]
    test_create_aggregate_recorder: ClassVar[None] = None  # type: ignore[assignment]
    test_create_process_recorder: ClassVar[None] = None  # type: ignore[assignment]
    test_create_tracking_recorder: ClassVar[None] = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        async def made() -> None:
            log = SqliteLog(tmp_path / "log.db", 1, exclusive=False)
            await log.open()
            await log.close()

        asyncio.run(made())
        self.folder = tmp_path

    def setUp(self) -> None:
        self.env = Environment(
            str(FIRST),
            {"PERSISTENCE_MODULE": "dialgate.persistence", "DIALGATE_DATA_DIR": str(self.folder)},
        )
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_application_recorder_class(self) -> type[LogRecorder]:
        return LogRecorder

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        raise NotImplementedError

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        raise NotImplementedError

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        raise NotImplementedError

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        raise NotImplementedError


RUN = (ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase)
RUN_IN_PART = InfrastructureFactoryTestCase
del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase, OnTheLog
del InfrastructureFactoryTestCase  # Abstract ones: pytest would collect them.


def test_each_suite_of_the_library_runs_or_has_a_reason_not_to() -> None:
    """A later version's suite is noticed here."""
    shipped = {
        name
        for module in (application, persistence, projection)
        for name, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, TestCase) and one is not TestCase
    }
    ran = {one.__name__ for one in RUN} | {RUN_IN_PART.__name__}
    assert shipped == ran | NOT_HERE.keys() | ELSEWHERE.keys()
    here = {name for name, _ in inspect.getmembers(RUN_IN_PART) if name.startswith("test_")}
    left_out = {name for name in here if getattr(TestFactory, name) is None}
    assert left_out == NOT_OF_THE_FACTORY.keys() < here
    for path in ELSEWHERE.values():
        assert (Path(__file__).parents[2] / path).is_file()
    assert import_module("eventsourcing.tests")
