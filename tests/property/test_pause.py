"""No race gets a call past a pause, on any log; and the audit would see it if one did."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.domain.facts import AnyFact
from campaigns.log.port import EventLog, MemoryLog
from campaigns.sqlite.sqlite_log import SqliteLog
from dialer.decisions.request_call import REQUEST_CALL
from tests.support.race import (
    TURNS,
    WRITERS,
    BrokenPromiseError,
    Script,
    Streams,
    play,
    unguarded,
)

Open = Callable[[], AbstractAsyncContextManager[EventLog]]
turns = st.tuples(st.sampled_from(WRITERS), st.sampled_from(TURNS))


@asynccontextmanager
async def in_memory() -> AsyncIterator[EventLog]:
    yield MemoryLog()


@asynccontextmanager
async def in_a_file() -> AsyncIterator[EventLog]:
    with TemporaryDirectory() as directory:
        log = SqliteLog(Path(directory) / "log.db", exclusive=True)
        await log.open()
        yield log
        await log.close()


@asynccontextmanager
async def in_a_shared_file() -> AsyncIterator[EventLog]:
    with TemporaryDirectory() as directory:
        log = SqliteLog(Path(directory) / "log.db", exclusive=False)
        await log.open()
        yield log
        await log.close()


LOGS: dict[str, Open] = {"memory": in_memory, "file": in_a_file, "shared-file": in_a_shared_file}


def played(
    open_log: Open, script: Script, streams: Streams = REQUEST_CALL.streams
) -> list[AnyFact]:
    """Play a script on a fresh log, and return what its audit found accepted."""

    async def run() -> list[AnyFact]:
        async with open_log() as log:
            return await play(log, script, streams=streams)

    return asyncio.run(run())


def kinds(facts: list[AnyFact]) -> list[str]:
    """Return what happened after the campaign was created and started."""
    return [type(fact).__name__ for fact in facts[2:]]


@given(st.lists(turns, max_size=40))
@settings(deadline=None, max_examples=200)
def test_no_race_gets_a_call_past_a_pause_in_memory(script: Script) -> None:
    played(in_memory, script)


@given(st.lists(turns, min_size=10, max_size=40))
@settings(deadline=None, max_examples=25)
def test_no_race_gets_a_call_past_a_pause_in_a_file(script: Script) -> None:
    played(in_a_file, script)


@given(st.lists(turns, min_size=10, max_size=40))
@settings(deadline=None, max_examples=25)
def test_no_race_gets_a_call_past_a_pause_in_a_shared_file(script: Script) -> None:
    played(in_a_shared_file, script)


@pytest.mark.parametrize("name", LOGS)
class TestOnEveryLog:
    """The races by name. A call does get through, and each loser is refused."""

    def test_a_running_campaign_calls(self, name: str) -> None:
        assert kinds(played(LOGS[name], [("dialer-a", "act")])) == ["CallRequested"]

    def test_a_request_decided_before_the_pause_is_refused_behind_it(self, name: str) -> None:
        assert kinds(played(LOGS[name], [("api", "act"), ("dialer-a", "act")])) == [
            "CampaignPaused"
        ]

    def test_two_dialers_do_not_ring_one_contact(self, name: str) -> None:
        script = [("dialer-a", "act"), ("dialer-b", "act")]
        assert kinds(played(LOGS[name], script)) == ["CallRequested"]

    def test_a_request_decided_before_the_pause_is_refused_behind_the_resume(
        self, name: str
    ) -> None:
        script = [("api", "act"), ("api", "look"), ("api", "act"), ("dialer-a", "act")]
        assert kinds(played(LOGS[name], script)) == ["CampaignPaused", "CampaignResumed"]

    def test_a_dialer_that_looks_again_calls_again(self, name: str) -> None:
        script = [
            ("dialer-a", "act"),
            ("api", "act"),
            ("api", "look"),
            ("api", "act"),
            ("dialer-a", "look"),
            ("dialer-a", "give back"),
            ("dialer-b", "look"),
            ("dialer-b", "act"),
        ]
        expected = [
            "CallRequested",
            "CampaignPaused",
            "CampaignResumed",
            "CallAbandoned",
            "CallRequested",
        ]
        assert kinds(played(LOGS[name], script)) == expected

    def test_two_apis_pause_once(self, name: str) -> None:
        script = [("api", "act"), ("api-b", "act")]
        assert kinds(played(LOGS[name], script)) == ["CampaignPaused"]


@pytest.mark.parametrize("name", LOGS)
def test_without_the_guard_the_audit_finds_a_call_after_a_pause(name: str) -> None:
    with pytest.raises(BrokenPromiseError, match="a call after a pause"):
        played(LOGS[name], [("api", "act"), ("dialer-a", "act")], unguarded)


def test_without_the_guard_the_property_fails() -> None:
    """The scripts that the property draws would find it: the property is not empty."""
    found = count()

    @given(st.lists(turns, max_size=40))
    @settings(deadline=None, max_examples=200, database=None, derandomize=True)
    def property_without_its_guard(script: Script) -> None:
        try:
            played(in_memory, script, unguarded)
        except BrokenPromiseError:
            next(found)

    property_without_its_guard()
    assert next(found) > 0
