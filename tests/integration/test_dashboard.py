"""The pages in a real browser, on the system as a user starts it."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, ViewportSize, expect

from tests.support.browser import Visit, barriers, chromium, visit
from tests.support.client import Client, handled
from tests.support.system import KEY, System

PAINT_MAX_BYTES = 100_000
expect.set_options(timeout=15_000)  # Whatever else the machine does meanwhile.
PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("pages")
    # Some calls outlast their pause.
    with System(folder, "up", carrier_talk_min_s=0.1, carrier_talk_max_s=0.8) as started:
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


def test_the_pages_can_be_shown_to_others(
    signed_in: Visit, system: System, client: Client, request: pytest.FixtureRequest
) -> None:
    """It comes first: its campaigns alone are in the pictures, which `make screenshots` writes."""
    folder = request.config.getoption("--screenshots")

    def picture(name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")

    page = signed_in.page
    page.set_viewport_size({"width": 1040, "height": 860})
    survey = create(client, "Spring survey, second wave", 1500, 600)
    reminders = create(client, "Appointment reminders", 240, 120)
    create(client, "Renewals, north region", 0)
    callbacks = create(client, "Callback list", 300, 240)
    for campaign in (survey, reminders, callbacks):
        client.start(campaign)
    client.wait_until(survey, lambda found: handled(found) > (150 if folder else 10))
    client.command(f"/{callbacks}/pause", {"reason": "The desk closes early today"})
    expect(page.locator(".campaigns > li")).to_have_count(4)
    expect(page.locator(f"#campaign-{callbacks}")).to_contain_text("The desk closes early")
    picture("campaigns")
    page.goto(at(system, survey))
    expect(page.locator("#chart canvas")).to_be_visible()
    client.command(f"/{survey}/pause", {"reason": "A question in the script reads badly"})
    client.wait_until(survey, lambda found: found["in_progress_contacts"] == 0)
    client.command(f"/{survey}/resume", {"reason": "The script is corrected"})
    client.wait_until(survey, lambda found: handled(found) > (330 if folder else 20))
    client.command(f"/{survey}/pause", {"reason": "Lunch"})
    expect(page.locator("#receipt")).to_contain_text("Lunch")
    picture("campaign")
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#receipt")).to_be_visible()
    picture("phone")
    for campaign in (survey, reminders, callbacks):
        client.command(f"/{campaign}/stop")


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


def test_a_page_follows_its_stream_however_late_its_scripts_come(
    browser: Browser, system: System, client: Client
) -> None:
    """The library looks at a page a moment after itself, unless the page is still being parsed."""
    with visit(browser) as visited:
        page, late = visited.page, list[Route]()
        sign_in(page, system)
        page.route("**/static/htmx-sse*", lambda route: late.append(route))
        with page.expect_request("**/static/htmx-sse*"):
            page.goto(f"{system['up'].url}/?search=late", wait_until="commit")
        page.wait_for_function("window.htmx !== undefined")
        page.evaluate("new Promise((done) => setTimeout(() => setTimeout(done)))")
        late.pop().continue_()
        campaign = create(client, "Made late", 3)
        expect(page.locator(f"#campaign-{campaign}")).to_contain_text("3 to be called")
        assert not visited.troubles


@pytest.mark.parametrize("how", ["refused", "cut off"])
def test_a_page_whose_stream_fails_at_first_comes_back_to_it(
    browser: Browser, system: System, client: Client, how: str
) -> None:
    """The library comes back only to a stream that was there, and shows an error as a part."""
    failed = list[str]()

    def fail(route: Route) -> None:
        failed.append(route.request.url)
        if how == "cut off":
            route.abort()
        else:
            route.fulfill(status=503, content_type="application/json", body='{"detail": "Busy"}')

    with visit(browser) as visited:
        page = visited.page
        page.route("**/campaigns/live*", fail, times=2)
        sign_in(page, system)
        expect(page.get_by_text("The connection was lost.")).to_be_visible()
        expect(page.get_by_text("Busy")).to_have_count(0)
        campaign = create(client, f"Made after the stream was {how}", 3)
        expect(page.locator(f"#campaign-{campaign}")).to_contain_text("3 to be called")
        expect(page.get_by_text("The connection was lost.")).to_be_hidden()
        assert len(failed) == 2


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


def at(system: System, campaign: int, more: str = "") -> str:
    return f"{system['up'].url}/campaigns/{campaign}{more}"


def figure(page: Page, name: str) -> Locator:
    """Return the figure above a word, such as `still talking`."""
    return page.locator(".figures div", has=page.get_by_text(name, exact=True)).locator("dd")


def test_a_pause_from_the_page_shows_what_it_leaves_and_its_receipt(
    signed_in: Visit, system: System, client: Client
) -> None:
    page, campaign = signed_in.page, create(client, "Spring survey", 400)
    page.goto(at(system, campaign))
    expect(page.get_by_text("No call has begun.")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".state")).to_have_text("running")
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(figure(page, "reached")).to_have_text(re.compile("[1-9]"))
    page.get_by_role("button", name="Pause…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("contacts wait")
    assert client.get(f"/{campaign}")["status"] == "running", "so far it is only tried"
    dialog.get_by_label("Reason").fill("The desk closes")
    dialog.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#said")).to_contain_text(
        re.compile(r"Answered in \d+(\.\d)? ms: no further call begins. \d+ calls? still talking.")
    )
    expect(page.locator("#receipt")).to_contain_text("The desk closes")
    # A closed dialog is emptied by an event a moment later: until then it has figures too.
    expect(page.locator("#asking > *")).to_have_count(0)
    expect(figure(page, "guarantee")).to_have_text("strict")
    expect(figure(page, "late")).to_have_text("0")
    expect(page.locator("#receipt [aria-current]")).to_have_text("drained")
    expect(figure(page, "still talking")).to_have_text("0")
    expect(page.locator(".story li.halts")).to_contain_text("Paused: The desk closes.")
    shown = client.get(f"/{campaign}/pause")
    assert figure(page, "wait").inner_text() == str(shown["receipt"]["contacts_pending"])
    settled = page.locator("#receipt .answered")
    expect(settled).to_have_text(
        re.compile(r"Settled (at once|in .*s) by the log, \d+ calls? still talking then, 0 late\.")
    )
    told = settled.inner_text()
    page.reload()
    expect(page.locator("#receipt")).to_contain_text("The desk closes")
    expect(settled).to_have_text(told)  # It comes from facts.
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".state")).to_have_text("running")
    expect(page.locator("#receipt")).to_have_count(0)
    page.get_by_role("button", name="Stop…").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be undone")
    page.get_by_role("button", name="Stop for good").click()
    expect(page.locator(".state")).to_have_text("cancelled")


def test_what_the_api_refuses_is_told(signed_in: Visit, system: System, client: Client) -> None:
    page, campaign = signed_in.page, create(client, "Over already", 200)
    client.start(campaign)
    page.goto(at(system, campaign))
    page.get_by_role("button", name="Pause…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    client.command(f"/{campaign}/stop")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("dialog .said")).to_have_text(re.compile("not running|running"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    signed_in.troubles[:] = [one for one in signed_in.troubles if "status of 400" not in one]


def test_the_slider_shows_the_campaign_as_it_was(
    signed_in: Visit, system: System, client: Client
) -> None:
    page, campaign = signed_in.page, create(client, "Looked back at", 60)
    client.start(campaign)
    client.wait_for(campaign, "completed")
    page.goto(at(system, campaign))
    expect(figure(page, "to be called")).to_have_text("0")
    slider = page.get_by_label("Look back")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("As it was at")).to_be_visible()
    expect(page.locator(".state")).to_have_text("draft")
    expect(figure(page, "to be called")).to_have_text("60")
    expect(page.get_by_role("button", name="Import…")).to_have_count(0)
    expect(page.locator(".story li")).to_have_count(1)
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator(".state")).to_have_text("completed")
    page.locator(".story li", has_text="Started").get_by_role("link").click()
    expect(page.get_by_text("As it was at")).to_be_visible()
    expect(page.locator(".state")).to_have_text("running")
    page.goto(at(system, campaign, "?as_of=2001-01-01T00:00:00Z"))
    expect(page.get_by_text("before campaign")).to_be_visible()
    signed_in.troubles[:] = [one for one in signed_in.troubles if "status of 422" not in one]


def test_a_bad_file_is_told_row_by_row(
    signed_in: Visit, system: System, client: Client, tmp_path: Path
) -> None:
    page, campaign = signed_in.page, create(client, "Imported", 0)
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("phone,name\n+15551112222,Ann\n12,Bob\n,Cid\n+15551112222,Dan\n")
    bad.write_text("colour\nred\n")
    page.goto(at(system, campaign))
    page.get_by_role("button", name="Import…").click()
    page.get_by_label("File").set_input_files(bad)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("dialog .said")).to_have_text(re.compile("[a-z]"))
    page.get_by_label("File").set_input_files(good)
    page.get_by_role("button", name="Import", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("1 contact imported")
    expect(dialog.get_by_role("row", name=re.compile("^3 .*too short"))).to_be_visible()
    expect(dialog.get_by_role("row", name=re.compile("^4 .*no phone number"))).to_be_visible()
    expect(figure(page, "unusable")).to_have_text("2")
    dialog.get_by_role("button", name="Close").click()
    expect(figure(page, "in all")).to_have_text("1")
    page.goto(at(system, campaign, "/contacts"))
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    expect(page.locator(".why")).to_contain_text("campaign is draft")
    expect(page.locator(".story")).to_contain_text("Listed by import 1")
    signed_in.troubles[:] = [one for one in signed_in.troubles if "status of 400" not in one]


def test_the_keyboard_alone_pauses_a_campaign(
    signed_in: Visit, system: System, client: Client
) -> None:
    page, campaign = signed_in.page, create(client, "By keyboard", 400)
    client.start(campaign)
    page.goto(at(system, campaign))
    expect(page.locator(".state")).to_have_text("running")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "do-pause":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    page.keyboard.type("By hand")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt")).to_contain_text("By hand")
    client.command(f"/{campaign}/stop")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_of_a_campaign(
    browser: Browser, system: System, client: Client, scheme: Literal["light", "dark"]
) -> None:
    campaign = create(client, "For everybody", 400)
    client.start(campaign)
    with visit(browser, viewport=PHONE, color_scheme=scheme) as visited:
        page = visited.page
        sign_in(page, system)
        page.goto(at(system, campaign))
        expect(page.locator("#chart canvas")).to_be_visible()
        assert not barriers(page)
        page.get_by_role("button", name="Pause…").click()
        page.get_by_label("Reason").fill("A look")
        assert not barriers(page)
        page.keyboard.press("Enter")
        expect(page.locator("#receipt")).to_be_visible()
        for more in ("", "?as_of_ms=1", "/contacts", "/contacts/1", "/story"):
            if more != "?as_of_ms=1":
                page.goto(at(system, campaign, more))
            assert not barriers(page), more
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], more
        assert not visited.troubles
        assert not visited.outside
    client.command(f"/{campaign}/stop")


def test_a_campaign_is_read_without_scripts(
    browser: Browser, system: System, client: Client
) -> None:
    campaign = create(client, "Plain", 30)
    client.start(campaign)
    client.wait_for(campaign, "completed")
    with visit(browser, java_script_enabled=False) as visited:
        page = visited.page
        sign_in(page, system)
        page.goto(at(system, campaign))
        expect(figure(page, "in all")).to_have_text("30")
        expect(page.locator("svg.chart")).to_be_visible()
        expect(page.locator(".story")).to_contain_text("Completed")
        expect(page.get_by_text("scripts must be on")).to_be_visible()
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_text("As it was at")).to_be_visible()
        page.goto(at(system, create(client, "Still to start", 1)))
        expect(page.get_by_role("button", name="Start")).to_be_hidden()


def test_a_reader_sees_no_buttons_and_is_signed_out_when_the_key_is_revoked(
    browser: Browser, system: System, client: Client
) -> None:
    keys = f"{system['up'].url}/api/v1/keys"
    made = client.once("POST", keys, json={"name": "reader", "scope": "read"}).json()
    campaign = create(client, "Only read", 10)
    with visit(browser) as visited:
        page = visited.page
        sign_in(page, system, made["key"])
        page.goto(at(system, campaign))
        expect(figure(page, "in all")).to_have_text("10")
        expect(page.locator("#do-start")).to_have_count(0)
        status = page.evaluate(
            f"fetch('/api/v1/campaigns/{campaign}/start', {{method: 'POST'}}).then((a) => a.status)"
        )
        assert status == 403
        assert client.once("DELETE", f"{keys}/{made['id']}").status_code == 200
        expect(page).to_have_url(re.compile("/sign-in$"))


@pytest.mark.parametrize("how", ["never there", "cut off"])
def test_a_page_whose_session_ended_while_it_had_no_stream_goes_to_sign_in(
    browser: Browser, system: System, client: Client, how: str
) -> None:
    """Nobody can tell such a page: it is answered 401 when it asks for its stream."""
    keys = f"{system['up'].url}/api/v1/keys"
    made = client.once("POST", keys, json={"name": "reader", "scope": "read"}).json()
    with visit(browser) as visited:
        page, open_to_all = visited.page, Event()

        def held(route: Route) -> None:
            if open_to_all.is_set():
                route.continue_()
            elif how == "never there":
                route.abort()
            else:  # One that ends at once.
                route.fulfill(status=200, content_type="text/event-stream", body=": there\n\n")

        page.route("**/campaigns/live*", held)
        sign_in(page, system, made["key"])
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert client.once("DELETE", f"{keys}/{made['id']}").status_code == 200
        open_to_all.set()
        expect(page).to_have_url(re.compile("/sign-in$"), timeout=40_000)


def test_the_first_paint_of_a_campaign_is_light(
    browser: Browser, system: System, client: Client
) -> None:
    campaign = create(client, "Light", 40)
    client.start(campaign)
    client.wait_for(campaign, "completed")
    with visit(browser) as visited:
        page = visited.page
        sign_in(page, system)
    with visit(browser) as visited:
        page = visited.page
        page.goto(f"{system['up'].url}/sign-in?next=/campaigns/{campaign}")
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#chart canvas")).to_be_visible()
        assert sum(visited.received.values()) <= PAINT_MAX_BYTES, visited.received
        assert len(visited.received) > 5
        visited.received.clear()
        page.reload()
        expect(page.locator("#chart canvas")).to_be_visible()
        assert sum(visited.received.values()) < 40_000, "what does not change is kept"


def test_texts_of_tenants_are_texts(signed_in: Visit, system: System, client: Client) -> None:
    page = signed_in.page
    name = "<script>window.evil = 1</script><b onclick='x'>\"'&</b>"
    campaign = create(client, name, 200)
    client.start(campaign)
    client.command(f"/{campaign}/pause", {"reason": "<img src=x onerror='window.evil = 1'>"})
    for more in ("", "/story", "/contacts"):
        page.goto(at(system, campaign, more))
        expect(page.get_by_text(name).first).to_be_visible()
        assert page.evaluate("window.evil") is None
    client.command(f"/{campaign}/stop")
