"""Schedules over HTTP: save, show, confirm, take back, embedded and after a re-execution."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from burki.models.campaign import Campaign as SdkCampaign

from campaigns.domain.facts import CampaignScheduled
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST
from tests.support.several_apis import CONTACTS, in_memory, virtually
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

NEW_YORK = "America/New_York"


def ahead(hours: float = 24) -> str:
    """Return a whole second so far ahead."""
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0).isoformat()


async def post(api: Whole, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    answer = await api.client.post(f"{CAMPAIGNS}/{path}", json=body)
    return answer.status_code, answer.json()


async def test_a_saved_schedule_is_armed_shown_confirmed_and_taken_back() -> None:
    async with whole_api() as api:
        one, at = await api.create(contacts=CONTACTS), ahead()
        body = {"schedule_type": "scheduled", "scheduled_at": at}
        status, shape = await post(api, f"{one}/schedule", body)
        assert (status, shape["success"], shape["message"]) == (200, True, "Schedule saved")
        assert shape["status"] == "scheduled"
        assert (shape["schedule"]["schedule_type"], shape["schedule"]["scheduled_at"]) == (
            "once",
            at,
        )
        SdkCampaign.model_validate(shape)
        assert await api.get(f"{one}/schedule") == {
            "schedule_type": "scheduled", "scheduled_at": at, "recurring_config": None,
        }  # fmt: skip
        status, shape = await post(api, f"{one}/start")
        spelt = f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S}"
        assert (status, shape["message"]) == (200, f"Campaign scheduled for {spelt} UTC")
        assert (shape["status"], shape["scheduled_time"]) == ("scheduled", at)
        status, shape = await post(api, f"{one}/unschedule")
        assert (status, shape["success"], shape["status"]) == (200, True, "draft")
        assert (await api.get(f"{one}/schedule"))["schedule_type"] == "immediate"
        detail = "Campaign cannot be unscheduled from status 'draft'"
        assert await post(api, f"{one}/unschedule") == (400, {"detail": detail})


async def test_immediate_takes_a_saved_schedule_away() -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        immediate = {"schedule_type": "immediate"}
        for _ in range(2):
            status, shape = await post(api, f"{one}/schedule", immediate)
            assert (status, shape["status"]) == (200, "draft")
            await post(api, f"{one}/schedule", {"schedule_type": "once", "scheduled_at": ahead()})


async def test_a_recurring_one_is_shown_with_days_from_1_and_from_0() -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        config = {"frequency": "weekly", "days_of_week": [1, 5], "time": "09:00"}
        body = {"schedule_type": "recurring", "timezone": NEW_YORK, "recurring_config": config}
        status, shape = await post(api, f"{one}/schedule", body)
        assert status == 200
        schedule = shape["schedule"]
        assert (schedule["schedule_type"], schedule["days_of_week"]) == ("recurring", [0, 4])
        assert schedule["recurring_config"]["days_of_week"] == [1, 5]
        assert schedule["recurring_config"]["time_zone"] == NEW_YORK
        found = await api.get(f"{one}/schedule")
        assert found["schedule_type"] == "recurring"
        assert found["scheduled_at"] == schedule["scheduled_at"]
        assert datetime.fromisoformat(found["scheduled_at"]) > datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"schedule_type": "scheduled", "scheduled_at": "2020-01-01T00:00:00Z"},
         "Scheduled time is in the past"),
        ({"schedule_type": "sometimes"}, "Invalid schedule configuration: "),
        ({}, "Invalid schedule configuration: "),
        ({"schedule_type": "scheduled"}, "Invalid schedule configuration: scheduled_at"),
        ({"schedule_type": "recurring"}, "Invalid schedule configuration: recurring_config"),
    ],
)  # fmt: skip
async def test_a_schedule_that_is_none_is_400(body: dict[str, Any], detail: str) -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        ends = await api.ends()
        status, shape = await post(api, f"{one}/schedule", body)
        assert status == 400
        assert shape["detail"].startswith(detail)
        assert await api.ends() == ends


TOMORROW = ahead()
RECURRING: list[dict[str, Any]] = [
    {"frequency": "daily"},
    {"frequency": "daily", "interval": 30},
    {"frequency": "weekly", "days_of_week": [2, 5], "interval": 3},
    {"frequency": "weekly"},
    {"frequency": "monthly"},
    {"frequency": "monthly", "day_of_month": 31, "interval": 2},
]


@pytest.mark.parametrize(
    "body",
    [
        {"schedule_type": "once", "scheduled_at": TOMORROW, "timezone": NEW_YORK},
        {"schedule_type": "scheduled", "scheduled_at": TOMORROW},
        *(
            {"schedule_type": "recurring", "timezone": NEW_YORK,
             "recurring_config": one | {"time": "09:00"}, "scheduled_at": TOMORROW}
            for one in RECURRING
        ),
    ],
)  # fmt: skip
async def test_what_get_answered_changes_nothing_when_it_is_posted(body: dict[str, Any]) -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        assert (await post(api, f"{one}/schedule", body))[0] == 200
        shown, ends = await api.get(f"{one}/schedule"), await api.ends()
        whole = await api.get(f"{one}")
        for _ in range(2):
            status, shape = await post(api, f"{one}/schedule", shown)
            assert (status, shape["schedule"]) == (200, whole["schedule"])
            assert await api.get(f"{one}/schedule") == shown
        assert await api.ends() == ends, "nothing was recorded"
        status, shape = await post(api, f"{one}/schedule", shown | {"scheduled_at": ahead(45 * 24)})
        assert status == 200
        assert await api.ends() != ends, "another one is recorded"


async def test_hours_and_zone_that_get_does_not_name_stay_when_its_answer_is_posted() -> None:
    async with whole_api() as api:
        embedded = {"schedule_type": "recurring", "start_time": "09:00", "end_time": "17:00",
                    "days_of_week": [0, 3], "timezone": NEW_YORK}  # fmt: skip
        one = await api.create(contacts=CONTACTS, schedule=embedded)
        whole = await api.get(f"{one}")
        assert whole["schedule"]["end_time"] == "17:00"
        await post(api, f"{one}/schedule", await api.get(f"{one}/schedule"))
        assert await api.get(f"{one}") == whole


@pytest.mark.parametrize(
    ("more", "loc"),
    [
        ({"execution_settings": {"allowed_hours": {"start": "9:00", "end": "17:00"}}},
         ["execution_settings", "allowed_hours", "start"]),
        ({"execution_settings": {"allowed_hours": {"start": "09:00"}}},
         ["execution_settings", "allowed_hours", "end"]),
        ({"executionSettings": {"allowedHours": {"start": "09:00", "end": "17:00", "days": ["x"]}},
          "execution_settings": {"allowed_hours": {"start": "09:00", "end": "17:00",
                                                   "days": ["x"]}}},
         ["execution_settings", "allowed_hours", "days", 0]),
        ({"execution_settings": {"time_zone": "localtime"}}, ["execution_settings", "time_zone"]),
        ({"schedule": {"schedule_type": "once", "scheduled_at": "2030-01-01T00:00:00Z",
                       "timezone": "right/UTC"}}, ["schedule", "timezone"]),
        ({"schedule": {"schedule_type": "recurring", "start_time": "9"}},
         ["schedule", "start_time"]),
        ({"schedule": {"schedule_type": "recurring", "start_time": "09:00", "end_time": "25:00"}},
         ["schedule", "end_time"]),
        ({"schedule": {"schedule_type": "recurring", "recurring_config": {
            "frequency": "weekly", "time": "09:00", "days_of_week": [1, 8]}}},
         ["schedule", "recurring_config", "days_of_week", 1]),
        ({"schedule": {"schedule_type": "recurring", "start_time": "09:00", "days_of_week": [9]}},
         ["schedule", "days_of_week", 0]),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_times_is_said_at_its_place(
    more: dict[str, Any], loc: list[str | int]
) -> None:
    async with whole_api() as api:
        answer = await api.client.post(CAMPAIGNS, json=BODY | more)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", *loc]


@virtually
async def test_only_drafts_and_scheduled_campaigns_are_scheduled() -> None:
    world = in_memory()
    async with world.instance() as one:
        campaign_id = await one.running()
        at = (world.clock.now() + timedelta(hours=1)).isoformat()
        body = {"schedule_type": "scheduled", "scheduled_at": at}
        for status, move in (("running", "pause"), ("paused", "stop"), ("cancelled", "")):
            answer = await one.post(f"/{campaign_id}/schedule", json=body)
            detail = f"Campaign cannot be scheduled in status '{status}'"
            assert (answer.status_code, answer.json()) == (400, {"detail": detail})
            if move:
                await one.done(campaign_id, move)
        for _ in range(2):  # The same again is so already.
            draft = await one.create()
            answer = await one.post(f"/{draft}/schedule", json=body)
            assert (answer.status_code, answer.json()["status"]) == (200, "scheduled")
        assert len((await world.audit()).of(CampaignScheduled, draft)) == 1
        await one.done(draft, "stop")


async def test_a_create_may_bring_its_schedule() -> None:
    async with whole_api() as api:
        at = ahead()
        given = {"schedule_type": "once", "scheduled_at": at, "start_time": None}
        answer = await api.client.post(
            CAMPAIGNS, json=BODY | {"contacts": CONTACTS, "schedule": given}
        )
        shape = answer.json()
        assert (answer.status_code, shape["status"]) == (200, "scheduled")
        assert shape["schedule"]["scheduled_at"] == at
        assert await api.get(str(shape["id"])) == shape
        past = given | {"scheduled_at": "2020-01-01T00:00:00Z"}
        answer = await api.client.post(CAMPAIGNS, json=BODY | {"schedule": past})
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "Scheduled time is in the past",
        )
        answer = await api.client.post(CAMPAIGNS, json=BODY | {"schedule": given | {"timezone": 1}})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "schedule", "timezone"]


async def test_an_update_may_bring_a_schedule_to_a_draft() -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        body = {"name": "New", "schedule": {"schedule_type": "once", "scheduled_at": ahead()}}
        answer = await api.client.patch(f"{CAMPAIGNS}/{one}", json=body)
        assert (answer.status_code, answer.json()["status"]) == (200, "scheduled")
        assert answer.json()["name"] == "New"


async def test_calling_hours_are_kept_and_shown() -> None:
    async with whole_api() as api:
        hours = {"start": "09:00", "end": "17:00", "days": ["monday", "friday"]}
        one = await api.create(execution_settings={"allowed_hours": hours, "time_zone": NEW_YORK})
        found = (await api.get(str(one)))["execution_settings"]
        assert (found["allowed_hours"], found["time_zone"]) == (hours, NEW_YORK)
        wrong = BODY | {"execution_settings": {"allowed_hours": {"start": "9"}}}
        answer = await api.client.post(CAMPAIGNS, json=wrong)
        assert answer.status_code == 422
        where = ["body", "execution_settings", "allowed_hours", "start"]
        assert answer.json()["detail"][0]["loc"] == where


@pytest.mark.parametrize("kind", ["sms", "mixed"])
async def test_messages_are_not_scheduled_either(kind: str) -> None:
    async with whole_api() as api:
        one = await api.create(campaign_type=kind)
        body = {"schedule_type": "scheduled", "scheduled_at": ahead()}
        detail = "Messages are not supported yet"
        assert await post(api, f"{one}/schedule", body) == (400, {"detail": detail})


async def test_a_re_execution_may_be_scheduled() -> None:
    async with whole_api() as api:
        one, at = await api.create(contacts=CONTACTS), ahead()
        for move in ("start", "stop"):
            await post(api, f"{one}/{move}")
        body: dict[str, Any] = {
            "contact_selection": "all",
            "schedule_settings": {"schedule_type": "scheduled", "scheduled_at": "soon"},
        }
        assert (await post(api, f"{one}/re-execute", body))[0] == 400
        body["schedule_settings"]["scheduled_at"] = at
        status, shape = await post(api, f"{one}/re-execute", body)
        assert (status, shape["status"], shape["schedule_type"]) == (200, "scheduled", "once")
        assert (shape["scheduled_time"], shape["contacts_reset"]) == (at, 3)


NIGHT = {"start": "22:00", "end": "06:00"}
TO_THE_END = {"start": "09:00", "end": "24:00"}


@pytest.mark.parametrize("hours", [NIGHT, TO_THE_END])
async def test_hours_that_the_build_before_cannot_read_wait_for_the_level(
    hours: dict[str, str],
) -> None:
    async with whole_api() as api:
        api.commands.reader.installation.level = LEVEL_OLDEST
        night = {"execution_settings": {"allowed_hours": hours}}
        embedded = {"schedule": {"schedule_type": "recurring", "start_time": hours["start"],
                                 "end_time": hours["end"]}}  # fmt: skip
        one = await api.create(execution_settings={"allowed_hours": hours | {"end": "23:00"}})
        ends = await api.ends()
        for answer in (
            await api.client.post(CAMPAIGNS, json=BODY | night),
            await api.client.post(CAMPAIGNS, json=BODY | embedded),
            await api.client.put(f"{CAMPAIGNS}/{one}", json=night),
        ):
            assert answer.status_code == 400
            assert "`dialgate upgrade`" in answer.json()["detail"]
        assert await api.ends() == ends
        api.commands.reader.installation.level = LEVEL_NEWEST
        two = await api.create(**night)
        shown = (await api.get(str(two)))["execution_settings"]["allowed_hours"]
        assert (shown["start"], shown["end"]) == (hours["start"], hours["end"])
        answer = await api.client.put(f"{CAMPAIGNS}/{one}", json=night)
        assert answer.status_code == 200
