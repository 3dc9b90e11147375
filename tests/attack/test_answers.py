"""No list exhausts memory: pages are bounded in bytes, and clients that do not read hold little."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attack.instance import Instance
from tests.attack.line import head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
TEXT = "\u00e9" * 20_000  # As long as a text may be.
PAGE_MB = 10
LEFT_OUT = {"welcome_message_template", "pending_import", "fallback_values", "advanced_settings"}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An organization whose campaigns and contacts are as heavy as they may be."""
    with Instance(tmp_path_factory.mktemp("heavy")) as instance:
        texts: dict[str, Any] = {"description": TEXT, "settings": {"voicemail_message": TEXT}}
        texts |= {f"{name}_message_template": TEXT for name in ("welcome", "sms")}
        for n in range(150):
            instance.create(name=f"Heavy {n}", **texts)
        yield instance


@pytest.fixture(scope="module")
def crowded(heavy: Instance) -> int:
    """A campaign whose contacts' variables weigh as much as they may."""
    variables = {"a": "x" * 7_000, "b": "y" * 7_000}
    people = [{"phone_number": f"+1555{n:07d}", "variables": variables} for n in range(600)]
    return heavy.create(contacts=people)


def listed(instance: Instance, path: str) -> tuple[int, Any]:
    status, found = instance.ask("GET", path)
    return status, found if isinstance(found, dict) else json.loads(found)


def test_a_row_of_a_list_has_each_text_at_most_once(heavy: Instance) -> None:
    status, found = listed(heavy, f"{CAMPAIGNS}?per_page=1")
    (row,) = found["campaigns"]
    assert status == 200
    assert not LEFT_OUT & row.keys()
    assert row["description"] == row["settings"]["voicemail_message"] == TEXT
    assert json.dumps(row).count(json.dumps(TEXT)) == 3, "description, voicemail, welcome"
    (whole,) = listed(heavy, f"{CAMPAIGNS}?per_page=1&include=texts")[1]["campaigns"]
    assert whole == heavy.ask("GET", f"{CAMPAIGNS}/{row['id']}")[1]
    assert whole["sms_message_template"] == TEXT
    assert heavy.ask("GET", f"{CAMPAIGNS}?include=more")[0] == 422


@pytest.mark.parametrize("asked", ["per_page=1000", "limit=1000", "per_page=150&include=texts"])
def test_a_page_that_is_too_heavy_is_refused_and_one_that_fits_is_not(
    heavy: Instance, asked: str
) -> None:
    status, found = listed(heavy, f"{CAMPAIGNS}?{asked}")
    assert status == 422
    (error,) = found["detail"]
    fitting = int(error["msg"].rpartition(" at most")[0].rpartition(" ")[2])
    named = error["loc"][-1]
    less = asked.replace(asked.partition("&")[0], f"{named}={fitting}")
    status, found = listed(heavy, f"{CAMPAIGNS}?{less}")
    assert (status, len(found["items"])) == (200, fitting)
    assert 10 < fitting < 150


def test_the_page_that_nobody_chose_fits_with_heavy_rows(heavy: Instance, crowded: int) -> None:
    for path in (CAMPAIGNS, f"{CAMPAIGNS}/{crowded}/contacts"):
        status, found = listed(heavy, path)
        assert (status, len(found["items"])) == (200, 50)


def test_contacts_can_all_be_read_page_by_page(heavy: Instance, crowded: int) -> None:
    path = f"{CAMPAIGNS}/{crowded}/contacts"
    status, found = listed(heavy, f"{path}?per_page=600")
    assert status == 422
    ids, page = list[int](), 1
    while True:
        status, found = listed(heavy, f"{path}?page={page}&per_page=100")
        assert status == 200, found
        ids += [one["id"] for one in found["contacts"]]
        if not found["pagination"]["has_next"]:
            break
        page += 1
    assert ids == list(range(1, 601))


def test_clients_that_do_not_read_hold_little(heavy: Instance, crowded: int) -> None:
    """Ten of them once held 1.8 GB: 185 MB each, as long as they stayed."""
    before = heavy.peak_mb()
    paths = [f"{CAMPAIGNS}?per_page=80", f"{CAMPAIGNS}/{crowded}/contacts?per_page=250"]
    lines = [heavy.connect() for _ in range(10)]
    for number, line in enumerate(lines):
        line.send(head("GET", paths[number % 2], KEY))
    assert heavy.ask("GET", f"{CAMPAIGNS}?per_page=1")[0] == 200, "and others are answered"
    for line in lines:  # Each answer has begun: all of it is there, and waits.
        assert line.socket.recv(15) == b"HTTP/1.1 200 OK"
    grown = heavy.peak_mb() - before
    for line in lines:
        line.close()
    assert grown < 10 * (PAGE_MB + 20), "a page each, and what making one takes"
    heavy.quiet()
