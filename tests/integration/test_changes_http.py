"""Update, delete, If-Match, dry runs and trailing slashes over HTTP."""

import asyncio
from typing import Any

import pytest
from burki.models.campaign import Campaign as SdkCampaign

from campaigns.domain.api_keys import actor_of, key_hash
from campaigns.domain.facts import CampaignDeleted, CampaignStarted, CampaignUpdated
from tests.support.several_apis import CONTACTS, Instance, in_memory, virtually
from tests.support.whole_api import BODY, CAMPAIGNS, whole_api


async def change(
    one: Instance, campaign_id: int, body: object, method: str = "PUT", **headers: str
) -> tuple[int, dict[str, Any]]:
    answer = await one.client.request(
        method,
        f"{CAMPAIGNS}/{campaign_id}",
        json=body,
        headers={"Authorization": "Bearer one"} | headers,
    )
    return answer.status_code, answer.json()


async def delete(
    one: Instance, campaign_id: int, bearer: str = "one", **headers: str
) -> tuple[int, dict[str, Any]]:
    answer = await one.client.delete(
        f"{CAMPAIGNS}/{campaign_id}", headers={"Authorization": f"Bearer {bearer}"} | headers
    )
    return answer.status_code, answer.json()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_is_partial_under_either_method(method: str) -> None:
    @virtually
    async def scenario() -> None:
        world = in_memory()
        async with world.instance() as one:
            campaign_id = await one.create(description="Kept")
            body = {
                "name": "New",
                "settings": {"maxAttempts": 1, "welcome_template": "Hello"},
                "execution_settings": {"concurrent_limit": 9},
                "campaign_type": "sms",
                "assistant_id": 99,
                "retry_delay_minutes": None,
            }
            status, shape = await change(one, campaign_id, body, method)
            assert (status, shape["message"]) == (200, "Campaign updated successfully")
            assert (shape["name"], shape["description"]) == ("New", "Kept")
            assert (shape["max_attempts"], shape["retry_delay_minutes"]) == (1, 30)
            assert shape["settings"]["max_concurrent_calls"] == 9
            assert shape["welcome_message_template"] == "Hello"
            assert (shape["campaign_type"], shape["assistant_id"]) == ("call", 1), "ignored"
            SdkCampaign.model_validate(shape)
            status, same = await change(one, campaign_id, {}, method)
            assert (status, same) == (200, shape), "the SDK may send an empty one"
            assert len((await world.audit()).of(CampaignUpdated, campaign_id)) == 1

    scenario()


@virtually
async def test_an_update_has_the_bounds_of_a_create() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.create()
        for body, loc in (
            ({"name": ""}, ["body", "name"]),
            ({"max_attempts": 11}, ["body", "max_attempts"]),
            ({"max_attempts": 2, "settings": {"max_attempts": 3}},
             ["body", "settings", "max_attempts"]),
            ({"fallback_values": {"a": 1}}, ["body", "fallback_values", "a"]),
        ):  # fmt: skip
            status, shape = await change(one, campaign_id, body)
            assert (status, shape["detail"][0]["loc"]) == (422, loc)
        assert not (await world.audit()).of(CampaignUpdated, campaign_id)


@virtually
async def test_a_running_campaign_is_not_updated() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        assert await change(one, campaign_id, {"name": "New"}) == (
            400,
            {"detail": "Campaign cannot be updated in status 'running'"},
        )
        await one.done(campaign_id, "pause")
        assert (await change(one, campaign_id, {"name": "New"}))[0] == 200


@virtually
async def test_a_deleted_campaign_is_gone_for_its_own_organization() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        running = {"detail": "Campaign is running: stop it first"}
        assert await delete(one, campaign_id) == (400, running)
        await one.done(campaign_id, "stop")
        assert (await delete(one, campaign_id, "two"))[0] == 404
        status, shape = await delete(one, campaign_id)
        assert (status, shape["message"]) == (200, "Campaign deleted successfully")
        assert shape["receipt"]["position"]
        gone = (404, {"detail": "Campaign not found"})
        assert await delete(one, campaign_id) == gone
        assert await change(one, campaign_id, {}) == gone
        for path in ("start", "pause"):
            answer = await one.post(f"/{campaign_id}/{path}")
            assert (answer.status_code, answer.json()) == gone, path


@virtually
async def test_a_delete_waits_as_a_pause_does() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        call = await world.permit(campaign_id, lease_s=2.0, carrier_timeout_s=5.0)
        await one.post(f"/{campaign_id}/pause", headers={"Prefer": "respond-async"})
        deleting = asyncio.create_task(delete(one, campaign_id))
        await asyncio.sleep(1)
        assert not deleting.done()
        await world.ring(call)
        status, shape = await deleting
        assert (status, shape["receipt"]["calls_in_progress"]) == (200, 1)
        assert shape["receipt"]["settled_in_ms"] >= 1000


@virtually
async def test_a_repeated_delete_is_answered_as_the_first_and_no_other_repeat_is() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.create()
        assert (await one.post(f"/{campaign_id}/start", key="start")).status_code == 200
        await one.done(campaign_id, "stop")
        for _ in range(2):
            status, shape = await delete(one, campaign_id, **{"Idempotency-Key": "delete"})
            assert (status, shape["message"]) == (200, "Campaign deleted successfully")
        assert (await one.post(f"/{campaign_id}/start", key="start")).status_code == 404
        assert len((await world.audit()).of(CampaignDeleted, campaign_id)) == 1


@virtually
async def test_who_rests_on_an_old_version_loses_with_412() -> None:
    world = in_memory()
    async with world.instance() as one:
        answer = await one.post("", json=BODY | {"contacts": CONTACTS})
        campaign_id, version = answer.json()["id"], answer.headers["ETag"]
        started = await one.post(f"/{campaign_id}/start", headers={"If-Match": version})
        assert started.status_code == 200
        assert started.headers["ETag"] != version
        for headers in ({"If-Match": version}, {"If-Match": 'W/"2"'}):
            lost = await one.post(f"/{campaign_id}/pause", headers=headers)
            assert lost.status_code == 412
            shape = lost.json()
            assert shape["detail"] == "The campaign is at version 2"
            assert shape["changed_by"]["type"] == "campaign-started.v1"
            assert shape["changed_by"]["actor"] == actor_of(1, key_hash("one"))
        assert (await change(one, campaign_id, {}, **{"If-Match": version}))[0] == 412
        assert (await delete(one, campaign_id, **{"If-Match": version}))[0] == 412
        now = {"If-Match": f'"9", {started.headers["ETag"]}'}
        assert (await one.post(f"/{campaign_id}/pause", headers=now)).status_code == 200


@virtually
async def test_a_dry_run_says_what_would_be_and_changes_nothing() -> None:
    world = in_memory()
    async with world.instance() as one:
        draft, running = await one.create(), await one.running()
        records = len((await world.audit()).records)
        for campaign_id, move, message in (
            (draft, "start", "Campaign would be started"),
            (running, "pause", "Campaign would be paused"),
            (running, "stop", "Campaign would be stopped"),
        ):
            answer = await one.post(f"/{campaign_id}/{move}?dry_run=true")
            shape = answer.json()
            assert (answer.status_code, shape["dry_run"]) == (200, True)
            assert shape["message"] == message
            assert shape["receipt"]["contacts_pending"] == 3
        answer = await one.post(f"/{draft}/pause?dry_run=true")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Campaign is not running"})
        for method in ("PATCH", "DELETE"):
            url = f"{CAMPAIGNS}/{draft}?dry_run=true"
            body = {"name": "New"} if method == "PATCH" else None
            tried = await one.client.request(
                method, url, json=body, headers={"Authorization": "Bearer one"}
            )
            assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
        audit = await world.audit()
        assert len(audit.records) == records
        assert not audit.of(CampaignStarted, draft)


async def test_reads_show_the_change_and_not_what_is_deleted() -> None:
    async with whole_api() as whole:
        campaign_id = await whole.create(contacts=CONTACTS)
        path = f"{CAMPAIGNS}/{campaign_id}"
        await whole.client.patch(path, json={"name": "New", "max_attempts": 1})
        found = await whole.client.get(path)
        assert (found.json()["name"], found.json()["max_attempts"]) == ("New", 1)
        assert found.headers["ETag"] == '"2"'
        assert [one["name"] for one in (await whole.get("?search=new"))["campaigns"]] == ["New"]
        await whole.client.delete(path)
        for below in ("", "/contacts", "/progress", "/executions", "/schedule", "/pause"):
            assert (await whole.client.get(f"{path}{below}")).status_code == 404, below
        assert (await whole.get(""))["total"] == 0
        added = await whole.client.post(f"{path}/contacts", json={"contacts": CONTACTS})
        assert added.status_code == 404
        assert (await whole.upload(campaign_id, "phone\n5551234567\n"))[0] == 404


async def test_how_far_a_pause_has_settled_can_be_followed() -> None:
    async with whole_api() as whole:
        campaign_id = await whole.create(contacts=CONTACTS)
        path = f"{CAMPAIGNS}/{campaign_id}"
        assert (await whole.get(f"{campaign_id}/pause"))["phase"] == "drained"
        await whole.client.post(f"{path}/start")
        assert (await whole.get(f"{campaign_id}/pause"))["phase"] == "running"
        paused = await whole.client.post(f"{path}/pause", json={"reason": "lunch"})
        found = await whole.get(f"{campaign_id}/pause")
        assert found["since"] == paused.json()["updated_at"]
        assert (found["phase"], found["reason"], found["until"]) == ("drained", "lunch", None)
        assert found["actor"] == actor_of(1, key_hash("one"))
        assert found["receipt"]["position"] == paused.json()["receipt"]["position"]


async def test_a_trailing_slash_is_served_without_a_redirect_everywhere() -> None:
    async with whole_api() as whole:
        campaign_id = await whole.create(contacts=CONTACTS)
        path = f"{CAMPAIGNS}/{campaign_id}"
        for below in ("", "contacts", "progress", "executions", "schedule", "pause"):
            assert (await whole.client.get(f"{path}/{below}/")).status_code == 200, below
        for below in ("start", "pause", "resume", "stop"):
            assert (await whole.client.post(f"{path}/{below}/")).status_code == 200, below
        assert (await whole.client.delete(f"{path}/")).status_code == 200
