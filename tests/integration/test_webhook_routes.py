"""Webhooks over HTTP, delivered by the real projector from the real log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import Scope
from campaigns.events.cursor import START
from campaigns.records.cloud_event import events_of
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, ORGANIZATIONS, Partition
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_settings import WebhookSettings
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import until
from tests.support.whole_api import CAMPAIGNS, WEBHOOKS, Whole, whole_api

HOOKS = "/api/v1/webhooks"


@pytest.fixture
async def api() -> AsyncIterator[Whole]:
    async with whole_api() as api:
        yield api


async def made(api: Whole, receiver: Receiver, **more: object) -> dict[str, Any]:
    answer = await api.client.post(HOOKS, json={"url": receiver.url} | more)
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


async def shown(api: Whole, hook: dict[str, Any]) -> dict[str, Any]:
    answer = await api.client.get(f"{HOOKS}/{hook['id']}")
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


async def until_shown(api: Whole, hook: dict[str, Any], **wanted: object) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found = await shown(api, hook)
            if found | wanted == found:
                return found
            await asyncio.sleep(0.02)


async def log_events(api: Whole) -> dict[str, bytes]:
    """Return every event of the log, by a reader that was not there."""
    found = dict[str, bytes]()
    for number in range(api.log.partitions(CAMPAIGN_RECORDS)):
        for recorded in await api.log.read(Partition(CAMPAIGN_RECORDS, number), 0, 10_000):
            if isinstance(recorded.envelope, Envelope):
                found |= {str(one.id): one.body for one in events_of(recorded)}
    return found


async def test_events_come_byte_for_byte_as_the_log_has_them_and_the_secret_verifies_them(
    api: Whole,
) -> None:
    before = await api.create()
    async with receiving() as receiver:
        hook = await made(api, receiver)
        for _ in range(3):
            campaign_id = await api.create(contacts=[{"phone_number": "5551234567"}])
            for verb in ("start", "pause", "resume", "stop"):
                await api.client.post(f"{CAMPAIGNS}/{campaign_id}/{verb}")
        await until_shown(api, hook, behind=0)
        came = {one.headers["webhook-id"]: one.checked(hook["secret"]) for one in receiver.requests}
    every = await log_events(api)
    assert came == {name: body for name, body in every.items() if name in came}
    left_out = [orjson.loads(body) for name, body in every.items() if name not in came]
    assert [one["subject"] for one in left_out] == [f"campaign/{before}"], "it was there before"
    assert len(came) >= 15


async def test_from_the_beginning_only_what_is_wanted_and_of_ones_own(api: Whole) -> None:
    one, other = await api.create(), await api.create()
    theirs = await api.client.post(
        CAMPAIGNS,
        json={"name": "x", "assistant_id": 1, "campaign_type": "call"},
        headers={"Authorization": "Bearer two"},
    )
    async with receiving() as receiver:
        hook = await made(
            api, receiver, after="beginning", types=["campaign-created"], campaign_ids=[other]
        )
        every = await made(api, receiver, after=str(START))
        for each in (hook, every):
            await until_shown(api, each, behind=0)
        came = [orjson.loads(request.body)["subject"] for request in receiver.requests]
    assert sorted(came) == sorted([f"campaign/{other}", f"campaign/{one}", f"campaign/{other}"])
    assert f"campaign/{theirs.json()['id']}" not in came
    no = await api.client.post(
        HOOKS, json={"url": receiver.url, "campaign_ids": [theirs.json()["id"]]}
    )
    assert no.status_code == 404


async def test_the_secret_is_shown_once_and_nowhere_in_the_log(api: Whole) -> None:
    async with receiving() as receiver:
        keyed = {"Idempotency-Key": "k"}
        body = {"url": receiver.url, "description": "CRM"}
        first = await api.client.post(HOOKS, json=body, headers=keyed)
        again = await api.client.post(HOOKS, json=body, headers=keyed)
        assert first.json() == again.json(), "a lost answer can be had again"
        other = await api.client.post(HOOKS, json=body | {"description": "x"}, headers=keyed)
        assert other.status_code == 422
        secret = first.json()["secret"]
        assert secret.startswith("whsec_")
        listed = (await api.client.get(HOOKS)).json()
        assert listed["total"] == 1
        assert "secret" not in listed["items"][0]
        rotated = await api.client.post(f"{HOOKS}/{first.json()['id']}/rotate")
        new = rotated.json()["secret"]
        assert new != secret
        again = await api.client.post(HOOKS, json=body, headers=keyed)
        assert again.json()["secret"] is None, "it was replaced since"
        raw = b"".join([one.raw or b"" for one in await api.log.read(ORGANIZATIONS, 0, 100)])
        for one in (secret, new):
            assert one.encode() not in raw
            assert one.removeprefix("whsec_").rstrip("=").encode() not in raw
        await api.create()
        await until(lambda: len(receiver.requests) == 1)
        (request,) = receiver.requests
        assert request.checked(secret) == request.checked(new)
        assert len(request.headers["webhook-signature"].split(" ")) == 2


async def test_after_the_200_to_a_delete_nothing_is_delivered() -> None:
    async with whole_api() as api, receiving() as receiver:
        hook = await made(api, receiver)
        made_so_far = 0

        async def create_on() -> None:
            nonlocal made_so_far
            while True:
                await api.create()
                made_so_far += 1

        creating = asyncio.create_task(create_on())
        await until(lambda: len(receiver.requests) > 5)
        answer = await api.client.delete(f"{HOOKS}/{hook['id']}")
        came, at = len(receiver.requests), made_so_far
        assert answer.status_code == 200
        await until(lambda: made_so_far > at + 20)
        creating.cancel()
        await asyncio.gather(creating, return_exceptions=True)
        assert len(receiver.requests) == came
        for method in ("GET", "PATCH", "DELETE"):
            gone = await api.client.request(method, f"{HOOKS}/{hook['id']}", json={})
            assert gone.status_code == 404


async def test_paused_it_rests_and_active_it_goes_on_where_it_was(api: Whole) -> None:
    async with receiving() as receiver:
        hook = await made(api, receiver)
        paused = await api.client.patch(f"{HOOKS}/{hook['id']}", json={"status": "paused"})
        assert paused.json()["status"] == "paused"
        await api.create()
        assert (await until_shown(api, hook, behind=1))["status"] == "paused"
        assert not receiver.requests
        await api.client.patch(f"{HOOKS}/{hook['id']}", json={"status": "active"})
        found = await until_shown(api, hook, behind=0)
        assert found["status"] == "active"
        assert found["last_response"]["status"] == 200
        assert len(receiver.requests) == 1


async def test_a_replay_and_a_test_and_what_they_say(api: Whole) -> None:
    async with receiving() as receiver:
        hook = await made(api, receiver)
        for _ in range(4):
            await api.create()
        await until_shown(api, hook, behind=0)
        asked = {"after": "beginning"}
        answer = await api.client.post(f"{HOOKS}/{hook['id']}/replay", json=asked)
        assert answer.status_code == 200, answer.text
        await until(lambda: len(receiver.requests) == 8)
        names = [one.headers["webhook-id"] for one in receiver.requests]
        assert sorted(names[:4]) == sorted(names[4:])
        tried = (await api.client.post(f"{HOOKS}/{hook['id']}/test")).json()
        assert (tried["delivered"], tried["status"], tried["error"]) == (True, 200, None)
        last = receiver.requests[-1]
        assert orjson.loads(last.checked(hook["secret"]))["type"] == "dialgate.test"
        receiver.script.append("503")
        tried = (await api.client.post(f"{HOOKS}/{hook['id']}/test")).json()
        assert (tried["delivered"], tried["status"]) == (False, 503)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://127.0.0.1/", "colour": 1}, "colour"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "http://u:p@127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1/", "types": ["nothing.v1"]}, "types"),
        ({"url": "http://127.0.0.1/", "types": []}, "types"),
        ({"url": "http://127.0.0.1/", "campaign_ids": ["x"]}, "campaign_ids"),
        ({"url": "http://127.0.0.1/", "after": "nonsense"}, "after"),
        ({"url": "http://127.0.0.1/", "description": "a\x1bb"}, "description"),
    ],
)
async def test_what_is_unusable_is_422_and_names_its_field(
    api: Whole, body: dict[str, Any], field: str
) -> None:
    answer = await api.client.post(HOOKS, json=body)
    assert answer.status_code == 422
    assert field in answer.json()["detail"][0]["loc"]
    assert await api.log.read(ORGANIZATIONS, 0, 10) == []


INNER = ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:10.0.0.1]", "[fec0::1]"]


async def test_no_inner_address_is_taken_and_none_is_delivered_to_without_leave() -> None:
    strict = WebhookSettings(fresh_s=0.1, retry_wait_s=0.02)
    async with whole_api(webhooks=strict) as api, receiving() as receiver:
        for host in INNER:
            answer = await api.client.post(HOOKS, json={"url": f"https://{host}/"})
            assert answer.status_code == 422, host
            assert answer.json()["detail"][0]["loc"] == ["body", "url"]
        assert (await api.client.post(HOOKS, json={"url": receiver.url})).status_code == 422
        # Of a name, only who connects can tell.
        named = await api.client.post(HOOKS, json={"url": f"https://localhost:{receiver.port}/"})
        assert named.status_code == 200
        await api.create()
        found = await until_shown(api, named.json(), status="failing")
        assert "outside the network" in found["last_response"]["error"]
        assert not receiver.connections


async def test_without_a_master_key_it_is_409_that_names_the_knob(api: Whole) -> None:
    object.__setattr__(api.commands.webhook_book, "keys", KeyPlace())
    answer = await api.client.post(HOOKS, json={"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 409
    assert "DIALGATE_MASTER_KEY" in answer.json()["detail"]


async def test_below_its_level_it_names_the_upgrade(api: Whole) -> None:
    api.commands.reader.installation.level = 3
    answer = await api.client.post(HOOKS, json={"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 400
    assert "dialgate upgrade" in answer.json()["detail"]


async def test_dry_runs_change_nothing_and_limits_hold() -> None:
    few = WEBHOOKS.model_copy(update={"per_organization_max": 1})
    async with whole_api(webhooks=few) as api, receiving() as receiver:
        tried = await api.client.post(f"{HOOKS}?dry_run=true", json={"url": receiver.url})
        assert tried.json()["dry_run"] is True
        assert (await api.client.get(HOOKS)).json()["total"] == 0
        hook = await made(api, receiver)
        no = await api.client.post(HOOKS, json={"url": receiver.url})
        assert no.status_code == 400
        one = f"{HOOKS}/{hook['id']}?dry_run=true"
        assert (await api.client.delete(one)).json()["dry_run"] is True
        assert (await shown(api, hook))["status"] == "active"


async def test_webhooks_are_for_admins_and_may_be_seen_by_readers(api: Whole) -> None:
    async with receiving() as receiver:
        hook = await made(api, receiver)
        for scope, changes, sees in ((Scope.READ, 403, 200), (Scope.OPERATE, 403, 200)):
            key = (await api.client.post("/api/v1/keys", json={"scope": scope})).json()["key"]
            headers = {"Authorization": f"Bearer {key}"}
            one = f"{HOOKS}/{hook['id']}"
            statuses = [
                (await api.client.request(method, path, headers=headers, json={})).status_code
                for method, path in (("DELETE", one), ("PATCH", one), ("POST", f"{one}/test"))
            ]
            assert set(statuses) == {changes}
            assert (await api.client.get(one, headers=headers)).status_code == sees
