"""Signing in to the pages with an API key; what the cookie may do, and what it may not."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

OWN = {"origin": "http://test"}
COOKIE = "dialgate-key"


@asynccontextmanager
async def browser(api: Whole, key: str = "one") -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that has signed in, and sends the cookie alone."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/sign-in", data={"key": key}, headers=OWN)
        assert answer.status_code == 303, answer.text
        yield client


async def made_key(api: Whole, scope: str) -> tuple[str, str]:
    """Create a key; return its id and the key."""
    answer = await api.client.post("/api/v1/keys", json={"name": "page", "scope": scope})
    assert answer.status_code < 300, answer.text
    found = answer.json()
    return str(found["id"]), str(found["key"])


async def test_a_key_is_kept_in_a_cookie_that_no_script_and_no_other_site_can_use() -> None:
    async with whole_api() as api:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            form = {"key": " one ", "next": "/campaigns/7"}
            plain = await client.post("/sign-in", data=form, headers=OWN)
            assert (plain.status_code, plain.headers["location"]) == (303, "/campaigns/7")
            value = base64.urlsafe_b64encode(b"one").decode().rstrip("=")
            said = plain.headers["set-cookie"]
            assert said == f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict"
            https = await client.post(
                "/sign-in", data=form, headers={"origin": "https://test", "host": "test"}
            )
            assert https.headers["set-cookie"] == f"{said}; Secure"
            ended = await client.post("/sign-out", headers=OWN)
            assert (ended.status_code, ended.headers["location"]) == (303, "/sign-in")
            assert "Max-Age=0" in ended.headers["set-cookie"]
            assert COOKIE not in client.cookies


async def test_who_has_not_signed_in_is_led_there_and_back_again() -> None:
    async with whole_api() as api:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/")
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
            answer = await client.get("/?status=paused")
            assert answer.headers["location"] == "/sign-in?next=%2F%3Fstatus%3Dpaused"
            asked = await client.get(answer.headers["location"])
            assert 'value="/?status=paused"' in asked.text
            assert "script-src" not in asked.headers["content-security-policy"]
            part = await client.get("/campaigns/live", headers={"hx-request": "true"})
            assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in")
        async with browser(api) as client:
            assert (await client.get("/")).status_code == 200
            again = await client.get("/sign-in")
            assert (again.status_code, again.headers["location"]) == (303, "/")


async def test_a_key_that_is_not_known_signs_nobody_in() -> None:
    async with whole_api() as api:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for key in ("wrong", "", "\u0000", "ö" * 99):
                answer = await client.post("/sign-in", data={"key": key}, headers=OWN)
                assert answer.status_code == 401
                assert "not known here" in answer.text
                assert "set-cookie" not in answer.headers
            long = await client.post("/sign-in", content=b"key=" + b"a" * 5_000, headers=OWN)
            assert long.status_code == 413
            for cookie in ("", "*", "!!!!", "AAAA", "\x80"):
                forged = f"{COOKIE}={cookie}".encode("latin-1")
                cheat = await client.get(CAMPAIGNS, headers=[(b"cookie", forged)])
                assert cheat.status_code == 401


@pytest.mark.parametrize(
    "wanted", ["//elsewhere", "/\\elsewhere", "https://elsewhere", "/a\nb", "x" * 600]
)
async def test_nobody_is_led_elsewhere_after_signing_in(wanted: str) -> None:
    async with whole_api() as api:
        answer = await api.client.post("/sign-in", data={"key": "one", "next": wanted}, headers=OWN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


FOREIGN = [
    {},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://test:8080"},
    {"origin": "http://elsewhere"},
    {"origin": "http://test:80:80"},
    {"origin": "ftp://test"},
    {"origin": "http://test", "x-forwarded-proto": "https"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_change_with_the_cookie_comes_from_this_origins_page_or_not_at_all(
    headers: dict[str, str],
) -> None:
    async with whole_api() as api:
        campaign = await api.create(contacts=[{"phone_number": "+15551234567"}])
        async with browser(api) as client:
            for path in (f"{CAMPAIGNS}/{campaign}/start", f"{CAMPAIGNS}/{campaign}/start?a=b"):
                answer = await client.post(path, headers=headers)
                assert answer.status_code == 403, answer.text
                assert "own Origin" in answer.json()["detail"]
            deleted = await client.delete(f"{CAMPAIGNS}/{campaign}", headers=headers)
            assert deleted.status_code == 403
            for path in ("/sign-out", "/sign-in"):
                assert (await client.post(path, headers=headers)).status_code == 403
        assert (await api.get(str(campaign)))["status"] == "draft"


@pytest.mark.parametrize(
    "headers",
    [OWN, {"origin": "https://test"}, {"origin": "https://test", "x-forwarded-proto": "https"}],
    ids=str,
)
async def test_a_change_from_the_page_is_made(headers: dict[str, str]) -> None:
    async with whole_api() as api:
        campaign = await api.create(contacts=[{"phone_number": "+15551234567"}])
        async with browser(api) as client:
            assert (await client.get(f"{CAMPAIGNS}/{campaign}")).status_code == 200
            answer = await client.post(f"{CAMPAIGNS}/{campaign}/start", headers=headers)
            assert answer.status_code == 200, answer.text
        assert (await api.get(str(campaign)))["status"] == "running"


async def test_a_bearer_key_needs_no_origin_and_is_not_helped_by_a_cookie() -> None:
    async with whole_api() as api:
        campaign = await api.create(contacts=[{"phone_number": "+15551234567"}])
        async with browser(api) as client:
            wrong = await client.get(CAMPAIGNS, headers={"authorization": "Bearer wrong"})
            assert wrong.status_code == 401
        foreign = {"origin": "http://elsewhere"}
        done = await api.client.post(f"{CAMPAIGNS}/{campaign}/start", headers=foreign)
        assert done.status_code == 200


async def test_a_revoked_key_is_signed_out_and_one_of_another_organization_sees_its_own() -> None:
    async with whole_api() as api:
        await api.create(name="Of the first")
        name, key = await made_key(api, "read")
        async with browser(api, key) as client, browser(api, "two") as other:
            assert "Of the first" in (await client.get("/")).text
            assert "Of the first" not in (await other.get("/")).text
            assert (await api.client.delete(f"/api/v1/keys/{name}")).status_code == 200
            async with asyncio.timeout(20):
                while (answer := await client.get("/")).status_code == 200:
                    pass  # The projector reads of it within milliseconds.
            assert answer.headers["location"] == "/sign-in"
