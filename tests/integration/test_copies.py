"""Two copies of one system, started by mistake on one carrier: exactly one rings."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.auditor import audit
from tests.support.client import API
from tests.support.system import KEY, Process, System

pytestmark = pytest.mark.e2e


def beside_its_carrier(folder: Path) -> System:
    """Return a system in one process, and a carrier process with files of its own."""
    system = System(folder, carrier_process=True)
    system["carrier"].environment["DIALGATE_DATA_DIR"] = str(folder / "carrier")
    return system


def backed_up(system: System, folder: Path) -> Path:
    """Back up a data directory that is in use, each file by SQLite's own means."""
    folder.mkdir()
    for path in system.data_dir.glob("*.db"):
        copy = folder / path.name
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    shutil.copy(system.data_dir / "master.key", folder)  # Kept apart, and restored with them.
    return folder


def another(system: System, folder: Path) -> System:
    """Return the same system on another data directory, with the carrier process of the first."""
    url = system["carrier"].url
    return System(folder, carrier_url=url, carrier_log=None)


def ready(process: Process) -> dict[str, object]:
    found = httpx.get(f"{process.url}/health/ready", trust_env=False)
    assert found.status_code == 200, found.text
    answer: dict[str, object] = found.json()
    return answer


def read_only(process: Process, within_s: float = 10.0) -> str:
    """Return why a process is read-only: it looks for an operator's decisions twice a second."""
    give_up_at = time.monotonic() + within_s
    while (found := ready(process).get("read_only")) is None:
        assert time.monotonic() < give_up_at, "it is still at home here"
        time.sleep(0.05)
    return str(found)


def orders(system: System) -> set[str]:
    """Return the ids of the calls that the carrier was ordered to ring."""
    with closing(sqlite3.connect(system["carrier"].data_dir / "carrier.db")) as db:
        return {call_id for (call_id,) in db.execute("select call_id from rings")}


def test_a_backup_that_is_started_beside_its_original_answers_and_rings_nobody(
    tmp_path: Path,
) -> None:
    with beside_its_carrier(tmp_path) as system, system.client() as client:
        campaign = client.create(60, concurrent=2)
        client.start(campaign)
        client.wait_until(campaign, lambda found: int(found["completed_contacts"]) > 5)
        (tmp_path / "copy").mkdir()
        backed_up(system, tmp_path / "copy" / "data")
        copy = another(system, tmp_path / "copy")
        with copy, copy.client() as reader:
            found = reader.get(f"/{campaign}")
            assert (found["status"], found["total_contacts"]) == ("running", 60)
            said = str(ready(copy["up"])["read_only"])
            assert "a copy of the log at" in said and str(system.data_dir) in said, said
            assert "read_only" not in ready(system["up"])
            metrics = httpx.get(f"{copy['up'].url}/metrics", trust_env=False).text
            assert 'dialgate_read_only{part="dialer"} 1.0' in metrics
            refused = httpx.post(
                f"{copy['up'].url}{API}/{campaign}/pause",
                headers={"Authorization": f"Bearer {KEY}"},
                trust_env=False,
            )
            assert (refused.status_code, refused.json()["may_still_take_effect"]) == (503, False)
            assert "dialgate adopt" in refused.json()["detail"]
            client.wait_for(campaign, "completed")
            assert reader.get(f"/{campaign}")["status"] == "running", "it stays as it was copied"
        report = audit(system, client)
    report.assert_clean(rings=60)
    assert report.rings == 60, report


def test_a_moved_copy_rings_once_it_is_adopted_and_a_renamed_directory_without(
    tmp_path: Path,
) -> None:
    original = beside_its_carrier(tmp_path)
    with original as system, system.client() as client:
        campaign = client.create(150, concurrent=1)
        client.start(campaign)
        client.wait_until(campaign, lambda found: int(found["completed_contacts"]) > 5)
        asked = system.run("retire")
        assert (asked.returncode, "expected --yes" in asked.stderr) == (2, True), asked
        retired = system.run("retire", "--yes", "--json")
        assert (retired.returncode, json.loads(retired.stdout)["retired"]) == (0, True), retired
        assert "(retired)" in read_only(system["up"])
        system["up"].stop()
        (tmp_path / "copy").mkdir()
        shutil.copytree(system.data_dir, tmp_path / "copy" / "data")
        copy = another(system, tmp_path / "copy")
        with copy, copy.client() as mover:
            before = orders(system)
            assert "retired" in str(ready(copy["up"])["read_only"])
            adopted = copy.run("adopt", "--yes", "--json")
            assert adopted.returncode == 0, adopted
            shape = json.loads(adopted.stdout)
            assert (shape["adopted"], shape["generation"]) == (True, 3)
            assert str(system.data_dir) in shape["copied_from"]
            mover.wait_until(campaign, lambda _: orders(system) > before)
            copy["up"].stop()
        (tmp_path / "copy").rename(tmp_path / "renamed")
        renamed = another(system, tmp_path / "renamed")
        with renamed, renamed.client() as mover:
            assert "read_only" not in ready(renamed["up"])
            assert renamed.run("adopt").returncode == 0, "there is nothing to ask"
            mover.hurry(campaign)
            assert mover.wait_for(campaign, "completed")["total_contacts"] == 150
        lines = system.rings.read_text().splitlines()
    assert len({json.loads(line)["to"] for line in lines}) == len(lines) == 150


def test_once_a_copy_is_adopted_beside_its_running_original_that_rings_nobody(
    tmp_path: Path,
) -> None:
    with beside_its_carrier(tmp_path) as system, system.client() as client:
        campaign = client.create(300, concurrent=1)
        client.start(campaign)
        client.wait_until(campaign, lambda found: int(found["completed_contacts"]) > 5)
        (tmp_path / "copy").mkdir()
        backed_up(system, tmp_path / "copy" / "data")
        copy = another(system, tmp_path / "copy")
        with copy, copy.client() as mover:
            assert copy.run("adopt", "--yes").returncode == 0
            client.wait_until(campaign, lambda _: "read_only" in ready(system["up"]))
            assert "adopted since" in str(ready(system["up"])["read_only"])
            client.wait_until(campaign, lambda found: int(found["in_progress_contacts"]) == 0)
            done, before = client.done(campaign), orders(system)
            mover.wait_until(campaign, lambda _: len(orders(system)) > len(before) + 5)
            assert client.done(campaign) == done, "the original rings nobody"
            system["up"].kill9()
            assert "adopted since" in str(ready(system["up"].start())["read_only"])
            mover.hurry(campaign)
            assert mover.wait_for(campaign, "completed")["total_contacts"] == 300
            assert client.done(campaign) == done
