"""A flood of every kind at once: a neighbour's pauses stay quick and true, and it passes.

2,800 slow clients on a process that may open 256 files, eight heavy ones without a key, and a
tenant that asks as fast as it can. What a neighbour notices is compared with what it notices beside
nothing, in the same run.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.attack.flood import BUSY, CROWD, HEAVY
from tests.attack.instance import Instance, wait_for
from tests.attack.neighbour import Neighbour
from tests.support.system import KEY, ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
KINDS = 7
PAUSES, TIMES_MAX = 40, 10
MEMORY_MAX_MB = 400
LOG_MAX_BYTES = 200_000


@contextmanager
def flooded(instance: Instance, campaign: int) -> Iterator[None]:
    """Flood an instance until the block ends."""
    command = [sys.executable, "-m", "tests.attack.flood"]
    flood = subprocess.Popen(
        [*command, str(instance.port), KEY, str(campaign)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert flood.stdout is not None
        assert flood.stdout.readline() == f"{KINDS * CROWD + HEAVY + BUSY} clients\n"
        yield
        assert flood.poll() is None, "it went on all the time"
    finally:
        flood.kill()
        flood.wait()
        flood.stdout and flood.stdout.close()


def closed(instance: Instance) -> dict[str, int]:
    """Return how many connections were closed on their clients, by why."""
    _, metrics = instance.ask("GET", "/metrics")
    found = re.findall(r'dialgate_connections_closed_total\{why="(\w+)"\} (\d+)', metrics)
    return {why: int(count) for why, count in found}


def test_a_flood_of_every_kind_is_hardly_noticed_next_door(tmp_path: Path) -> None:
    with Instance(tmp_path, descriptors=256) as instance, Neighbour(instance) as neighbour:
        campaigns = [instance.create(description="x" * 20_000) for _ in range(20)]
        idle_s = neighbour.median_s()
        with flooded(instance, campaigns[0]):
            flooded_s = neighbour.median_s(PAUSES)
            assert instance.peak_mb() < MEMORY_MAX_MB
            assert len(instance.descriptors()) < 256
            why = closed(instance)  # Another client that asks at once is served during the flood.
        wait_for(lambda: instance.sockets() < 20, "its connections are gone")
        print(f"idle {idle_s * 1000:.1f} ms, flooded {flooded_s * 1000:.1f} ms, {why}")
        print(f"{neighbour.client.retries} tries more", end=", ")
        print(f"peak {instance.peak_mb():.0f} MiB, {instance.log_bytes()} bytes logged")
        assert flooded_s < TIMES_MAX * idle_s
        assert why["crowded"] > CROWD, "it was a flood"
        # A client whose head is not read yet is a stranger among strangers, and may be displaced.
        assert neighbour.client.retries < PAUSES, "most pauses need no second try"
        assert neighbour.median_s() < TIMES_MAX * idle_s
        assert instance.log_bytes() < LOG_MAX_BYTES
        assert instance.rss_mb() < MEMORY_MAX_MB
        neighbour.audit()
