"""Re-execute over HTTP: answers, and what people see of contacts afterwards."""

from typing import Any

from burki.models.campaign import Campaign as SdkCampaign

from campaigns.domain.facts import CampaignRearmed
from tests.support.several_apis import CONTACTS, in_memory, virtually
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api


async def stopped(api: Whole, contacts: int = 3) -> int:
    campaign_id = await api.create(contacts=CONTACTS[:contacts])
    for move in ("start", "stop"):
        answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/{move}")
        assert answer.status_code == 200
    return campaign_id


async def again(api: Whole, campaign_id: int, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/re-execute", json=body)
    return answer.status_code, answer.json()


async def test_another_run_of_all_is_a_draft_to_be_started() -> None:
    async with whole_api() as api:
        campaign_id = await stopped(api)
        status, shape = await again(api, campaign_id, contact_selection="all", schedule_settings={})
        assert status == 200
        assert shape["message"] == "Campaign ready for re-execution with 3 contacts"
        assert (shape["success"], shape["contacts_reset"]) == (True, 3)
        assert (shape["schedule_type"], shape["status"]) == ("immediate", "draft")
        SdkCampaign.model_validate(shape)
        found = await api.get(f"{campaign_id}/contacts?status=pending")
        assert found["total"] == 3
        started = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/start")
        assert (started.status_code, started.json()["status"]) == (200, "running")


async def test_named_contacts_run_again_and_the_others_are_skipped() -> None:
    async with whole_api() as api:
        campaign_id = await stopped(api)
        status, shape = await again(api, campaign_id, contact_selection=[3, 1, 3, 99])
        assert (status, shape["contacts_reset"]) == (200, 2), "who is not there is passed over"
        assert (shape["total_contacts"], shape["skipped_contacts"]) == (2, 1)
        for wanted, ids in (("pending", [1, 3]), ("skipped", [2]), ("cancelled", [])):
            found = await api.get(f"{campaign_id}/contacts?status={wanted}")
            assert [one["id"] for one in found["contacts"]] == ids, wanted
        progress = await api.get(f"{campaign_id}/progress")
        assert (progress["progress"]["skipped"], progress["started_at"]) == (1, None)


async def test_what_cannot_be_run_again_is_400_and_changes_nothing() -> None:
    async with whole_api() as api:
        draft, over = await api.create(contacts=CONTACTS), await stopped(api)
        ends = await api.ends()
        for campaign_id, body, detail in (
            (draft, {"contact_selection": "all"},
             "Campaign cannot be re-executed from status 'draft'"),
            (over, {"contact_selection": "failed_only"}, "No contacts match the selection"),
            (over, {"contact_selection": [77]}, "No contacts match the selection"),
            (over, {"contact_selection": "some"}, "Invalid contact_selection"),
            (over, {}, "Invalid contact_selection"),
        ):  # fmt: skip
            assert await again(api, campaign_id, **body) == (400, {"detail": detail})
        many = list(range(1, 300))
        assert (await again(api, over, contact_selection=many))[0] == 413
        assert await api.ends() == ends


async def test_a_dry_run_of_it_changes_nothing() -> None:
    async with whole_api() as api:
        campaign_id = await stopped(api)
        ends = await api.ends()
        answer = await api.client.post(
            f"{CAMPAIGNS}/{campaign_id}/re-execute?dry_run=true", json={"contact_selection": "all"}
        )
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert await api.ends() == ends


@virtually
async def test_a_repeat_with_its_key_is_one_re_execution() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        await one.done(campaign_id, "stop")
        for _ in range(2):
            answer = await one.post(
                f"/{campaign_id}/re-execute", json={"contact_selection": "all"}, key="again"
            )
            assert (answer.status_code, answer.json()["contacts_reset"]) == (200, 3)
        assert len((await world.audit()).of(CampaignRearmed, campaign_id)) == 1
