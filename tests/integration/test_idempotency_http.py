"""Idempotency-Key over HTTP: a repeat is safe, on any instance and after a restart."""

import asyncio
from pathlib import Path

import httpx
import pytest

from campaigns.domain.facts import (
    CampaignCreated,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    CreateKeyed,
)
from tests.support.several_apis import CONTACTS, Instance, in_memory, virtually
from tests.support.whole_api import BODY

KEEPABLE = {"create": "", "start": "start", "pause": "pause", "resume": "resume", "stop": "stop"}


async def ready_for(one: Instance, move: str) -> int:
    """Bring a new campaign to where a move is allowed."""
    campaign_id = await one.create()
    if move != "start":
        await one.done(campaign_id, "start")
    if move == "resume":
        await one.done(campaign_id, "pause")
    return campaign_id


def said(answer: httpx.Response) -> tuple[object, ...]:
    """Return what a repeat must say again."""
    shape = answer.json()
    return (
        answer.status_code,
        shape["message"],
        shape["status"],
        shape.get("task_id"),
        answer.headers["Dialgate-Position"],
    )


@pytest.mark.parametrize("move", ["start", "pause", "resume", "stop", "cancel"])
def test_a_repeat_is_answered_as_the_first_try_was_and_records_nothing(
    move: str, tmp_path: Path
) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        (kept := tmp_path / "one").mkdir()
        async with world.instance(kept) as one, world.instance() as other:
            campaign_id = await ready_for(one, move)
            path, body = f"/{campaign_id}/{move}", {"reason": "lunch"}
            first = await one.post(path, key="k1", json=body)
            assert first.status_code == 200
            records = len((await world.audit()).records)
            for instance in (one, other):
                assert said(await instance.post(path, key="k1", json=body)) == said(first)
        for data_dir in (kept, None):  # From a checkpoint, and from nothing.
            async with world.instance(data_dir) as restarted:
                await asyncio.sleep(0.1)
                assert said(await restarted.post(path, key="k1", json=body)) == said(first)
        assert len((await world.audit()).records) == records

    scenario()


@virtually
async def test_a_repeat_shows_the_campaign_as_it_is_now() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        first = await one.post(f"/{campaign_id}/pause", key="k1")
        await one.done(campaign_id, "stop")
        again = await one.post(f"/{campaign_id}/pause", key="k1")
        assert (again.status_code, again.json()["message"]) == (200, first.json()["message"])
        assert again.json()["status"] == "cancelled"
        assert again.headers["Dialgate-Position"] == first.headers["Dialgate-Position"]


@virtually
async def test_a_repeated_pause_waits_for_the_same_barrier() -> None:
    world = in_memory()
    async with world.instance() as one, world.instance() as other:
        campaign_id = await one.running()
        call = await world.permit(campaign_id)
        asked = [
            asyncio.create_task(each.post(f"/{campaign_id}/pause", key="k1"))
            for each in (one, other, one)
        ]
        await asyncio.sleep(1.0)
        assert not any(one.done() for one in asked)
        await world.abandon(call)
        answers = await asyncio.gather(*asked)
        assert world.clock.monotonic() == pytest.approx(1.0, abs=0.001)
        assert {said(answer) for answer in answers} == {said(answers[0])}
        assert answers[0].status_code == 200


@virtually
async def test_a_repeated_pause_does_not_pause_what_was_resumed_since() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        await one.post(f"/{campaign_id}/pause", key="k1")
        await one.done(campaign_id, "resume")
        await world.permit(campaign_id)
        await asyncio.sleep(0.5)
        again = await one.post(f"/{campaign_id}/pause", key="k1")
        assert world.clock.monotonic() == 0.5, "a later permission does not concern it"
        assert (again.status_code, again.json()["status"]) == (200, "running")
        assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1
        other_key = await one.post(f"/{campaign_id}/pause", key="k2")
        assert other_key.json()["status"] == "paused"


@virtually
async def test_the_same_key_for_something_else_is_422() -> None:
    world = in_memory()
    async with world.instance() as one, world.instance() as other:
        campaign_id = await one.running()
        await one.post(f"/{campaign_id}/pause", key="k1", json={"reason": "lunch"})
        records = len((await world.audit()).records)
        for instance in (one, other):
            for path, body in (
                (f"/{campaign_id}/pause", {"reason": "dinner"}),
                (f"/{campaign_id}/pause", None),
                (f"/{campaign_id}/start", {"reason": "lunch"}),
                (f"/{campaign_id}/stop", {"reason": "lunch"}),
            ):
                answer = await instance.post(path, key="k1", json=body)
                assert answer.status_code == 422
                (error,) = answer.json()["detail"]
                assert error["loc"] == ["header", "Idempotency-Key"]
                assert error["msg"] == "Idempotency-Key was used with another request"
        assert len((await world.audit()).records) == records


@virtually
async def test_a_key_belongs_to_its_campaign() -> None:
    world = in_memory()
    async with world.instance() as one:
        first, second = await one.running(), await one.running()
        for campaign_id in (first, second):
            assert (await one.post(f"/{campaign_id}/pause", key="k1")).status_code == 200
            assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1


@virtually
async def test_nothing_is_kept_for_a_no() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.create()
        for _ in range(2):
            answer = await one.post(f"/{campaign_id}/pause", key="k1")
            assert (answer.status_code, answer.json()) == (
                400,
                {"detail": "Campaign is not running"},
            )
        await one.done(campaign_id, "start")
        assert (await one.post(f"/{campaign_id}/pause", key="k1")).status_code == 200
        assert len((await world.audit()).of(CampaignPaused, campaign_id)) == 1


@pytest.mark.parametrize(
    ("move", "kind"),
    [
        ("start", CampaignStarted),
        ("pause", CampaignPaused),
        ("resume", CampaignResumed),
        ("stop", CampaignStopped),
    ],
)
def test_the_same_key_many_times_at_once_is_one_fact(move: str, kind: type[CampaignPaused]) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one, world.instance() as other:
            campaign_id = await ready_for(one, move)
            answers = await asyncio.gather(
                *(each.post(f"/{campaign_id}/{move}", key="k1") for each in (one, other) * 10)
            )
            assert {said(answer) for answer in answers} == {said(answers[0])}
            assert answers[0].status_code == 200
            assert len((await world.audit()).of(kind, campaign_id)) == 1

    scenario()


@virtually
async def test_only_the_last_keys_of_a_campaign_are_kept() -> None:
    world = in_memory()
    async with world.instance(idempotency_keys_max=3) as one:
        campaign_id = await one.running()
        for n in range(3):
            for move in ("pause", "resume"):
                assert (await one.post(f"/{campaign_id}/{move}", key=f"{move}{n}")).is_success
        assert (await one.post(f"/{campaign_id}/resume", key="resume1")).status_code == 200
        forgotten = await one.post(f"/{campaign_id}/resume", key="resume0")
        assert forgotten.status_code == 400, "decided again"


@virtually
async def test_a_repeated_create_is_the_same_campaign_on_any_instance(tmp_path: Path) -> None:
    world = in_memory(3)
    (kept := tmp_path / "one").mkdir()
    given = BODY | {"contacts": CONTACTS}
    async with world.instance(kept) as one, world.instance() as other:
        first = await one.post("", key="k1", json=given)
        assert first.status_code == 200
        records = len((await world.audit()).records)
        for instance in (one, other):
            again = await instance.post("", key="k1", json=given)
            assert (again.status_code, again.json()) == (200, first.json())
    for data_dir in (kept, None):
        async with world.instance(data_dir) as restarted:
            await asyncio.sleep(0.1)
            again = await restarted.post("", key="k1", json=given)
            assert (again.status_code, again.json()) == (200, first.json())
            other_body = await restarted.post("", key="k1", json=given | {"name": "Other"})
            assert other_body.status_code == 422
            assert len((await world.audit()).records) == records
            assert (await restarted.post("", key="k2", json=given)).json()["id"] != first.json()[
                "id"
            ]
            records += 1


@virtually
async def test_the_same_create_many_times_at_once_is_one_campaign() -> None:
    world = in_memory(3)
    async with world.instance() as one, world.instance() as other:
        answers = await asyncio.gather(
            *(each.post("", key="k1", json=BODY) for each in (one, other) * 10)
        )
        assert {answer.status_code for answer in answers} == {200}
        (campaign_id,) = {answer.json()["id"] for answer in answers}
        audit = await world.audit()
        assert len(audit.of(CampaignCreated, campaign_id)) == len(audit.campaigns.by_id) == 1
        assert len(audit.of(CreateKeyed, campaign_id)) == 1


@virtually
async def test_two_organizations_may_use_the_same_key() -> None:
    world = in_memory()
    async with world.instance() as one:
        mine = await one.post("", key="k1", json=BODY)
        theirs = await one.post("", key="k1", json=BODY, bearer="two")
        assert mine.json()["id"] != theirs.json()["id"]
        assert theirs.json()["organization_id"] == 2
        campaign_id = mine.json()["id"]
        spied = await one.post(f"/{campaign_id}/start", key="k1", bearer="two")
        assert spied.status_code == 404


@virtually
async def test_a_create_that_is_refused_keeps_no_key() -> None:
    world = in_memory()
    async with world.instance() as one:
        bad = BODY | {"contacts": [{"phone_number": "x"}]}
        assert (await one.post("", key="k1", json=bad)).status_code == 422
        assert (await one.post("", key="k1", json=BODY)).status_code == 200


@virtually
async def test_a_key_is_1_to_255_characters() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        for key in ("", "k" * 256):
            answer = await one.post(f"/{campaign_id}/pause", key=key)
            assert answer.status_code == 422
            (error,) = answer.json()["detail"]
            assert error["loc"] == ["header", "Idempotency-Key"]
        assert (await one.post(f"/{campaign_id}/pause", key="k" * 255)).status_code == 200
