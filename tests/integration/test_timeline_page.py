"""The page of `dialgate timeline --html` in a browser: nobody is shut out, nothing is loaded."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.test_timeline_verb import journal, run, written
from tests.support.browser import barriers, chromium, visit

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_page_on_a_phone(scheme: str, tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    asyncio.run(written(tmp_path, journal().records))
    assert asyncio.run(run(tmp_path, "1", "--html", str(page_file))).exit_code == 0
    with chromium() as browser, visit(browser, viewport=PHONE, color_scheme=scheme) as visited:
        page = visited.page
        page.goto(page_file.as_uri())
        assert page.get_by_text("Paused: lunch.").is_visible()
        assert page.locator("svg").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert not barriers(page)
        assert not visited.outside
        assert not visited.troubles
