"""The barrier over HTTP: when a pause is answered, it is true. On virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from campaigns.domain.facts import CallRequested, CampaignPaused, CampaignResumed
from campaigns.log.port import MemoryLog
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from tests.support.broken_way import Way
from tests.support.several_apis import Instance, Several, in_memory, virtually
from tests.support.whole_api import CAMPAIGNS

LEASE_S, CARRIER_TIMEOUT_S = 2.0, 5.0  # Of a permission, unless a test says otherwise.
SOON_S = 0.001


class Asked:
    """A request on its way, and when it was answered."""

    def __init__(self, world: Several, answer: Any) -> None:
        self._began = world.clock.monotonic()
        self._task: asyncio.Task[httpx.Response] = asyncio.ensure_future(answer)
        self._task.add_done_callback(lambda _: setattr(self, "_ended", world.clock.monotonic()))
        self._ended: float | None = None

    @property
    def waits(self) -> bool:
        """Say whether it is not answered yet."""
        return not self._task.done()

    async def answer(self) -> httpx.Response:
        """Wait for the answer."""
        return await self._task

    async def took_s(self) -> float:
        """Wait for the answer; return how long it took."""
        await self._task
        await asyncio.sleep(0)
        assert self._ended is not None
        return self._ended - self._began


@asynccontextmanager
async def one_running() -> AsyncIterator[tuple[Several, Instance, int]]:
    """Run one instance with one running campaign."""
    world = in_memory()
    async with world.instance() as one:
        yield world, one, await one.running()


@virtually
async def test_with_no_permission_open_a_pause_is_answered_at_once() -> None:
    async with one_running() as (world, one, campaign_id):
        call = await world.permit(campaign_id)
        await world.ring(call)
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        assert await asked.took_s() == 0
        answer = await asked.answer()
        assert answer.status_code == 200
        assert answer.json()["receipt"]["calls_in_progress"] == 1, "a call that rings may talk on"


Resolve = Callable[[Several, CallRequested], Any]
RESOLUTIONS: dict[str, tuple[Resolve, int, int]] = {
    "it rang": (lambda world, call: world.ring(call), 0, 1),
    "it was abandoned": (lambda world, call: world.abandon(call), 1, 0),
    "it ended": (lambda world, call: world.end(call), 0, 0),
}


@pytest.mark.parametrize("how", RESOLUTIONS)
def test_a_pause_waits_for_an_open_permission_until_it_is_resolved(how: str) -> None:
    resolve, abandoned, in_progress = RESOLUTIONS[how]

    @virtually
    async def scenario() -> None:
        async with one_running() as (world, one, campaign_id):
            call = await world.permit(campaign_id)
            asked = Asked(world, one.post(f"/{campaign_id}/pause"))
            await asyncio.sleep(1.5)
            assert asked.waits
            await resolve(world, call)
            assert await asked.took_s() == pytest.approx(1.5, abs=SOON_S)
            receipt = (await asked.answer()).json()["receipt"]
            assert receipt["permissions_abandoned"] == abandoned
            assert receipt["calls_in_progress"] == in_progress
            assert receipt["settled_in_ms"] == pytest.approx(1500, abs=1)

    scenario()


@virtually
async def test_a_permission_that_nobody_resolves_is_waited_for_until_its_time_is_over() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.permit(campaign_id)
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        assert await asked.took_s() == pytest.approx(LEASE_S + CARRIER_TIMEOUT_S, abs=SOON_S)
        answer = await asked.answer()
        assert (answer.status_code, answer.json()["status"]) == (200, "paused")
        assert answer.json()["receipt"]["permissions_abandoned"] == 0
        again = Asked(world, one.post(f"/{campaign_id}/stop"))
        assert await again.took_s() == pytest.approx(0, abs=SOON_S), "its time is over for all"


@virtually
async def test_the_terms_are_those_of_the_record_the_longest_of_all() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.permit(campaign_id, 1, lease_s=30.0, carrier_timeout_s=1.0)
        await world.permit(campaign_id, 2, lease_s=1.0, carrier_timeout_s=40.0)
        await world.permit(campaign_id, 3, lease_s=0.1, carrier_timeout_s=0.1)
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        assert await asked.took_s() == pytest.approx(41.0, abs=SOON_S)


@virtually
async def test_the_wait_counts_from_when_the_permission_was_folded() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.permit(campaign_id)
        await asyncio.sleep(3.0)
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        assert await asked.took_s() == pytest.approx(4.0, abs=SOON_S)


@virtually
async def test_all_open_permissions_are_waited_for() -> None:
    async with one_running() as (world, one, campaign_id):
        calls = [await world.permit(campaign_id, contact) for contact in (1, 2, 3)]
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        for call in calls:
            await asyncio.sleep(0.5)
            assert asked.waits
            await world.abandon(call)
        assert await asked.took_s() == pytest.approx(1.5, abs=SOON_S)
        assert (await asked.answer()).json()["receipt"]["permissions_abandoned"] == 3


@virtually
async def test_a_permission_of_another_campaign_is_not_waited_for() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.permit(await one.running())
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        assert await asked.took_s() == 0


@pytest.mark.parametrize("move", ["stop", "cancel"])
def test_a_stop_waits_as_a_pause_does(move: str) -> None:
    @virtually
    async def scenario() -> None:
        async with one_running() as (world, one, campaign_id):
            call = await world.permit(campaign_id)
            asked = Asked(world, one.post(f"/{campaign_id}/{move}"))
            await asyncio.sleep(1.0)
            assert asked.waits
            await world.abandon(call)
            assert await asked.took_s() == pytest.approx(1.0, abs=SOON_S)
            shape = (await asked.answer()).json()
            assert (shape["cancelled_contacts"], shape["receipt"]["permissions_abandoned"]) == (
                3,
                1,
            )

    scenario()


@virtually
async def test_a_400_because_it_is_paused_already_waits_for_the_same_barrier() -> None:
    world = in_memory()
    async with world.instance() as one, world.instance() as other:
        campaign_id = await one.running()
        call = await world.permit(campaign_id)
        first = Asked(world, one.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(0.5)
        seconds = [Asked(world, each.post(f"/{campaign_id}/pause")) for each in (one, other)]
        await asyncio.sleep(0.5)
        assert first.waits
        assert all(second.waits for second in seconds), "a no would say that no call can begin"
        await world.abandon(call)
        assert await first.took_s() == pytest.approx(1.0, abs=SOON_S)
        for second in seconds:
            assert await second.took_s() == pytest.approx(0.5, abs=SOON_S)
            answer = await second.answer()
            assert (answer.status_code, answer.json()) == (
                400,
                {"detail": "Campaign is not running"},
            )


@virtually
async def test_a_stop_or_pause_of_what_is_stopped_waits_for_the_same_barrier() -> None:
    """A client that repeated a slow stop was told at once that it was stopped."""
    async with one_running() as (world, one, campaign_id):
        call = await world.permit(campaign_id)
        await one.post(f"/{campaign_id}/stop", headers={"Prefer": "respond-async"})
        again = [Asked(world, one.post(f"/{campaign_id}/{move}")) for move in ("stop", "pause")]
        await asyncio.sleep(0.5)
        assert all(each.waits for each in again), "a no would say that no call can begin"
        await world.abandon(call)
        for each in again:
            assert (await each.answer()).status_code == 400
            assert await each.took_s() == pytest.approx(0.5, abs=SOON_S)


@virtually
async def test_what_is_given_back_in_the_pauses_own_batch_is_counted() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        campaign_id = await one.running()
        calls = [await world.permit(campaign_id, contact) for contact in (1, 2)]
        await asyncio.sleep(0.1)
        way.reading.clear()
        partition = campaign_partition(campaign_id, world.log.partitions(CAMPAIGN_RECORDS))
        assert isinstance(world.log, MemoryLog)
        world.log.append_bytes(partition, b"what it is given next, alone")
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(0.1)
        for call in calls:
            await world.abandon(call)
        way.reading.set()
        answer = await asked.answer()
        assert answer.json()["receipt"]["permissions_abandoned"] == 2
        assert await asked.took_s() == pytest.approx(0.1, abs=SOON_S)


@virtually
async def test_a_pause_that_is_overtaken_by_another_says_what_it_saw_itself() -> None:
    async with one_running() as (world, one, campaign_id):
        calls = [await world.permit(campaign_id, contact) for contact in (1, 2)]
        first = Asked(world, one.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(0.1)
        await world.abandon(calls[0])
        await one.done(campaign_id, "resume")
        second = Asked(world, one.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(0.1)
        await world.abandon(calls[1])
        told = [(await each.answer()).json()["receipt"] for each in (first, second)]
        assert [each["permissions_abandoned"] for each in told] == [2, 1]


@virtually
async def test_a_no_that_promises_nothing_does_not_wait() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.permit(campaign_id)
        for move in ("start", "resume"):
            asked = Asked(world, one.post(f"/{campaign_id}/{move}"))
            assert (await asked.answer()).status_code == 400
            assert await asked.took_s() == 0


@virtually
async def test_a_fresh_instance_starts_the_wait_over(tmp_path: Path) -> None:
    world = in_memory()
    (tmp_path / "one").mkdir()
    async with world.instance(tmp_path / "one") as one:
        campaign_id = await one.running()
        await world.permit(campaign_id)
        await one.post(f"/{campaign_id}/pause", headers={"Prefer": "respond-async"})
        await asyncio.sleep(6.0)  # Of seven. The checkpoint is written once a second.
    for data_dir in (tmp_path / "one", None):
        async with world.instance(data_dir) as restarted:
            await asyncio.sleep(0.1)
            asked = Asked(world, restarted.post(f"/{campaign_id}/pause"))
            assert await asked.took_s() == pytest.approx(6.9, abs=0.05)
            assert (await asked.answer()).status_code == 400


@virtually
async def test_a_resume_while_a_pause_settles_is_allowed_and_the_pause_says_so() -> None:
    async with one_running() as (world, one, campaign_id):
        call = await world.permit(campaign_id)
        asked = Asked(world, one.post(f"/{campaign_id}/pause"))
        await asyncio.sleep(0.5)
        assert (await one.done(campaign_id, "resume"))["status"] == "running"
        later = await world.permit(campaign_id, 2)
        assert asked.waits, "what was permitted before the pause may still ring"
        await world.ring(call)
        assert await asked.took_s() == pytest.approx(0.5, abs=SOON_S), "the later one is no concern"
        shape = (await asked.answer()).json()
        assert (shape["status"], shape["message"]) == ("running", "Campaign paused successfully")
        facts = (await world.audit()).accepted
        paused = next(n for n, fact in enumerate(facts) if isinstance(fact, CampaignPaused))
        resumed = next(n for n, fact in enumerate(facts) if isinstance(fact, CampaignResumed))
        assert not any(isinstance(fact, CallRequested) for fact in facts[paused:resumed])
        await world.abandon(later)


@pytest.mark.parametrize("move", ["pause", "stop"])
@pytest.mark.parametrize("prefer", ["respond-async", "return=minimal, Respond-Async; wait=5"])
def test_who_prefers_it_is_answered_after_the_ruling(move: str, prefer: str) -> None:
    @virtually
    async def scenario() -> None:
        async with one_running() as (world, one, campaign_id):
            call = await world.permit(campaign_id)
            asked = Asked(world, one.post(f"/{campaign_id}/{move}", headers={"Prefer": prefer}))
            assert await asked.took_s() == 0
            answer = await asked.answer()
            assert answer.status_code == 202
            assert answer.headers["Preference-Applied"] == "respond-async"
            shape = answer.json()
            assert shape["status"] == {"pause": "paused", "stop": "cancelled"}[move]
            assert set(shape["receipt"]) == {
                "position",
                "calls_in_progress",
                "permissions_abandoned",
                "contacts_pending",
                "guarantee",
            }
            assert len((await world.audit()).campaigns.by_id[campaign_id].permissions()) == 1
            await world.abandon(call)

    scenario()


@pytest.mark.parametrize("more", [{}, {"json": {"reason": "lunch"}}], ids=["plain", "with a body"])
def test_preferences_in_several_lines_are_all_read(more: dict[str, Any]) -> None:
    lines = [("Authorization", "Bearer one"), ("Prefer", "wait=5"), ("Prefer", "respond-async")]

    @virtually
    async def scenario() -> None:
        async with one_running() as (world, one, campaign_id):
            await world.permit(campaign_id)
            path = f"{CAMPAIGNS}/{campaign_id}/pause"
            answer = await one.client.post(path, headers=lines, **more)
            assert answer.status_code == 202

    scenario()


@pytest.mark.parametrize(
    "prefer",
    ["", "wait=5", "return=minimal", "respond-asynchronously", 'note="then, respond-async"'],
)
def test_another_preference_waits_as_usual(prefer: str) -> None:
    @virtually
    async def scenario() -> None:
        async with one_running() as (world, one, campaign_id):
            await world.permit(campaign_id)
            asked = Asked(world, one.post(f"/{campaign_id}/pause", headers={"Prefer": prefer}))
            assert await asked.took_s() == pytest.approx(7.0, abs=SOON_S)
            answer = await asked.answer()
            assert answer.status_code == 200
            assert "Preference-Applied" not in answer.headers

    scenario()


@virtually
async def test_the_guarantee_is_strict_only_while_every_carrier_of_the_run_refuses_late_rings() -> (
    None
):
    async with one_running() as (world, one, campaign_id):
        await world.abandon(await world.permit(campaign_id, 1, refuses_late=True))
        receipt = (await one.done(campaign_id, "pause"))["receipt"]
        assert (receipt["guarantee"], receipt["contacts_pending"]) == ("strict", 3)
        await one.done(campaign_id, "resume")
        await world.abandon(await world.permit(campaign_id, 2, refuses_late=False))
        await world.abandon(await world.permit(campaign_id, 3, refuses_late=True))
        assert (await one.done(campaign_id, "pause"))["receipt"]["guarantee"] == "best effort"


@virtually
async def test_the_receipt_says_where_the_pause_stands_in_the_log() -> None:
    async with one_running() as (world, one, campaign_id):
        await world.ring(await world.permit(campaign_id, 1))
        position = (await one.done(campaign_id, "pause"))["receipt"]["position"]
        audit = await world.audit()
        assert [fact for fact, at in audit.accepted_at if at == position] == audit.of(
            CampaignPaused, campaign_id
        )


@virtually
async def test_a_permission_decided_before_the_pause_and_read_after_it_never_counts() -> None:
    async with one_running() as (world, one, campaign_id):
        before = await world.audit()
        await one.done(campaign_id, "pause")
        refused = (await world.audit()).refused
        await world.permit(campaign_id, seen=before)
        audit = await world.audit()
        assert audit.refused == refused + 1
        assert not audit.of(CallRequested, campaign_id)
        await asyncio.sleep(0.1)
        asked = Asked(world, one.post(f"/{campaign_id}/stop"))
        assert await asked.took_s() == 0, "no pause waits for a refused request"
