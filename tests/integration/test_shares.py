"""A share each: what one tenant floods, another still has. Requests, previews, imports, sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from campaigns.domain.api_keys import Caller, key_hash
from campaigns.http.door import TOO_MANY_AT_ONCE, TOO_MANY_WRONG, UNAUTHORIZED
from campaigns.http.rate_limits import BURST_S, MINUTE_S
from campaigns.process.metrics import KEYS_REFUSED, SHARES_SPENT
from tests.support.ear import Ear, is_type, listening
from tests.support.several_apis import CONTACTS
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

MONITOR = "/ws/campaigns/monitor?token="
SOON_S = 5.0  # Long before the next heartbeat would tell.
OTHER = {"Authorization": "Bearer two"}


def caller(api: Whole, key: str) -> Caller:
    return api.commands.keys.callers[key_hash(key)]


def spent(what: str) -> float:
    return float(SHARES_SPENT.labels(what)._value.get())


async def test_requests_at_once_have_a_share_and_give_it_back_however_they_end() -> None:
    async with whole_api() as api:
        one = await api.create(contacts=CONTACTS)
        for part in (api.commands, api.projector):
            at_once = part.limits.at_once
            for path in ("", f"/{one}", "/99999", "/nonsense"):
                await api.client.get(f"{CAMPAIGNS}{path}")
                await api.client.post(f"{CAMPAIGNS}{path}", content=b"{")
            await api.client.put(f"{CAMPAIGNS}/{one}", json={"name": ""})
            assert at_once.total == 0, "nothing is kept by what has ended"
            at_once.key_max = at_once.organization_max = 3
            held = [at_once.take(caller(api, "one")) for _ in range(3)]
            before = spent("requests")
            path = "/template-preview" if part is api.commands else ""
            method = "POST" if part is api.commands else "GET"
            no = await api.client.request(method, f"{CAMPAIGNS}{path}", json={"template": "x"})
            assert (no.status_code, no.json()) == (429, {"detail": TOO_MANY_AT_ONCE})
            assert int(no.headers["Retry-After"]) >= 1
            assert spent("requests") == before + 1
            theirs = await api.client.request(
                method, f"{CAMPAIGNS}{path}", json={"template": "x"}, headers=OTHER
            )
            assert theirs.status_code == 200, "another organization has its own"
            for give_back in held:
                assert give_back is not None
                give_back()
            yes = await api.client.request(method, f"{CAMPAIGNS}{path}", json={"template": "x"})
            assert yes.status_code == 200


async def test_a_preview_waits_for_one_of_the_other_tenant_at_most_however_many_there_are() -> None:
    endless = {
        "template": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    }
    url = f"{CAMPAIGNS}/template-preview"
    async with whole_api() as api:
        done = list[str]()

        async def ask(who: str, body: dict[str, str], **headers: str) -> httpx.Response:
            answer = await api.client.post(url, json=body, headers=headers)
            done.append(who)
            return answer

        await ask("warm", {"template": "x"})
        flood = [asyncio.create_task(ask("flood", endless)) for _ in range(25)]
        while done.count("flood") < 14:  # Those beyond the organization's share: at once.
            await asyncio.sleep(0.01)
        answer = await ask("other", {"template": "hi"}, **OTHER)
        assert answer.json() == {"success": True, "rendered_template": "hi"}
        assert done.count("flood") <= 16, "one that was under way, and perhaps one more"
        for task in flood:
            task.cancel()
        answers = await asyncio.gather(*flood, return_exceptions=True)
        refused = [one for one in answers if isinstance(one, httpx.Response) and one.is_error]
        assert len(refused) >= 14
        assert {one.status_code for one in refused} == {503}
        assert all(int(one.headers["Retry-After"]) >= 1 for one in refused)


async def test_imports_under_way_have_a_share() -> None:
    async with whole_api() as api:
        one, ends = await api.create(), await api.ends()
        api.commands.imports.organization_max = 1
        give_back = api.commands.imports.take(caller(api, "one"))
        assert give_back is not None
        answer = await api.client.post(
            f"{CAMPAIGNS}/{one}/import-data", files={"file": ("x.csv", b"phone\n5551234567\n")}
        )
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert await api.ends() == ends
        made = await api.client.post(CAMPAIGNS, json=BODY, headers=OTHER)
        theirs = await api.client.post(
            f"{CAMPAIGNS}/{made.json()['id']}/import-data",
            files={"file": ("x.csv", b"phone\n5551234567\n")}, headers=OTHER,
        )  # fmt: skip
        assert theirs.status_code == 202, "another organization has its own"
        give_back()
        assert (await api.upload(one, "phone\n5551234567\n"))[0] == 202
        assert api.commands.imports.total == 0


@contextlib.asynccontextmanager
async def heard(api: Whole, *keys: str) -> AsyncIterator[list[Ear]]:
    """Open a monitor with each key, one after the other."""
    async with contextlib.AsyncExitStack() as stack:
        ears = []
        for key in keys:
            ear = await stack.enter_async_context(listening(api.app, f"{MONITOR}{key}"))
            await ear.until(is_type("overview"))
            ears.append(ear)
        yield ears


async def test_sockets_have_a_share_and_the_full_house_makes_room_for_who_has_fewer() -> None:
    async with whole_api() as api:
        hub = api.projector.hub
        hub.shares.organization_max, hub.shares.key_max, hub.listeners_max = 4, 4, 4
        async with heard(api, "one", "one", "one", "one") as ears:
            async with listening(api.app, f"{MONITOR}one") as fifth:
                assert await fifth.closed() == 1013, "the organization has its share"
            async with heard(api, "two", "two"):
                for newest in (ears[3], ears[2]):
                    assert await newest.closed() == 1013, "who has most gives way"
                async with listening(api.app, f"{MONITOR}two") as third:
                    assert await third.closed() == 1013, "both have as many"
                ears[0].say({"type": "ping"})
                await ears[0].until(is_type("pong"))
        async with asyncio.timeout(SOON_S):
            while hub.shares.total:
                await asyncio.sleep(0.01)


async def test_sockets_count_in_the_rate_of_their_key() -> None:
    async with whole_api() as api:
        made = (
            await api.client.post("/api/v1/keys", json={"rate_limit": 6, "scope": "read"})
        ).json()
        async with heard(api, made["key"]):
            for _ in range(3):
                async with listening(api.app, f"{MONITOR}{made['key']}") as ear:
                    assert await ear.closed() == 1013
            headers = {"Authorization": f"Bearer {made['key']}"}
            assert (await api.client.get(CAMPAIGNS, headers=headers)).status_code == 429


@pytest.mark.parametrize(
    "path", ["/ws/campaigns/monitor?token=", "/ws/campaigns/{}/progress?token="]
)
async def test_an_idle_socket_closes_soon_after_its_key_is_revoked(path: str) -> None:
    async with whole_api() as api:
        there = path.format(await api.create(contacts=CONTACTS))
        made = [(await api.client.post("/api/v1/keys", json={})).json() for _ in range(2)]
        async with (
            listening(api.app, there + made[0]["key"]) as ear,
            listening(api.app, there + made[1]["key"]) as other,
        ):
            for one in (ear, other):
                await one.until(is_type("overview" if "monitor" in path else "progress_update"))
            await asyncio.sleep(1.2)  # The state has been sent again: nothing is due now.
            await api.client.delete(f"/api/v1/keys/{made[0]['id']}")
            async with asyncio.timeout(SOON_S):
                assert await ear.closed() == 1008
            other.say({"type": "ping"})
            await other.until(is_type("pong"))


async def test_wrong_keys_are_counted_and_limited_and_right_ones_pass_all_the_same() -> None:
    async with whole_api() as api:
        for part, method in ((api.commands, "POST"), (api.projector, "GET")):
            part.limits.wrong_per_minute = int(3 * MINUTE_S / BURST_S)
            before, statuses = KEYS_REFUSED._value.get(), list[int]()
            for key in ("Bearer nobody", "Bearer", "Basic one", "Bearer guess", "Bearer two2"):
                answer = await api.client.request(method, CAMPAIGNS, headers={"Authorization": key})
                statuses.append(answer.status_code)
                detail = answer.json()["detail"]
                assert detail == (UNAUTHORIZED if statuses[-1] == 401 else TOO_MANY_WRONG)
                assert statuses[-1] == 401 or int(answer.headers["Retry-After"]) >= 1
            assert statuses == [401, 401, 401, 429, 429]
            assert KEYS_REFUSED._value.get() == before + 5, "each once"
            good = await api.client.request(method, CAMPAIGNS, json=BODY)
            assert good.status_code == 200
        codes = list[int]()
        for _ in range(5):  # From another address.
            async with listening(api.app, f"{MONITOR}nobody") as ear:
                codes.append(await ear.closed())
        assert codes == [1008, 1008, 1008, 1013, 1013]
