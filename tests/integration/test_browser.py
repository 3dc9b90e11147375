"""The browser that tests drive: what is wrong with a page is seen."""

import hashlib

from tests.support.browser import AXE, barriers, chromium, visit

AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
WELL = "<!doctype html><html lang=en><title>Well</title><main><h1>Well</h1></main>"


def test_axe_is_what_its_makers_released() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


def test_what_is_wrong_with_a_page_is_seen() -> None:
    with chromium() as browser:
        with visit(browser) as visited:
            visited.page.set_content(WELL)
            assert not barriers(visited.page)
            assert not visited.troubles
            assert not visited.outside
        with visit(browser) as visited:
            visited.page.set_content(f"{WELL}<img src='http://localhost:1/a.png'><input>")
            assert {one.partition(":")[0] for one in barriers(visited.page)} == {
                "image-alt", "label",
            }  # fmt: skip
            assert visited.outside == ["http://localhost:1/a.png"]
            assert visited.troubles
