"""What the real system has recorded, kills and all, is reproduced by `dialgate what-if`."""

import json
from pathlib import Path

import pytest

from tests.support.system import System

pytestmark = pytest.mark.e2e


def test_the_same_settings_reproduce_what_a_killed_system_has_recorded(tmp_path: Path) -> None:
    system = System(
        tmp_path, carrier_fault_refusals_percent=5, carrier_fault_lost_reports_percent=5,
        carrier_fault_silence_percent=2,
    )  # fmt: skip
    with system, system.client() as client:
        campaign = client.create(120, concurrent=5)
        client.start(campaign)
        client.wait_until(campaign, lambda found: int(found["completed_contacts"]) > 20)
        client.pause(campaign)
        client.resume(campaign)
        client.wait_until(campaign, lambda found: int(found["completed_contacts"]) > 30)
        system["up"].kill9()
        system["up"].restart()
        client.wait_for(campaign, "completed")
        selected = {"contact_selection": "failed_only", "schedule_type": "immediate"}
        assert client.command(f"/{campaign}/re-execute", selected).status_code == 200
        client.start(campaign)
        client.wait_for(campaign, "completed")
        system["up"].stop()
        told = system.run("what-if", str(campaign), "--json")
    assert told.returncode == 0, told
    found = json.loads(told.stdout)
    assert (found["differences"], found["not_repeated"]) == (0, []), found
    assert found["same_attempts"] == found["recorded"]["attempts"] > 120, "and some again"
    assert found["what_if"]["dispositions"] == found["recorded"]["dispositions"]
