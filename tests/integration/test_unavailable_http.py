"""When the log is away, slow, or silent: 503 says what may still be, and no stale no is told."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from campaigns.domain.facts import (
    CampaignCreated,
    CampaignPaused,
    CampaignResumed,
    CampaignStopped,
)
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.log.port import MemoryLog
from campaigns.process.metrics import REGISTRY
from campaigns.records.record import Record
from campaigns.testing.sample_records import FIRST
from command_api.settings import CommandApiSettings
from tests.support.broken_way import Way
from tests.support.several_apis import CONTACTS, in_memory, virtually
from tests.support.whole_api import BODY

RULING_S = CommandApiSettings().ruling_s
CATCH_UP_S = CommandApiSettings().command_catch_up_s


def unavailable(answer: httpx.Response, *, may_still: bool) -> None:
    """Check a 503: an integer Retry-After, and what may still be."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Retry-After"].isdigit(), "the SDK fails on a date or a decimal"
    shape = answer.json()
    assert shape["may_still_take_effect"] is may_still
    assert isinstance(shape["detail"], str)
    assert shape["detail"]


async def timed(answer: Coroutine[Any, Any, httpx.Response]) -> tuple[httpx.Response, float]:
    """Return an answer, and how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return await answer, loop.time() - began


@virtually
async def test_without_a_log_nothing_is_done_and_nothing_may_be() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        draft, running, paused = await one.create(), await one.running(), await one.running()
        await one.done(paused, "pause")
        records = len((await world.audit()).records)
        way.away = True
        for path in (
            f"/{draft}/start",
            f"/{running}/pause",
            f"/{running}/stop",
            f"/{paused}/resume",
            f"/{paused}/start",
        ):
            unavailable(await one.post(path), may_still=False)
        unavailable(await one.post("", json=BODY), may_still=False)
        assert await one.api.troubles()
        way.away = False
        assert not await one.api.troubles()
        assert len((await world.audit()).records) == records
        assert (await one.done(running, "pause"))["status"] == "paused"


def counted(command: str, outcome: str) -> float:
    """Return how many commands have ended so, in this process."""
    name = "dialgate_commands_total"
    return REGISTRY.get_sample_value(name, {"command": command, "outcome": outcome}) or 0.0


@virtually
async def test_what_is_answered_503_is_counted_by_what_may_still_be() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        running = await one.running()
        before = [counted(verb, "unavailable") for verb in ("pause", "create")]
        unknown = counted("pause", "unknown")
        way.away = True
        await one.post(f"/{running}/pause")
        await one.post("", json=BODY)
        after = [counted(verb, "unavailable") for verb in ("pause", "create")]
        assert after == [value + 1 for value in before]
        way.away, way.lost = False, True
        await one.post(f"/{running}/pause")
        assert counted("pause", "unknown") == unknown + 1


@virtually
async def test_without_a_log_there_is_no_no_either() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        draft, running = await one.create(), await one.running()
        way.away = True
        for path in (f"/{draft}/pause", f"/{running}/start", f"/{running}/resume", "/999/pause"):
            unavailable(await one.post(path), may_still=False)
        assert (await one.post(f"/{running}/pause", bearer="x")).status_code == 401
        assert (await one.post("/abc/pause")).status_code == 422


@virtually
async def test_who_has_met_an_unknown_fact_decides_nothing_more() -> None:
    """Its ledger counts the fact that it does not know, so the rule would accept what it decides.

    A fact of a later version may forbid all calls; until the process had ended, a
    start was decided as if it were not there, and counted.
    """
    world = in_memory(1)
    async with world.instance() as one:
        campaign_id = await one.running()
        await one.done(campaign_id, "pause")
        assert isinstance(world.log, MemoryLog)
        audit = await world.audit()
        condition = audit.ledgers[FIRST].condition([campaign_stream(campaign_id)])
        fact = CampaignResumed(campaign_id=campaign_id, reason=None, resumed_at=world.clock.now())
        record = Record("r", world.clock.now(), "t", "t", "t", None, condition, (fact,))
        unknown = record.encode().replace(b"campaign-resumed.v1", b"hold-placed.v1")
        records = world.log.append_bytes(FIRST, unknown).position
        await asyncio.sleep(0)
        while not one.api.reader.torn:
            await asyncio.sleep(0)
        unavailable(await one.post(f"/{campaign_id}/resume"), may_still=False)
        assert (await world.log.ends([FIRST]))[FIRST] == records


@pytest.mark.parametrize("how", ["lost", "hanging"])
def test_what_never_appears_is_503_and_the_next_try_counts(how: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        way = Way(world.log)
        async with world.instance(log=way) as one:
            campaign_id = await one.running()
            setattr(way, how, True)
            answer, took_s = await timed(one.post(f"/{campaign_id}/pause"))
            unavailable(answer, may_still=True)
            assert took_s == pytest.approx(RULING_S, abs=0.01)
            assert not one.api.reader.on_ruling, "no request waits for it"
            setattr(way, how, False)
            assert (await one.done(campaign_id, "pause"))["status"] == "paused"
            assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1

    scenario()


@virtually
async def test_what_the_log_refuses_is_answered_at_once_and_takes_no_effect() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        campaign_id = await one.running()
        way.refusing = True
        for path, body in ((f"/{campaign_id}/pause", None), ("", BODY)):
            answer, took_s = await timed(one.post(path, json=body))
            unavailable(answer, may_still=False)
            assert took_s < 0.1
        assert not one.api.reader.on_ruling, "no request waits for it"
        way.refusing = False
        assert (await one.done(campaign_id, "pause"))["status"] == "paused"
        assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1


@virtually
async def test_what_appears_late_takes_effect_as_the_answer_said_it_may() -> None:
    world = in_memory()
    way = Way(world.log, late_s=30.0)
    async with world.instance() as other, world.instance(log=way) as one:
        campaign_id = await other.running()
        unavailable(await one.post(f"/{campaign_id}/pause", key="k1"), may_still=True)
        assert (await world.audit()).campaigns.by_id[campaign_id].status == "running"
        await asyncio.sleep(25)
        assert (await world.audit()).campaigns.by_id[campaign_id].status == "paused"
        way.late_s = 0
        for instance in (one, other):
            assert (await instance.post(f"/{campaign_id}/pause")).status_code == 400
            assert (await instance.post(f"/{campaign_id}/pause", key="k1")).status_code == 200
        assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1


@virtually
async def test_a_repeat_elsewhere_counts_once_and_the_late_first_try_never() -> None:
    world = in_memory()
    way = Way(world.log, late_s=30.0)
    async with world.instance() as other, world.instance(log=way) as one:
        campaign_id = await other.running()
        unavailable(await one.post(f"/{campaign_id}/pause", key="k1"), may_still=True)
        assert (await other.post(f"/{campaign_id}/pause", key="k1")).status_code == 200
        await other.done(campaign_id, "resume")
        refused = (await world.audit()).refused
        await asyncio.sleep(25)
        audit = await world.audit()
        assert audit.refused == refused + 1
        assert audit.campaigns.by_id[campaign_id].status == "running", "what was overtaken is void"


@virtually
async def test_a_create_of_unknown_fate_is_repeated_safely_with_its_key() -> None:
    world = in_memory()
    way = Way(world.log, late_s=30.0)
    async with world.instance() as other, world.instance(log=way) as one:
        given = BODY | {"contacts": CONTACTS}
        unavailable(await one.post("", key="k1", json=given), may_still=True)
        unavailable(await one.post("", json=given), may_still=True)
        made = await other.post("", key="k1", json=given)
        assert made.status_code == 200
        await asyncio.sleep(40)
        again = await other.post("", key="k1", json=given)
        assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
        way.late_s = 0
        assert (await one.post("", key="k1", json=given)).json()["id"] == made.json()["id"]
        audit = await world.audit()
        assert len(audit.of(CampaignCreated, made.json()["id"])) == 1
        assert len(audit.campaigns.by_id) == 2, "the one without a key appeared, late"


@virtually
async def test_a_lost_acknowledgement_says_unknown_and_a_repeat_finds_it() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        campaign_id = await one.running()
        way.unknown = True
        unavailable(await one.post(f"/{campaign_id}/pause", key="k1"), may_still=True)
        way.unknown = False
        answer = await one.post(f"/{campaign_id}/pause", key="k1")
        assert (answer.status_code, answer.json()["status"]) == (200, "paused")


@virtually
async def test_who_is_always_overtaken_gives_up_in_time_having_done_nothing() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        campaign_id = await one.running()
        way.overtaken = True
        answer, took_s = await timed(one.post(f"/{campaign_id}/pause"))
        unavailable(answer, may_still=False)
        assert took_s == pytest.approx(CommandApiSettings().tries_s, abs=0.3)
        audit = await world.audit()
        others = [record for record in audit.records if record.source == "other"]
        assert len(others) == 2 * audit.refused, (
            "ours were refused, each after a pause and a resume"
        )
        way.overtaken = False
        assert (await one.done(campaign_id, "pause"))["status"] == "paused"


STALE: list[tuple[str, list[str], str, type[Any]]] = [
    # What it was when the instance was cut off; what others did since; what it is asked.
    ("running", ["pause"], "start", CampaignResumed),
    ("running", ["pause"], "resume", CampaignResumed),
    ("paused", ["resume"], "pause", CampaignPaused),
    ("paused", ["resume"], "stop", CampaignStopped),
    ("draft", ["start"], "pause", CampaignPaused),
]


@pytest.mark.parametrize(("was", "since", "asked", "kind"), STALE)
def test_an_instance_that_lags_behind_says_no_to_nothing_that_is_allowed(
    was: str, since: list[str], asked: str, kind: type[Any]
) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        way = Way(world.log)
        async with world.instance() as fresh, world.instance(log=way) as stale:
            campaign_id = await fresh.create()
            for move in {"draft": [], "running": ["start"], "paused": ["start", "pause"]}[was]:
                await fresh.done(campaign_id, move)
            await asyncio.sleep(0.1)
            way.reading.clear()
            for move in since:
                await fresh.done(campaign_id, move)
            before = len((await world.audit()).of(kind, campaign_id))
            answer, took_s = await timed(stale.post(f"/{campaign_id}/{asked}"))
            unavailable(answer, may_still=asked == "stop")  # A stop was allowed then too.
            assert took_s == pytest.approx(max(RULING_S, CATCH_UP_S), abs=0.01)
            assert len((await world.audit()).of(kind, campaign_id)) == before
            waiting = asyncio.create_task(stale.post(f"/{campaign_id}/{asked}"))
            await asyncio.sleep(1.0)
            assert not waiting.done()
            way.reading.set()
            assert (await waiting).status_code == 200
            assert len((await world.audit()).of(kind, campaign_id)) == before + 1

    scenario()


@virtually
async def test_an_instance_that_lags_behind_denies_no_campaign() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance() as fresh, world.instance(log=way) as stale:
        way.reading.clear()
        campaign_id = await fresh.running()
        answer, took_s = await timed(stale.post(f"/{campaign_id}/pause"))
        unavailable(answer, may_still=False)
        assert took_s == pytest.approx(CATCH_UP_S, abs=0.01)
        way.reading.set()
        assert (await stale.done(campaign_id, "pause"))["status"] == "paused"


@virtually
async def test_a_yes_on_an_old_reading_is_caught_by_the_rule() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance() as fresh, world.instance(log=way) as stale:
        campaign_id = await fresh.running()
        await asyncio.sleep(0.1)
        way.reading.clear()
        await fresh.done(campaign_id, "stop")
        waiting = asyncio.create_task(stale.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(1.0)
        assert way.appended == 1, "it was decided, on what it had read"
        way.reading.set()
        answer = await waiting
        assert (answer.status_code, answer.json()) == (400, {"detail": "Campaign is not running"})
        assert not (await world.audit()).of(CampaignPaused, campaign_id)
