"""The pages for people: they load nothing from elsewhere, and show every operation."""

import base64
import hashlib
import re

import httpx

from dialgate.application import document, make_app


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app([], [])), base_url="http://test"
    )


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    async with client() as browser:
        for path in ("/docs", "/docs/"):
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert not re.search(r"https?://|//cdn|<script src", answer.text)
            for own in re.findall(r"(?:href|src)=\"(/static/[^\"]*)\"", answer.text):
                assert (await browser.get(own)).status_code == 200
            asked = re.findall(r"(?:fetch\(|href=)\"([^\"]*)\"", answer.text)
            pages = {one for one in asked if not one.startswith("/static/")}
            assert pages == {"/", "/openapi.json"}
            assert (await browser.get("/openapi.json")).json() == document()
        assert (await browser.head("/docs")).status_code == 200
        assert (await browser.get("/redoc")).status_code == 404


async def test_a_browser_runs_the_pages_own_script_and_no_other() -> None:
    async with client() as browser:
        answer = await browser.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'; ")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        (inside,) = re.findall(rf"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "innerHTML" not in answer.text, "what the document says is text"


async def test_the_front_page_of_a_process_without_pages_leads_to_the_documentation() -> None:
    async with client() as browser:
        answer = await browser.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/docs")
        assert (await browser.post("/")).status_code == 405
