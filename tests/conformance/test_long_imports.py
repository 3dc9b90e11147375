"""Files too long for one request: how far they are, too many rows, and a death in the middle.

A minute's worth here; with LONG_IMPORTS=1 (`make soak`) a million rows, and the wait until what
nobody goes on with is given up. Source: contract 5, 9.2, 9.14 and 9.22.
"""

import os
from pathlib import Path

import pytest

from tests.conformance.session import Asking, Json
from tests.support.system import System

pytestmark = pytest.mark.e2e
LONG = os.environ.get("LONG_IMPORTS") == "1"
ROWS = 1_000_000 if LONG else 40_000
GIVEN_UP_S = 90.0  # 60 s without a chunk, as seen every few seconds.


@pytest.fixture
def own(tmp_path: Path) -> System:
    return System(tmp_path, import_rows_max=ROWS)


def people(rows: int) -> bytes:
    """Return a file as a spreadsheet writes it."""
    return b"phone;name\r\n" + b"".join(
        b"%d;P %d\r\n" % (2_000_000_000 + n, n) for n in range(rows)
    )


def shown(api: Asking, one: int) -> Json:
    return api.get(f"/{one}/imports/1")


def test_a_long_file_shows_how_far_it_is_and_one_row_more_is_refused(own: System) -> None:
    with own:
        api = Asking(own)
        one, seen = api.create(), list[Json]()
        answer = api.upload(one, people(ROWS))
        assert (answer.status_code, answer.json()["status"]) == (202, "processing")

        def over() -> bool:
            seen.append(shown(api, one))
            return bool(seen[-1]["status"] != "processing")

        api.wait(over, within_s=max(60.0, ROWS / 2_000))
        assert (seen[-1]["status"], seen[-1]["imported_count"]) == ("completed", ROWS)
        received = [found["received_count"] for found in seen]
        assert received == sorted(received)
        assert any(0 < count < ROWS for count in received)
        assert api.get(f"/{one}")["total_contacts"] == ROWS
        assert api.upload(api.create(), people(ROWS + 1)).status_code == 413
        running = api.running()
        assert api.upload(running, people(ROWS + 1)).status_code == 413, "whatever the status"
        api.http.close()


def test_an_import_whose_server_dies_counts_for_nothing_and_can_be_read(own: System) -> None:
    with own:
        api = Asking(own)
        one = api.create(contacts=[{"phone_number": "+15551234567"}])
        assert api.upload(one, people(ROWS)).status_code == 202
        api.wait(lambda: shown(api, one)["received_count"] > 1_000)
        own["up"].kill9()
        own["up"].restart()
        found = shown(api, one)
        assert (found["status"], found["total_rows"]) == ("processing", ROWS)
        assert found["received_count"] > 1_000
        assert api.get(f"/{one}")["total_contacts"] == 1, "the list that was there"
        assert api.refused(400, "POST", f"/{one}/start") == "An import is in progress"
        if LONG:
            api.wait(lambda: shown(api, one)["status"] == "failed", within_s=GIVEN_UP_S)
            assert "60 s" in shown(api, one)["error_message"]
            assert api.upload(one, people(1)).json()["total_contacts"] == 1
        api.http.close()
