"""Pause and resume at random moments under full load: when the 200 arrives, no ring begins."""

import random
import time
from pathlib import Path

import pytest

from tests.support.auditor import audit
from tests.support.client import handled
from tests.support.system import System

pytestmark = pytest.mark.e2e
PAUSES = 12
RUNS_S, RESTS_S = (0.05, 0.6), (0.05, 0.3)  # Between which bounds moments are drawn.


def run(system: System, seed: int, contacts: int = 2_500) -> None:
    """Pause and resume at random moments, then let all be done, and judge it."""
    dice = random.Random(seed)
    with system, system.client() as client:
        campaign = client.create(contacts, concurrent=60)
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 0)
        for _ in range(PAUSES):
            time.sleep(dice.uniform(*RUNS_S))  # The moment itself is what is drawn.
            assert client.pause(campaign), "paused in the middle"
            assert client.status(campaign) == "paused"
            time.sleep(dice.uniform(*RESTS_S))
            client.resume(campaign)
        client.wait_for(campaign, "completed")
        report = audit(system, client)
    print(report)
    report.assert_clean(rings=contacts, pauses=PAUSES)
    assert report.rings_between > PAUSES, "calls go on between pauses"


@pytest.mark.parametrize("seed", [1])
def test_no_ring_begins_after_a_pause_is_answered(tmp_path: Path, seed: int) -> None:
    run(System(tmp_path), seed)


@pytest.mark.parametrize("seed", [2])
def test_no_ring_begins_after_a_pause_is_answered_by_parts(tmp_path: Path, seed: int) -> None:
    run(System(tmp_path, "parts"), seed)


@pytest.mark.kafka
@pytest.mark.parametrize("seed", [3])
def test_no_ring_begins_after_a_pause_is_answered_on_kafka(
    tmp_path: Path, kafka_servers: str, namespace: str, seed: int
) -> None:
    run(System(tmp_path, kafka=kafka_servers, namespace=namespace), seed)
