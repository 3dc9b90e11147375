"""The pages in a real browser, on the system as a user starts it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.browser import Visit, barriers, chromium, visit
from tests.support.client import Client
from tests.support.system import KEY, System

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("pages"), "up") as started:
        yield started


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[Client]:
    with system.client() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def signed_in(browser: Browser, system: System) -> Iterator[Visit]:
    with visit(browser) as visited:
        sign_in(visited.page, system)
        yield visited
        assert not visited.troubles
        assert not visited.outside


def create(client: Client, name: str, contacts: int, per_minute: int = 1200) -> int:
    """Create a campaign that calls at a speed that people can watch; return its id."""
    body = {
        "name": name,
        "assistant_id": 1,
        "campaign_type": "call",
        "contacts": [
            {"phone_number": f"+1555{n:07}", "name": f"Person {n}"} for n in range(contacts)
        ],
        "settings": {
            "max_attempts": 1,
            "calls_per_minute": per_minute,
            "max_concurrent_calls": 10,
        },
    }
    answer = client.command("", body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def sign_in(page: Page, system: System, key: str = KEY) -> None:
    page.goto(f"{system['up'].url}/")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Campaigns", exact=True)).to_be_visible()


def test_a_wrong_key_is_told_and_a_right_one_shows_the_campaigns(
    browser: Browser, system: System
) -> None:
    with visit(browser) as visited:
        page = visited.page
        page.goto(f"{system['up'].url}/?status=paused")
        page.get_by_label("API key").fill("dg_of_nobody")
        page.keyboard.press("Enter")
        expect(page.get_by_text("not known here")).to_be_visible()
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/\?status=paused$"))
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/sign-in$"))
        page.goto(f"{system['up'].url}/")
        expect(page).to_have_url(re.compile("/sign-in$"))


def test_the_list_moves_without_a_reload(signed_in: Visit, system: System, client: Client) -> None:
    page = signed_in.page
    campaign = create(client, "Watched", 400)
    line = page.locator(f"#campaign-{campaign}")
    expect(line).to_contain_text("400 to be called")
    page.evaluate("window.loaded = 'once'")
    client.start(campaign)
    expect(line.locator(".state")).to_have_text("running")
    expect(line).to_contain_text(re.compile("[1-9][0-9]* reached"))
    expect(line.locator(".pace strong")).to_have_text(re.compile("[1-9][0-9]*"))
    parts = [int(one) for one in re.findall(r"(\d+) [a-z ]+", line.locator(".said").inner_text())]
    assert sum(parts) == 400, "it adds up"
    client.pause(campaign)
    expect(line.locator(".state")).to_have_text("paused")
    assert page.evaluate("window.loaded") == "once"
    client.command(f"/{campaign}/stop")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_of_the_list(
    browser: Browser, system: System, client: Client, scheme: str
) -> None:
    with visit(browser, viewport=PHONE, color_scheme=scheme) as visited:
        page = visited.page
        page.goto(f"{system['up'].url}/sign-in")
        assert not barriers(page)
        sign_in(page, system)
        assert not barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert not visited.troubles
        assert not visited.outside


def test_the_list_is_read_without_scripts(browser: Browser, system: System, client: Client) -> None:
    campaign = create(client, "Read by eye", 3)
    with visit(browser, java_script_enabled=False) as visited:
        page = visited.page
        sign_in(page, system)
        expect(page.locator(f"#campaign-{campaign}")).to_contain_text("3 to be called")
        page.get_by_label("Search by name").fill("by eye")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".campaigns > li")).to_have_count(1)
