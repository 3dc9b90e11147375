"""kill -9 in the middle of a campaign: no contact lost or rung twice, a pause stays a pause."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.auditor import audit
from tests.support.client import Client, handled
from tests.support.system import System

pytestmark = pytest.mark.e2e
CONTACTS = 500
CONCURRENT = 4
CALLS_PER_MINUTE = 900  # The campaign outlasts its kills on busy cores; then the rest is hurried.
LIFE_S = (0.0, 0.8)  # How long a process lives between kills: into its recovery, or beyond it.
PAUSE_S = (0.0, 0.05)  # How long a pause is under way before the kill: answered or not.

# Together thirteen kills on each log. Every second one strikes in the middle of a pause. The last
# is the command API's alone: meanwhile the dialer goes on, perhaps to the end.
WHOLE = ("up",) * 6
PARTS = ("dialer", "command-api", "dialer", "everything", "dialer", "command-api", "command-api")


def strike(system: System, victim: str) -> None:
    """Kill one process, or everything, and start it again."""
    if victim == "everything":
        system.kill9()
        system.start()
    else:
        system[victim].kill9()
        system[victim].restart()


def survive(system: System, victims: Sequence[str], seed: int) -> None:
    """Kill at random moments, every second time while a pause settles, and judge what was left."""
    dice = random.Random(seed)
    with system, system.client() as client, ThreadPoolExecutor(1) as aside:
        campaign = client.create(CONTACTS, concurrent=CONCURRENT, calls_per_minute=CALLS_PER_MINUTE)
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 0)
        for number, victim in enumerate(victims):
            assert client.status(campaign) == "running", "killed in the middle"
            time.sleep(dice.uniform(*LIFE_S))  # The moment itself is what is drawn.
            if number % 2:
                pausing = aside.submit(client.pause, campaign)
                time.sleep(dice.uniform(*PAUSE_S))
                strike(system, victim)
                assert pausing.result(), "it is true in the end"
                stays_paused(client, campaign)
                client.resume(campaign)
            else:
                strike(system, victim)
        client.hurry(campaign)
        client.wait_for(campaign, "completed")
        report = audit(system, client)
    print(report)
    report.assert_clean(rings=CONTACTS, pauses=len(victims) // 2)


def stays_paused(client: Client, campaign_id: int) -> None:
    """Paused is paused after the kill too, and calls in progress complete."""
    found = client.wait_until(campaign_id, lambda found: found["in_progress_contacts"] == 0)
    assert found["status"] == "paused"
    assert found["pending_contacts"] > 0, "paused in the middle"


@pytest.mark.parametrize("seed", [1])
def test_one_process_killed_at_random_moments_loses_nobody(tmp_path: Path, seed: int) -> None:
    survive(System(tmp_path), WHOLE, seed)


@pytest.mark.parametrize("seed", [1])
def test_parts_killed_at_random_moments_lose_nobody(tmp_path: Path, seed: int) -> None:
    survive(System(tmp_path, "parts"), PARTS, seed)


@pytest.mark.kafka
@pytest.mark.parametrize("seed", [2])
def test_one_process_on_kafka_killed_at_random_moments_loses_nobody(
    tmp_path: Path, kafka_servers: str, namespace: str, seed: int
) -> None:
    survive(System(tmp_path, kafka=kafka_servers, namespace=namespace), WHOLE, seed)


@pytest.mark.kafka
@pytest.mark.parametrize("seed", [2])
def test_parts_on_kafka_killed_at_random_moments_lose_nobody(
    tmp_path: Path, kafka_servers: str, namespace: str, seed: int
) -> None:
    survive(System(tmp_path, "parts", kafka=kafka_servers, namespace=namespace), PARTS, seed)
