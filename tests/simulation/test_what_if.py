"""A recorded campaign once more: the same settings reproduce it, others change what they should."""

import asyncio
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import CampaignRearmed, CampaignStarted, Disposition, Selection
from campaigns.domain.moves import Status
from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.log.port import MemoryLog
from campaigns.process.virtual_time import (
    NOON,
    NoNetworkError,
    VirtualClock,
    run_virtually,
)
from campaigns.records.installation import Installation
from campaigns.sqlite.sqlite_log import SqliteLog
from dialer.carrier.port import CallOrder
from dialer.carrier.simulated.outcome import CarrierTerms, Outcome, outcome
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier
from dialgate.settings import ProcessSettings
from dialgate.verbs.verb import MisusedError, Source
from dialgate.verbs.what_if import recorded, what_if
from dialgate.what_if import run_log
from dialgate.what_if.campaign_history import CampaignHistory
from dialgate.what_if.comparison import RunSummary, busiest_minute, differences
from dialgate.what_if.overrides import Overrides
from dialgate.what_if.simulation import Simulation
from tests.simulation.test_dialing import HERE, Bench, dialing

TERMS = CarrierTerms(seed=3, talk_max_s=9.0, refusals=0.05)
CONTACTS = 60


def fate(order: CallOrder) -> Outcome:
    """Return the same course for the same attempt in every recording: a call's id is random."""
    return outcome(TERMS, f"{order.contact_id} {order.attempt}")


def record(
    settings: dict[str, int] | None = None,
    *,
    contacts: int = CONTACTS,
    ends: bool = True,
    selections: Sequence[tuple[Selection, tuple[int, ...]]] = (),
) -> MemoryLog:
    """Record a campaign with one pause, on virtual time; then re-execute it."""

    async def scenario() -> MemoryLog:
        clock = VirtualClock(asyncio.get_running_loop())
        carrier = SimulatedCarrier(":memory:", TERMS, clock, fates=fate)
        bench = Bench(MemoryLog(), clock, carrier)  # type: ignore[arg-type]  # A carrier like any.
        own = {"calls_per_minute": 300, "max_concurrent_calls": 8, "max_attempts": 2}
        await bench.campaign(contacts, **(own | (settings or {})))
        async with dialing(bench) as dialer:
            await asyncio.sleep(4)
            await bench.pause()
            await asyncio.sleep(60)
            await bench.resume()
            await asyncio.sleep(2400 if ends else 5)
            campaign = dialer.campaigns.by_id[42]
            assert (campaign.status is Status.COMPLETED) == ends
            for run, (selection, named) in enumerate(selections, 2):
                await bench.offer(rearmed(campaign, selection, named, clock.now()))
                await bench.offer(CampaignStarted(campaign_id=42, run=run, started_at=clock.now()))
                await asyncio.sleep(2400)
                assert campaign.status is Status.COMPLETED
        return bench.log

    return run_virtually(scenario())


def rearmed(
    campaign: Campaign, selection: Selection, named: tuple[int, ...], now: datetime
) -> CampaignRearmed:
    contacts = len(named) or campaign.counters.failed
    return CampaignRearmed(
        campaign_id=42, selection=selection, contact_ids=named, contacts=contacts, untouched=0,
        rearmed_at=now,
    )  # fmt: skip


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    """Return one recorded campaign that came to its end."""
    return record()


def read(log: MemoryLog) -> CampaignHistory:
    return asyncio.run(recorded(Source(log, Installation()), 42))


def before(recording: CampaignHistory) -> RunSummary:
    assert recording.campaign is not None
    return RunSummary(recording.campaign.status, recording.courses, recording.moments)


def test_the_same_settings_reproduce_the_recording(log: MemoryLog) -> None:
    recording = read(log)
    simulation = Simulation(recording, Overrides())
    again = simulation.run()
    assert differences(before(recording), again) == []
    assert simulation.finished
    assert not simulation.not_done
    was, now = before(recording).shape(), again.shape()
    assert was["attempts"] > CONTACTS, "some were called twice"
    assert len(was["dispositions"]) == 5
    assert now["dispositions"] == was["dispositions"]
    assert now["talk_s"] == was["talk_s"]
    assert [what for _, what in again.moments] == ["start", "pause", "resume"]
    apart = (a - b for a, b in zip(again.began, before(recording).began, strict=True))
    assert max(map(abs, apart)) < timedelta(seconds=1)


def test_nobody_is_rung_in_the_pause_of_a_what_if_either(log: MemoryLog) -> None:
    recording = read(log)
    again = Simulation(recording, Overrides(calls_per_minute=60_000)).run()
    (_, _), (paused_at, _), (resumed_at, _) = again.moments
    between = [at for at in again.began if paused_at + timedelta(seconds=0.1) < at < resumed_at]
    assert between == []
    assert again.began[0] < paused_at < resumed_at < again.began[-1]


def test_slower_pacing_takes_longer_and_reaches_the_same(log: MemoryLog) -> None:
    recording = read(log)
    slow = Simulation(recording, Overrides(calls_per_minute=30, max_concurrent_calls=1)).run()
    was, now = before(recording).shape(), slow.shape()
    assert now["lasted_s"] > was["lasted_s"]
    assert now["calls_at_once_at_most"] == 1 < was["calls_at_once_at_most"]
    assert now["calls_a_minute_at_most"] <= 30 < was["calls_a_minute_at_most"]
    assert now["contacts_reached"] == was["contacts_reached"]


def test_more_attempts_are_drawn_the_same_way_for_the_same_seed(log: MemoryLog) -> None:
    recording = read(log)
    more = [Simulation(recording, Overrides(max_attempts=4), seed).run() for seed in (1, 1, 2)]
    assert differences(more[0], more[1]) == []
    assert differences(more[0], more[2])
    assert max(attempt.attempt for attempt in more[0].courses) == 4
    for attempt, course in recording.courses.items():
        assert more[0].courses[attempt].disposition is course.disposition, "as recorded"


def test_hours_hold_and_what_had_become_impossible_is_said(log: MemoryLog) -> None:
    recording = read(log)
    hours = CallingHours(start="13:00", end="24:00", days=(1, 2, 3, 4, 5, 6, 7), time_zone="UTC")
    later = Simulation(recording, Overrides(calling_hours=hours)).run()
    assert later.began[0] >= NOON + timedelta(hours=1)
    quick = Simulation(
        read(record({"calls_per_minute": 60, "max_concurrent_calls": 1}, contacts=5)),
        Overrides(calls_per_minute=60_000, max_concurrent_calls=100, max_attempts=1),
    )
    summary = quick.run()
    assert summary.status is Status.COMPLETED
    assert [one.split(": ", 1)[1] for one in quick.not_done] == [
        "campaign-resumed.v1 was not repeated: the campaign is completed already"
    ]


def test_a_campaign_that_is_under_way_is_run_to_its_end() -> None:
    recording = read(record(ends=False))
    simulation = Simulation(recording, Overrides())
    assert simulation.run().status is Status.COMPLETED
    assert simulation.finished


def test_hours_that_never_open_end_after_a_while(log: MemoryLog) -> None:
    never = CallingHours(start="09:00", end="10:00", days=(), time_zone="UTC")
    simulation = Simulation(read(log), Overrides(calling_hours=never), days_max=1)
    assert simulation.run().began == []
    assert not simulation.finished


@pytest.fixture(scope="module")
def again() -> MemoryLog:
    """Return a recording that was re-executed: those that failed, then two by their numbers."""
    return record(
        contacts=30, selections=((Selection.FAILED_ONLY, ()), (Selection.CONTACTS, (1, 2)))
    )


def test_re_executions_are_followed(again: MemoryLog) -> None:
    recording = read(again)
    assert [what for _, what in recording.moments].count("re-execute") == 2
    assert {attempt.run for attempt in recording.courses} == {1, 2, 3}
    simulation = Simulation(recording, Overrides())
    summary = simulation.run()
    assert differences(before(recording), summary) == []
    assert not simulation.not_done
    assert simulation.finished
    assert summary.shape()["dispositions"] == before(recording).shape()["dispositions"]


def test_a_re_execution_waits_for_a_slower_run_and_is_left_out_where_nobody_failed(
    again: MemoryLog,
) -> None:
    slow = Simulation(read(again), Overrides(calls_per_minute=6))
    assert {attempt.run for attempt in slow.run().courses} == {1, 2, 3}
    assert not slow.not_done
    recording = read(again)
    for course in recording.courses.values():
        course.disposition = Disposition.ANSWERED
    well = Simulation(recording, Overrides())
    well.run()
    assert "campaign-rearmed.v1 was not repeated: no contact has failed" in well.not_done[0]


def test_what_became_unknown_is_unknown_again_and_is_not_retried(log: MemoryLog) -> None:
    recording = read(log)
    some = [at for at in recording.courses if at.attempt == 1][:6]
    for n, attempt in enumerate(some):
        course = recording.courses[attempt]
        course.disposition, course.duration_s = Disposition.UNKNOWN, 0.0
        if n % 2:
            course.started_at = None  # Nobody knows whether it rang.
        recording.courses.pop(attempt._replace(attempt=2), None)
    again = Simulation(recording, Overrides()).run()
    assert differences(before(recording), again) == []
    assert again.shape()["dispositions"]["unknown"] == 6
    assert len(again.began) == len(before(recording).began), "they are no rings"


def test_a_run_forgets_what_was_read(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_EVERY", 16)
    simulation = Simulation(read(log), Overrides())
    assert differences(before(read(log)), simulation.run()) == []
    kept = [one for one in simulation.log._records[simulation.partition] if one.position]
    assert len(kept) < 64 < len(simulation.log._records[simulation.partition])


def test_no_socket_is_opened(log: MemoryLog) -> None:
    """An auditing hook sees all; the pair with which a loop wakes itself is no connection."""
    recording, seen, watching = read(log), Counter[str](), [True]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if watching and event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
            seen[event] += 1

    sys.addaudithook(hook)
    Simulation(recording, Overrides()).run()
    watching.clear()
    assert not seen

    async def connects() -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(NoNetworkError):
        run_virtually(connects())


def test_the_verb_shows_both_side_by_side(
    log: MemoryLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def make() -> None:
        stored = SqliteLog(tmp_path / "log.db")
        await stored.open()
        await stored.close()

    asyncio.run(make())
    with sqlite3.connect(tmp_path / "log.db") as db:
        rows = [(*HERE, one.position, one.raw) for one in log._records[HERE]]
        db.executemany("insert into records values (?, ?, ?, ?)", rows)
    settings = ProcessSettings(data_dir=tmp_path)
    assert asyncio.run(what_if(settings, 42, Overrides(), 0, None, as_json=True)) == 0
    shape = orjson.loads(capsys.readouterr().out)
    assert shape["differences"] == 0
    assert shape["same_attempts"] == shape["recorded"]["attempts"]
    other = Overrides(max_attempts=1)
    assert asyncio.run(what_if(settings, 42, other, 0, None, as_json=False)) == 0
    told = capsys.readouterr().out
    assert "max_attempts" in told
    assert "attempt 2: " in told
    assert told.count("calls begun") == 2
    with pytest.raises(MisusedError, match="found no campaign 7"):
        asyncio.run(what_if(settings, 7, Overrides(), 0, None, as_json=True))


def test_a_busy_minute_slides() -> None:
    times = [NOON + timedelta(seconds=s) for s in (0, 30, 59.9, 60, 61, 200)]
    assert busiest_minute(times) == 4
    assert busiest_minute([]) == 0
