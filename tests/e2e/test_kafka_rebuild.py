"""All files but the carrier's deleted in the middle of a run: the log brings everything back."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.auditor import audit
from tests.support.client import Client, handled
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

CONTACTS = 200
SESSION_S = 6  # The dialers' group misses the lost one after this: its name is lost, too.


def shown(client: Client, campaign_id: int) -> dict[str, Any]:
    """Return all that people see of a campaign."""
    path = f"/{campaign_id}"
    return {
        "campaign": client.get(path),
        "progress": client.get(f"{path}/progress"),
        "contacts": client.get(f"{path}/contacts", per_page=1000),
        "executions": client.get(f"{path}/executions", per_page=1000),
    }


def lose_all_but_the_carrier(data_dir: Path) -> int:
    """Delete every file of every service; return how many stores there were."""
    stores = 0
    for path in data_dir.iterdir():
        if not path.name.startswith("carrier."):
            stores += path.suffix == ".db"
            path.unlink()
    return stores


def test_the_same_states_and_counters_come_back_and_the_campaign_goes_on(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    system = System(tmp_path, kafka=kafka_servers, namespace=namespace, session_timeout_s=SESSION_S)
    with system, system.client() as client:
        done, paused = client.create(20), client.create(CONTACTS)
        draft, running = client.create(3), client.create(CONTACTS, concurrent=1)
        for campaign in (done, paused, running):
            client.start(campaign)
        client.wait_until(paused, lambda found: handled(found) > 10)
        client.pause(paused)
        client.wait_until(paused, lambda found: found["in_progress_contacts"] == 0)
        client.wait_for(done, "completed")
        before = {one: shown(client, one) for one in (done, paused, draft)}
        half = client.progress(running)

        system.kill9()
        assert lose_all_but_the_carrier(system.data_dir) == 3
        system.start()

        assert {one: shown(client, one) for one in (done, paused, draft)} == before
        assert before[paused]["progress"]["status"] == "paused"
        assert 10 < handled(before[paused]["progress"]) < CONTACTS
        found = client.progress(running)
        assert found["status"] == half["status"] == "running", "lost in the middle"
        assert handled(half) <= handled(found) < found["total_contacts"] == CONTACTS
        client.resume(paused)
        client.start(draft)
        client.hurry(running)
        for campaign in (draft, paused, running):
            client.wait_for(campaign, "completed")
        assert shown(client, done) == before[done]
        report = audit(system, client)
    print(report)
    report.assert_clean(rings=20 + 3 + 2 * CONTACTS, pauses=1)
