"""`GET …/contacts/{id}/why` and `idle` in the progress, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.http.door import ID_MAX
from projector.why import why_routes
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

PHONES = [{"phone_number": f"+1555000{n:04}"} for n in range(3)]


async def why(api: Whole, campaign_id: int, contact_id: int) -> dict[str, Any]:
    return await api.get(f"{campaign_id}/contacts/{contact_id}/why")


async def idle(api: Whole, campaign_id: int) -> Any:
    return (await api.get(f"{campaign_id}/progress"))["idle"]


async def command(api: Whole, campaign_id: int, verb: str) -> None:
    answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/{verb}")
    assert answer.status_code == 200, answer.text


async def test_a_contact_says_why_it_is_not_called_and_what_became_of_it() -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=PHONES)
        found = await why(api, campaign_id, 2)
        assert (found["contact_id"], found["status"]) == (2, "pending")
        assert found["now"] == {
            "may_call": False, "gate": "not-running", "text": "campaign is draft", "retry_at": None,
        }  # fmt: skip
        (listed,) = found["history"]
        assert listed["what"] == "campaign-created.v1"
        assert listed["text"] == "listed when the campaign was created"
        assert listed["actor"].startswith("organization/1 key ")
        assert found["history_from"] is None
        assert await idle(api, campaign_id) is None

        await command(api, campaign_id, "start")
        found = await why(api, campaign_id, 1)
        assert found["now"]["may_call"]
        assert found["now"]["gate"] is None
        assert (await idle(api, campaign_id))["gate"] == "awaits-dialer", "there is none"


async def test_outside_its_hours_it_says_when_they_begin() -> None:
    opens = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)
    hours = {"start": f"{opens:%H:%M}", "end": f"{opens + timedelta(hours=1):%H:%M}"}
    body = {"allowed_hours": hours, "time_zone": "UTC"}
    async with whole_api() as api:
        campaign_id = await api.create(contacts=PHONES, execution_settings=body)
        await command(api, campaign_id, "start")
        shut = await idle(api, campaign_id)
        assert shut == {
            "gate": "outside-hours", "text": "outside the calling hours",
            "retry_at": opens.isoformat(),
        }  # fmt: skip
        assert (await why(api, campaign_id, 1))["now"] == {"may_call": False, **shut}


async def test_there_is_room_for_one_and_others_come_first() -> None:
    async with whole_api() as api:
        settings = {"max_concurrent_calls": 1}
        campaign_id = await api.create(contacts=PHONES, settings=settings)
        await command(api, campaign_id, "start")
        assert (await why(api, campaign_id, 1))["now"]["may_call"]
        now = (await why(api, campaign_id, 3))["now"]
        assert now["gate"] == "others-first"
        assert now["text"] == "there is room for 1 call now, and other contacts come first"


@pytest.mark.parametrize("contact_id", [4, ID_MAX])
async def test_a_contact_that_is_not_there_is_404(contact_id: int) -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=PHONES)
        url = f"{CAMPAIGNS}/{campaign_id}/contacts/{contact_id}/why"
        answer = await api.client.get(url)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Contact not found"})
        assert (await api.client.get(url.replace(str(contact_id), "0"))).status_code == 422


async def test_a_long_history_is_looked_at_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why_routes, "HISTORY_RECORDS_MAX", 2)
    async with whole_api() as api:
        campaign_id = await api.create(contacts=PHONES)
        for verb in ("start", "pause", "resume"):
            await command(api, campaign_id, verb)
        found = await why(api, campaign_id, 1)
        assert found["history"] == []
        assert found["history_from"].endswith("@3"), found
