"""Headless Chromium, driven by Playwright; axe-core looks for what shuts people out. No test here.

    with chromium() as browser, visit(browser) as visited:
        page = visited.page                        # Playwright's synchronous Page
        page.goto(url)
        assert not barriers(page)
        assert not visited.troubles                # console errors, requests to elsewhere

The browser is the system's own (Debian's package `chromium`): nothing is downloaded. `visit` takes
what Playwright's `new_context` takes: `viewport`, `color_scheme`, `java_script_enabled`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.broker import required

AXE = Path(__file__).parent / "axe" / "axe-core-4.14.1.min.js"
TIMEOUT_MS = 20_000  # Of each action and each wait.
GRAVE = ("serious", "critical")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root, as in CI's container, there is no sandbox; /dev/shm may be small there.
_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@dataclass
class Visit:
    """A page in a context of its own, and what was wrong in it."""

    page: Page
    troubles: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)  # Requests to other hosts than this machine.
    received: dict[str, int] = field(default_factory=dict)  # Bytes on the wire, by address.


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium; skip, or fail where it is required, when there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = "no chromium: install the package `chromium`"
        if required(os.environ):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, headless=True, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, **options: Any) -> Iterator[Visit]:  # Any: of new_context.
    """Open a page in a fresh context, without cookies."""
    context = browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    visited = Visit(page)
    page.on("console", lambda said: _note(visited, said.type, f"{said.text} {said.location}"))
    page.on("pageerror", lambda error: _note(visited, "error", str(error)))
    page.on("request", lambda request: _look(visited, request.url))
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    addresses: dict[str, str] = {}
    session.on(
        "Network.responseReceived",
        lambda one: addresses.update({one["requestId"]: one["response"]["url"]}),
    )
    session.on(
        "Network.loadingFinished",
        lambda one: visited.received.update(
            {addresses.get(one["requestId"], "?"): int(one["encodedDataLength"])}
        ),
    )
    try:
        yield visited
    finally:
        context.close()


def _note(visited: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        visited.troubles.append(f"{kind}: {text}")


def _look(visited: Visit, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("data", "blob", "file") and parts.hostname != "127.0.0.1":
        visited.outside.append(address)


def barriers(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical on a page: rule, what it is, where."""
    # Evaluated, not added as an element: the page's policy lets no script of others in.
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
