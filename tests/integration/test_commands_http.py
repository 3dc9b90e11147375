"""Create, start, pause, resume and stop over HTTP: answers, and what the log then holds."""

import asyncio
from typing import Any

import pytest
from burki.models.campaign import Campaign as SdkCampaign

from campaigns.domain.facts import (
    CampaignCreated,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    ContactsEncrypted,
)
from campaigns.personal.row_reader import rows_of
from tests.support.several_apis import CONTACTS, Instance, Several, in_memory, virtually
from tests.support.whole_api import BODY

MOVES = ("start", "pause", "resume", "stop", "cancel")


@virtually
async def test_a_pause_is_answered_as_documented_and_shows_the_campaign() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running(name="Sample")
        answer = await one.post(f"/{campaign_id}/pause")
        assert answer.status_code == 200
        shape = answer.json()
        assert shape["message"] == "Campaign paused successfully"
        assert (shape["id"], shape["status"], shape["name"]) == (campaign_id, "paused", "Sample")
        assert shape["total_contacts"] == shape["pending_contacts"] == 3
        position = answer.headers["Dialgate-Position"]
        assert shape["receipt"] == {
            "position": position,
            "calls_in_progress": 0,
            "permissions_abandoned": 0,
            "contacts_pending": 3,
            "guarantee": "strict",
            "settled_in_ms": 0.0,
        }
        assert position == f"{campaign_id % 2}@3"
        SdkCampaign.model_validate(shape)
        (paused,) = (await world.audit()).of(CampaignPaused, campaign_id)
        assert (paused.reason, paused.paused_at) == (None, world.clock.now())


@virtually
async def test_a_pause_may_say_why() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        answer = await one.post(f"/{campaign_id}/pause", json={"reason": "lunch"})
        assert answer.status_code == 200
        (paused,) = (await world.audit()).of(CampaignPaused, campaign_id)
        assert paused.reason == "lunch"


@virtually
async def test_a_pause_until_is_refused_rather_than_forgotten() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        for move in MOVES:
            answer = await one.post(f"/{campaign_id}/{move}", json={"until": "2026-03-02"})
            assert answer.status_code == 422
            (error,) = answer.json()["detail"]
            assert error["loc"] == ["body", "until"]
        assert not (await world.audit()).of(CampaignPaused, campaign_id)


@virtually
async def test_a_start_begins_a_run_and_answers_as_documented() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.create()
        json_type = {"Content-Type": "application/json"}  # As the SDK sends it, without a body.
        answer = await one.post(f"/{campaign_id}/start", headers=json_type)
        assert answer.status_code == 200
        shape = answer.json()
        assert (shape["success"], shape["status"]) == (True, "running")
        assert shape["message"] == "Campaign execution started immediately"
        assert (shape["campaign_id"], shape["scheduled_time"]) == (campaign_id, None)
        assert shape["started_at"].endswith("+00:00")
        SdkCampaign.model_validate(shape)
        audit = await world.audit()
        assert [fact.run for fact in audit.of(CampaignStarted, campaign_id)] == [1]
        assert shape["task_id"] == audit.records[-1].id


@pytest.mark.parametrize("move", ["start", "resume"])
def test_a_paused_campaign_is_resumed_by_either_name(move: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one:
            campaign_id = await one.running()
            await one.done(campaign_id, "pause")
            shape = await one.done(campaign_id, move)
            assert (shape["status"], shape["success"]) == ("running", True)
            audit = await world.audit()
            assert len(audit.of(CampaignResumed, campaign_id)) == 1
            assert len(audit.of(CampaignStarted, campaign_id)) == 1, "the run goes on"
            assert audit.campaigns.by_id[campaign_id].run == 1

    scenario()


@pytest.mark.parametrize("move", ["stop", "cancel"])
def test_a_stop_cancels_who_is_pending_under_either_name(move: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one:
            campaign_id = await one.running()
            shape = await one.done(campaign_id, move)
            assert shape["message"] == "Campaign stopped successfully"
            assert (shape["status"], shape["cancelled_contacts"]) == ("cancelled", 3)
            assert shape["pending_contacts"] == 0
            assert shape["completed_at"] == shape["updated_at"]
            assert shape["receipt"]["guarantee"] == "strict"
            SdkCampaign.model_validate(shape)
            assert len((await world.audit()).of(CampaignStopped, campaign_id)) == 1

    scenario()


# What each status answers to each move; None is 200. Source: contract 2, and
# 9.19 and 9.20.
NOT_RUNNING = "Campaign is not running"
ALL_PROCESSED = "All contacts have already been processed"
SAID: dict[str, dict[str, str | None]] = {
    "draft": {
        "start": None,
        "pause": NOT_RUNNING,
        "resume": "Campaign cannot be resumed from status 'draft'",
        "stop": "Campaign cannot be stopped from status 'draft'",
    },
    "running": {
        "start": "Campaign is already running",
        "pause": None,
        "resume": "Campaign cannot be resumed from status 'running'",
        "stop": None,
    },
    "paused": {"start": None, "pause": NOT_RUNNING, "resume": None, "stop": None},
    "completed": {
        "start": ALL_PROCESSED,
        "pause": NOT_RUNNING,
        "resume": "Campaign cannot be resumed from status 'completed'",
        "stop": "Campaign cannot be stopped from status 'completed'",
    },
    "cancelled": {
        "start": "Campaign cannot be started from status 'cancelled'",
        "pause": NOT_RUNNING,
        "resume": "Campaign cannot be resumed from status 'cancelled'",
        "stop": "Campaign cannot be stopped from status 'cancelled'",
    },
}


async def brought_to(world: Several, one: Instance, status: str) -> int:
    """Bring a new campaign of one contact to a status; return its id."""
    campaign_id = await one.create(contacts=CONTACTS[:1])
    if status != "draft":
        await one.done(campaign_id, "start")
    if status in ("paused", "cancelled"):
        await one.done(campaign_id, {"paused": "pause", "cancelled": "stop"}[status])
    if status == "completed":
        call = await world.permit(campaign_id)
        await world.ring(call)
        await world.end(call)
        await world.complete(campaign_id)
    return campaign_id


@pytest.mark.parametrize("status", SAID)
def test_each_status_allows_what_the_contract_says(status: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one:
            for move, detail in (SAID[status] | {"cancel": SAID[status]["stop"]}).items():
                campaign_id = await brought_to(world, one, status)
                records = len((await world.audit()).records)
                answer = await one.post(f"/{campaign_id}/{move}")
                found = len((await world.audit()).records) - records
                if detail is None:
                    assert (answer.status_code, found) == (200, 1), (move, answer.text)
                else:
                    assert (answer.status_code, found) == (400, 0), move
                    assert answer.json() == {"detail": detail}

    scenario()


@virtually
async def test_a_start_needs_contacts_that_are_left() -> None:
    world = in_memory()
    async with world.instance() as one:
        empty = await one.create(contacts=[])
        answer = await one.post(f"/{empty}/start")
        assert (answer.status_code, answer.json()) == (400, {"detail": "No contacts found"})
        used_up = await one.running(contacts=CONTACTS[:1])
        call = await world.permit(used_up)
        await world.ring(call)
        await one.done(used_up, "pause")
        await world.end(call)
        await asyncio.sleep(0.1)  # No campaign's stream tells of it: a start rests on the fold.
        for move in ("start", "resume"):
            answer = await one.post(f"/{used_up}/{move}")
            assert (answer.status_code, answer.json()) == (400, {"detail": ALL_PROCESSED})


@pytest.mark.parametrize("kind", ["sms", "mixed"])
def test_messages_can_be_planned_and_not_sent(kind: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one:
            campaign_id = await one.create(campaign_type=kind)
            answer = await one.post(f"/{campaign_id}/start")
            assert answer.status_code == 400
            assert answer.json() == {"detail": "Messages are not supported yet"}

    scenario()


@virtually
async def test_a_create_answers_a_draft_with_all_it_was_given() -> None:
    world = in_memory()
    async with world.instance() as one:
        given: dict[str, Any] = {
            "name": "March",
            "assistant_id": 7,
            "campaign_type": "call",
            "description": "Reminders",
            "welcome_message_template": "Hi {{name}}",
            "fallback_values": {"name": "there"},
            "settings": {"maxConcurrentCalls": 9, "max_attempts": 2},
            "execution_settings": {"rate_limit_per_minute": 60},
            "contacts": [{"phone_number": "5551234567", "name": "Ann", "variables": {"a": "b"}}],
        }
        for path in ("", "/"):
            answer = await one.post(path, json=given)
            assert answer.status_code == 200
            shape = answer.json()
            assert (shape["status"], shape["organization_id"]) == ("draft", 1)
            assert shape["settings"]["max_concurrent_calls"] == 9
            assert shape["execution_settings"] == {
                "concurrent_limit": 9,
                "rate_limit_per_minute": 60,
                "allowed_hours": None,
                "time_zone": None,
            }
            assert shape["settings"]["welcome_template"] == "Hi {{name}}"
            assert (shape["max_attempts"], shape["total_contacts"]) == (2, 1)
            assert shape["schedule"]["schedule_type"] == "immediate"
            SdkCampaign.model_validate(shape)
        audit = await world.audit()
        added = [fact for fact in audit.accepted if isinstance(fact, ContactsEncrypted)]
        assert [len(fact.rows) for fact in added] == [1, 1]
        keys = world.log.list_keys
        read = [row for fact in added for row in rows_of(keys, fact.key_id, 1, fact.rows)]
        assert [row.phone_number for row in read if row] == ["+15551234567"] * 2
        created = audit.of(CampaignCreated, shape["id"])[0]
        assert b"+1555" not in created.as_json(), "personal data stands in ContactsEncrypted"


@virtually
async def test_a_schedule_that_is_none_is_refused_rather_than_forgotten() -> None:
    world = in_memory()
    async with world.instance() as one:
        for schedule, at in (
            ({"schedule_type": "once"}, "scheduled_at"),
            ({"scheduleType": "recurring"}, "start_time"),
        ):
            answer = await one.post("", json=BODY | {"schedule": schedule})
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["loc"] == ["body", "schedule", at]
        assert await one.create(schedule={"schedule_type": "immediate"})
        assert len((await world.audit()).records) == 1


@virtually
async def test_another_organizations_campaign_is_not_there() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        records = len((await world.audit()).records)
        for move in MOVES:
            for key in (None, "k"):
                answer = await one.post(f"/{campaign_id}/{move}", bearer="two", key=key)
                assert (answer.status_code, answer.json()) == (
                    404,
                    {"detail": "Campaign not found"},
                )
        answer = await one.post("", bearer="two", json=BODY)
        assert answer.json()["organization_id"] == 2
        assert len((await world.audit()).records) == records + 1


@virtually
async def test_a_key_that_is_not_known_is_401() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        for move in MOVES:
            answer = await one.post(f"/{campaign_id}/{move}", bearer="three")
            assert answer.status_code == 401
            assert answer.json() == {"detail": "Invalid or missing API key"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert not (await world.audit()).of(CampaignPaused, campaign_id)
