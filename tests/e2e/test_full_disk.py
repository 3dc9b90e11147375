"""A full disk under the log, and under a store: no call, no loss, and recovery once there is room.

Two ways to fill a disk. A small file system of its own, where this user may mount one (root may):
the real thing, ENOSPC. And a limit to the size of a running process's files, which every user may
set: the same write fails, in the middle of what was being written.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.test_faults import BOUND_S, LEASE_S, SLACK_S, finished, pause_timed, running
from tests.support.auditor import rings_of
from tests.support.broker import required
from tests.support.client import API, Client, handled
from tests.support.system import PARTS, Process, System

pytestmark = pytest.mark.e2e

SIZE = "16m"  # Room for a log's write-ahead file and the log.
FILE_MAX = 64 * 1024  # Bytes: a store's write-ahead file is larger after a second or two.
ENDS_S = 30.0
STORES = ("command-api.db", "dialer.db", "projector.db", "carrier.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder on a small file system of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        reason = f"no small disk to fill: {mounted.stderr.strip()}"
        if required(os.environ):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte of room; return the file to delete for it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast


def test_a_full_disk_under_the_log_stops_all_calls_and_loses_none(
    tmp_path: Path, small_disk: Path
) -> None:
    system = System(tmp_path)
    system.data_dir.symlink_to(small_disk)
    for store in STORES:  # Only the log is on the small disk.
        (small_disk / store).symlink_to(tmp_path / store)
    with system, system.client() as client:
        campaign = running(client, contacts=200, concurrent=10)
        ballast = fill(small_disk)
        time.sleep(LEASE_S)  # What was permitted before may still ring.
        full_ns = time.time_ns()
        answer = client.once("POST", f"{client.commands_url}{API}/{campaign}/pause", timeout=30)
        assert answer.status_code == 503, answer.text
        assert answer.json()["may_still_take_effect"] is False
        assert answer.headers["retry-after"].isdigit()
        ready = client.once("GET", f"{system.commands_url}/health/ready")
        assert any("disk is full" in trouble for trouble in ready.json()["troubles"]), ready.text
        assert client.status(campaign) == "running", "what was refused has changed nothing"
        time.sleep(BOUND_S)  # Long enough for a call to begin, if one could.
        room_ns = time.time_ns()
        ballast.unlink()
        assert client.pause(campaign), "with room again, no restart is needed"
        client.resume(campaign)
        began = [ring.began_at_ns for ring in rings_of(system.rings)]
        assert not [at for at in began if full_ns < at < room_ns], "no log, no ring"
        finished(system, client, [campaign], rings=200, pauses=1)
        assert all(process.starts == 2 for process in system), "the start, and the rebuilding"


def limit(process: Process, bytes_max: int) -> None:
    """Let no file of a running process grow beyond a size: further writes fail (EFBIG)."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (bytes_max, resource.RLIM_INFINITY))


linux = pytest.mark.skipif(sys.platform != "linux", reason="no limits of other processes here")


@linux
def test_a_log_that_cannot_grow_amid_a_commit_ends_the_process_and_loses_none(
    tmp_path: Path,
) -> None:
    """Nobody can say what such a commit left: the process ends, and its next life reads it."""
    system = System(tmp_path)
    with system, system.client() as client, ThreadPoolExecutor(1) as aside:
        campaign = running(client, contacts=200, concurrent=10)
        limit(system["up"], FILE_MAX)
        pausing = aside.submit(client.pause, campaign)
        assert system["up"].wait(ENDS_S) == 1, "it exits, and its status says why"
        system["up"].restart()
        assert pausing.result(), "the same command, sent again"
        assert client.status(campaign) == "paused"
        client.resume(campaign)
        finished(system, client, [campaign], rings=200, pauses=1)


def goes_on(client: Client, campaign: int) -> None:
    """Return once a call has ended that had not."""
    before = client.done(campaign)
    client.wait_until(campaign, lambda found: handled(found) > before)


@linux
@pytest.mark.kafka
def test_a_full_disk_under_a_store_ends_that_process_alone(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    system = System(tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=1)
    with system, system.client() as client:
        campaign = running(client, contacts=400, concurrent=4)
        for verb in PARTS[1:]:
            limit(system[verb], FILE_MAX)
            assert system[verb].wait(ENDS_S) == 1, "it exits, and its status says why"
            assert all(system[other].running for other in PARTS if other != verb)
            if verb == "command-api":
                system[verb].restart()
            receipt, took_s = pause_timed(client, campaign)
            assert receipt, "paused in the middle, whatever has ended"
            assert took_s < BOUND_S + SLACK_S
            if verb != "command-api":
                system[verb].restart()
            client.resume(campaign)
            goes_on(client, campaign)
        client.hurry(campaign)
        finished(system, client, [campaign], rings=400, pauses=3)
