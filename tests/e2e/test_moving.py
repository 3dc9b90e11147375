"""A running campaign's log is exported, imported with other partitions, and goes on there."""

import json
from pathlib import Path

import pytest

from tests.support.auditor import audit
from tests.support.system import System

pytestmark = pytest.mark.e2e


@pytest.mark.kafka
def test_campaigns_go_on_where_their_log_was_moved(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    export, keys = str(tmp_path / "export"), str(tmp_path / "keys")
    with System(tmp_path) as system, system.client() as client:
        campaigns = [client.create(40, concurrent=2) for _ in range(2)]
        for campaign in campaigns:
            client.start(campaign)
        client.wait_until(campaigns[0], lambda found: int(found["completed_contacts"]) > 5)
        running = system.run("export", str(tmp_path / "while it runs"), "--json")
        assert running.returncode == 0, running
        assert json.loads(running.stdout)["records"] > 0
        system["up"].stop()
        exported = system.run("export", export)
        assert exported.returncode == 0, exported
        kept = system.run("secrets", "export", keys)
        assert kept.returncode == 0, kept
        used = system.run("import", export)
        assert (used.returncode, "found one with records" in used.stderr) == (2, True), used
    master_key = (tmp_path / "data" / "master.key").read_text().strip()
    moved = System(
        tmp_path, kafka=kafka_servers, namespace=namespace, partitions=3, master_key=master_key
    )
    ended = moved.run("import", export, "--json")
    assert ended.returncode == 0, ended
    shape = json.loads(ended.stdout)
    assert (shape["partitions"], shape["lists_without_key"]) == (3, len(campaigns))
    assert "the contacts of 2 lists are not here" in ended.stderr, "before"
    assert "nobody reads the contacts of 2 lists until their keys are here" in ended.stderr
    brought = moved.run("secrets", "import", keys, "--json")
    assert (brought.returncode, json.loads(brought.stdout)["forgotten_in"]) == (0, 0), brought
    adopted = moved.run("adopt", "--yes")
    assert adopted.returncode == 0, adopted
    with moved as system, system.client() as client:  # The carrier's memory is in the directory.
        for campaign in campaigns:
            client.hurry(campaign)
        for campaign in campaigns:
            assert client.wait_for(campaign, "completed")["total_contacts"] == 40
        report = audit(system, client)
    assert not report.violations, report
    assert report.rings >= 80
