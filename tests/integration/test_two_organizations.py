"""Two organizations side by side with the same data: nothing of the one is to be had by the other.

Every operation of the OpenAPI document is asked, and every socket. What the other one has is told
apart by marks in all texts, numbers and names that a client can give.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from campaigns.domain.facts import Disposition
from dialgate.application import document
from tests.integration.test_sockets import call
from tests.support.ear import listening
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

MARKS = {"one": ("Alpha", "4151110"), "two": ("Omega", "4152220")}  # Names, and phone numbers.
OPERATIONS = [(method, path) for path, methods in document()["paths"].items() for method in methods]
FILE = "phone,name\n{0}001,{1}\n"
MISSING = 2**40  # The id of no campaign.


def body_of(path: str, mark: str, number: str) -> dict[str, Any]:
    """Return what an operation is sent, full of an organization's marks."""
    contact = {"phone_number": f"{number}002", "name": mark, "email": f"{mark}@example.org"}
    match path.rsplit("/", 1)[-1]:
        case "campaigns":
            return {
                "name": f"{mark} drive", "description": mark, "assistant_id": 1,
                "campaign_type": "call", "contacts": [contact | {"variables": {mark: mark}}],
                "welcome_message_template": mark, "fallback_values": {mark: mark},
                "variable_mappings": {mark: mark}, "pending_import": {mark: mark},
            }  # fmt: skip
        case "contacts":
            return {"contacts": [contact]}
        case "re-execute":
            return {"contact_selection": "all"}
        case "schedule":
            return {"schedule_type": "immediate"}
        case "template-preview":
            return {"template": "{{ name }}"}
        case "keys":
            return {"name": mark}
        case "webhooks":
            return {"url": f"http://127.0.0.1:9/{mark}", "description": mark}
        case "replay":
            return {"after": "beginning"}
        case "{webhook_id}":
            return {"description": f"{mark} again"}
        case _:
            return {"reason": mark} if "{" in path else {}


@dataclass
class Side:
    """One organization, and all that it has."""

    api: Whole
    key: str
    campaign_id: int = 0
    api_key_id: str = ""
    webhook_id: str = ""

    @property
    def marks(self) -> tuple[str, str]:
        return MARKS[self.key]

    async def send(
        self,
        method: str,
        path: str,
        campaign_id: object,
        key_id: str = "",
        webhook_id: str = "",
    ) -> httpx.Response:
        """Ask one operation about a campaign."""
        ids = {"import_id": 1, "contact_id": 1, "key_id": key_id or self.api_key_id}
        ids |= {"webhook_id": webhook_id or self.webhook_id}
        url = path.format(campaign_id=campaign_id, **ids)
        headers = {"Authorization": f"Bearer {self.key}"}
        mark, number = self.marks
        if path.endswith("/import-data"):
            file = ("file", (f"{mark}.csv", FILE.format(number, mark), "text/csv"))
            return await self.api.client.post(url, headers=headers, files=[file])
        body = body_of(path, mark, number) if method not in ("get", "delete") else None
        if method != "get":
            headers["Idempotency-Key"] = f"the same {method} {path}"
        return await self.api.client.request(method, url, headers=headers, json=body)

    async def settle_in(self) -> None:
        """Have a campaign that has been through everything, and an API key."""
        made = await self.send("post", CAMPAIGNS, 0)
        assert made.status_code == 200
        self.campaign_id = made.json()["id"]
        self.api_key_id = (await self.send("post", "/api/v1/keys", 0)).json()["id"]
        self.webhook_id = (await self.send("post", "/api/v1/webhooks", 0)).json()["id"]
        one = f"{CAMPAIGNS}/{{campaign_id}}"
        for verb in ("import-data", "start"):
            done = await self.send("post", f"{one}/{verb}", self.campaign_id)
            assert done.status_code in (200, 202), (verb, done.text)
        await call(self.api, self.campaign_id, 2, Disposition.ANSWERED)
        assert (await self.send("post", f"{one}/pause", self.campaign_id)).status_code == 200


@pytest.fixture
async def sides() -> AsyncIterator[tuple[Side, Side]]:
    async with whole_api() as api:
        api.client.headers.pop("Authorization")
        sides = Side(api, "one"), Side(api, "two")
        for side in sides:
            await side.settle_in()
        yield sides


def text_of(answer: httpx.Response) -> str:
    """Return all that an answer says, but where the log ends."""
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return json.dumps(headers) + answer.text


async def test_no_operation_shows_anything_of_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    asked = own = 0
    for method, path in OPERATIONS:
        if (method, path) == ("delete", f"{CAMPAIGNS}/{{campaign_id}}"):
            continue  # At the end.
        for campaign_id in (one.campaign_id, two.campaign_id, MISSING):
            answer = await one.send(method, path, campaign_id)
            assert answer.status_code < 500, (method, path, answer.text)
            for mark in two.marks:
                assert mark not in text_of(answer), (method, path, campaign_id)
            asked += answer.status_code < 300
            own += one.marks[0] in answer.text
    assert asked > 20, "most things can be had of one's own"
    assert own > 8, "and they are full of marks"


def similar(answer: httpx.Response, campaign_id: int) -> tuple[int, str]:
    """Return an answer without the id that was asked for."""
    return answer.status_code, answer.text.replace(str(campaign_id), "ID")


async def test_what_the_other_has_is_as_if_it_were_not_there(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ends = await one.api.ends()
    for method, path in OPERATIONS:
        if "{" not in path:
            continue
        theirs = await one.send(method, path, two.campaign_id, two.api_key_id, two.webhook_id)
        missing = await one.send(method, path, MISSING, "0" * 16, f"wh_{'0' * 32}")
        if (method, path) == ("get", f"{CAMPAIGNS}/{{campaign_id}}"):  # Documented: contract 9.10.
            assert (theirs.status_code, missing.status_code) == (403, 404)
            continue
        assert missing.status_code == 404, (method, path)
        assert similar(theirs, two.campaign_id) == similar(missing, MISSING), (method, path)
        assert theirs.headers.keys() == missing.headers.keys()
    assert await one.api.ends() == ends, "and nothing was recorded"


async def test_a_search_and_every_filter_find_only_ones_own(sides: tuple[Side, Side]) -> None:
    one, two = sides
    headers = {"Authorization": f"Bearer {one.key}"}
    for query in ("", "?search=drive", "?status=paused", "?campaign_type=call", "?assistant_id=1"):
        found = (await one.api.client.get(f"{CAMPAIGNS}{query}", headers=headers)).json()
        assert [shape["id"] for shape in found["campaigns"]] == [one.campaign_id], query
        assert (found["total"], found["pagination"]["total_items"]) == (1, 1)
    found = (await one.api.client.get(f"{CAMPAIGNS}?search=omega", headers=headers)).json()
    assert found["total"] == 0
    assert two.marks[0] == "Omega"


async def test_the_same_data_and_the_same_keys_are_no_duplicates(sides: tuple[Side, Side]) -> None:
    one, two = sides
    assert one.campaign_id != two.campaign_id
    for side in sides:
        headers = {"Authorization": f"Bearer {side.key}"}
        url = f"{CAMPAIGNS}/{side.campaign_id}"
        found = (await side.api.client.get(url, headers=headers)).json()
        assert (found["name"], found["total_contacts"]) == (f"{side.marks[0]} drive", 1)


async def test_no_socket_tells_of_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    app = one.api.app
    closed = []
    for campaign_id in (two.campaign_id, MISSING):
        async with listening(app, f"/ws/campaigns/{campaign_id}/progress?token=one") as ear:
            closed.append(await ear.closed())
    assert closed == [4004, 4004]
    async with listening(app, "/ws/campaigns/monitor?token=one") as ear:
        told = await ear.until(lambda frame: frame["type"] == "overview")
        ear.say({"type": "subscribe", "campaign_ids": [one.campaign_id, two.campaign_id]})
        ear.say({"type": "ping"})
        told += await ear.until(lambda frame: frame["type"] == "pong")
        for side in (two, one):
            path = f"{CAMPAIGNS}/{{campaign_id}}/stop"
            assert (await side.send("post", path, side.campaign_id)).status_code == 200
        told += await ear.until(lambda frame: frame["type"] == "campaign_update")
    assert {frame["data"]["campaign_id"] for frame in told if "data" in frame} == {one.campaign_id}
    for mark in two.marks:
        assert mark not in json.dumps(told)
