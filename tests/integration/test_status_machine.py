"""The campaign's status machine over HTTP: one test a pair of status and action.

Source: contract 2, and 9.4, 9.19, 9.20, 9.22, 9.23 and 9.24. The table in the code is
campaigns.domain.moves.MOVES; this one is written down from the contract, so that either may be
wrong.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from campaigns.domain.facts import CampaignCompleted, CampaignFailed, Disposition
from tests.integration.test_sockets import call, write
from tests.support.several_apis import CONTACTS
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()
ONCE = {"schedule_type": "scheduled", "scheduled_at": LATER}
IMMEDIATE = {"schedule_type": "immediate"}
ALL = {"contact_selection": "all"}
STATUSES = ("draft", "scheduled", "running", "paused", "completed", "cancelled", "failed")
GONE = "gone"
Body = dict[str, Any] | None

# Action → method, path below the campaign, body.
ACTIONS: dict[str, tuple[str, str, Body]] = {
    "start": ("POST", "/start", None),
    "pause": ("POST", "/pause", None),
    "resume": ("POST", "/resume", None),
    "stop": ("POST", "/stop", None),
    "cancel": ("POST", "/cancel", None),
    "schedule immediate": ("POST", "/schedule", IMMEDIATE),
    "schedule once": ("POST", "/schedule", ONCE),
    "unschedule": ("POST", "/unschedule", None),
    "re-execute": ("POST", "/re-execute", ALL),
    "re-execute later": ("POST", "/re-execute", ALL | {"schedule_settings": ONCE}),
    "update": ("PATCH", "", {"name": "After"}),
    "delete": ("DELETE", "", None),
    "import": ("POST", "/import-data", None),
    "append": ("POST", "/contacts", {"contacts": [{"phone_number": "+15559999999"}]}),
}

# Action → from which status to which. Every other pair is 400 and changes nothing.
ALLOWED: dict[str, dict[str, str]] = {
    "start": {"draft": "running", "scheduled": "scheduled", "paused": "running"},
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    "stop": dict.fromkeys(("scheduled", "running", "paused"), "cancelled"),
    "cancel": dict.fromkeys(("scheduled", "running", "paused"), "cancelled"),
    "schedule immediate": dict.fromkeys(("draft", "scheduled"), "draft"),
    "schedule once": dict.fromkeys(("draft", "scheduled"), "scheduled"),
    "unschedule": {"scheduled": "draft"},
    "re-execute": dict.fromkeys(("completed", "cancelled", "failed"), "draft"),
    "re-execute later": dict.fromkeys(("completed", "cancelled", "failed"), "scheduled"),
    "update": {"draft": "draft", "paused": "paused"},
    "delete": dict.fromkeys((one for one in STATUSES if one != "running"), GONE),
    "import": {one: one for one in ("draft", "scheduled", "paused")},
    "append": {one: one for one in ("draft", "scheduled", "running", "paused")},
}


async def brought_to(api: Whole, status: str) -> int:
    """Bring a new campaign of one contact to a status; return its id."""
    more = {"schedule": ONCE} if status in ("scheduled", "failed") else {}
    one = await api.create(contacts=CONTACTS[:1], **more)
    now = api.commands.clock.now()
    verbs = {"running": ["start"], "paused": ["start", "pause"], "cancelled": ["start", "stop"]}
    for verb in verbs.get(status, ["start"] if status == "completed" else []):
        answer = await api.client.post(f"{CAMPAIGNS}/{one}/{verb}")
        assert answer.status_code == 200, answer.text
    if status == "completed":  # As a dialer would.
        await call(api, one, 1, Disposition.ANSWERED)
        await write(api, one, CampaignCompleted(campaign_id=one, run=1, completed_at=now))
    if status == "failed":
        await write(api, one, CampaignFailed(campaign_id=one, reason="late", failed_at=now))
    assert (await api.get(f"{one}"))["status"] == status
    return one


async def act(api: Whole, one: int, action: str) -> httpx.Response:
    method, path, body = ACTIONS[action]
    url = f"{CAMPAIGNS}/{one}{path}"
    if action == "import":
        file = ("file", ("x.csv", "phone\n5558888888\n", "text/csv"))
        return await api.client.post(url, files=[file])
    return await api.client.request(method, url, json=body)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_allows_an_action_or_refuses_it(status: str, action: str) -> None:
    async with whole_api() as api:
        one = await brought_to(api, status)
        ends, before = await api.ends(), await api.get(f"{one}")
        answer = await act(api, one, action)
        after = ALLOWED[action].get(status)
        if after is None:
            assert answer.status_code == 400, answer.text
            assert isinstance(answer.json()["detail"], str)
            assert (await api.get(f"{one}"), await api.ends()) == (before, ends)
        elif after == GONE:
            assert answer.status_code == 200, answer.text
            assert (await api.client.get(f"{CAMPAIGNS}/{one}")).status_code == 404
        else:
            assert answer.status_code == (202 if action == "import" else 200), answer.text
            assert (await api.get(f"{one}"))["status"] == after


def test_every_pair_is_there() -> None:
    assert ALLOWED.keys() == ACTIONS.keys()
    assert all(set(allowed) <= set(STATUSES) for allowed in ALLOWED.values())
