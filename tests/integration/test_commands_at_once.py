"""Many commands at once, on several instances of the command API and one log."""

import asyncio
from collections import Counter
from pathlib import Path

from campaigns.domain.facts import CallRequested, CampaignPaused, CampaignStopped
from campaigns.process.clock import SystemClock
from campaigns.sqlite.sqlite_log import SqliteLog
from tests.support.several_apis import Several, in_memory, virtually

NOT_RUNNING = "Campaign is not running"


@virtually
async def test_ten_pauses_at_once_are_one_fact_and_every_answer_is_true() -> None:
    world = in_memory()
    async with world.instance() as one, world.instance() as other:
        campaign_id = await one.running()
        calls = [await world.permit(campaign_id, contact) for contact in (1, 2)]
        await world.ring(calls[0])
        asked = [
            asyncio.create_task(instance.post(f"/{campaign_id}/pause"))
            for instance in (one, other) * 5
        ]
        await asyncio.sleep(0.5)
        assert not any(answer.done() for answer in asked), "a permission is open: nothing is said"
        await world.abandon(calls[1])
        answers = await asyncio.gather(*asked)
        audit = await world.audit()
        assert len(audit.of(CampaignPaused, campaign_id)) == 1
        assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 9}
        for answer in answers:
            if answer.status_code == 400:
                assert answer.json() == {"detail": NOT_RUNNING}
            else:
                assert answer.json()["receipt"]["calls_in_progress"] == 1
        assert len(audit.of(CallRequested, campaign_id)) == 2
        assert not audit.campaigns.by_id[campaign_id].permissions()


@virtually
async def test_sixty_four_creates_at_once_on_two_instances_all_succeed() -> None:
    world = in_memory(3)
    async with world.instance() as one, world.instance() as other:
        ids = await asyncio.gather(*(instance.create() for instance in (one, other) * 32))
        assert len(set(ids)) == 64
        audit = await world.audit()
        assert sorted(audit.campaigns.by_id) == sorted(ids)
        assert all(campaign.counters.total == 3 for campaign in audit.campaigns.by_id.values())


@virtually
async def test_creates_of_one_instance_do_not_refuse_one_another() -> None:
    world = in_memory(3)
    async with world.instance() as one:
        ids = await asyncio.gather(*(one.create() for _ in range(64)))
        assert len(set(ids)) == 64
        assert (await world.audit()).refused == 0


async def test_two_processes_on_one_file_create_and_pause_at_once(tmp_path: Path) -> None:
    logs = [SqliteLog(tmp_path / "log.db", 2, exclusive=False) for _ in range(2)]
    for log in logs:
        await log.open()
    world = Several(logs[0], SystemClock())
    async with world.instance() as one, world.instance(log=logs[1]) as other:
        ids = await asyncio.gather(*(instance.create() for instance in (one, other) * 32))
        assert len(set(ids)) == 64
        await asyncio.gather(*(one.done(campaign_id, "start") for campaign_id in ids[:8]))
        answers = await asyncio.gather(
            *(
                instance.post(f"/{campaign_id}/pause")
                for campaign_id in ids[:8]
                for instance in (one, other)
            )
        )
        audit = await world.audit()
        assert all(len(audit.of(CampaignPaused, campaign_id)) == 1 for campaign_id in ids[:8])
        assert Counter(answer.status_code for answer in answers) == {200: 8, 400: 8}
    for log in logs:
        await log.close()


@virtually
async def test_opposite_commands_at_once_leave_the_log_in_one_order() -> None:
    world = in_memory()
    async with world.instance() as one, world.instance() as other:
        campaign_id = await one.running()
        moves = ["pause", "start", "resume", "pause", "start", "stop"] * 3
        answers = await asyncio.gather(
            *(
                instance.post(f"/{campaign_id}/{move}")
                for move in moves
                for instance in (one, other)
            )
        )
        assert {answer.status_code for answer in answers} == {200, 400}
        audit = await world.audit()
        kinds = [type(fact) for fact in audit.accepted[-8:]]
        assert kinds.count(CampaignStopped) == 1
        told = sum(answer.status_code == 200 for answer in answers)
        assert told == len(audit.records) - 2, "each yes is one record, behind create and start"
        assert kinds[-1] is CampaignStopped
