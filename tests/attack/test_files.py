"""Another user of the machine reads nothing: every file of every process, whatever its umask is."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import handled
from tests.support.system import Layout, System

pytestmark = pytest.mark.e2e


def open_to_others(folder: Path) -> Iterator[str]:
    for path in [folder, *folder.rglob("*")]:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:  # SQLite has removed it since.
            continue
        if mode & 0o077:
            yield f"{path} {mode:04o}"


@pytest.mark.parametrize("layout", ["up", "parts"])
def test_no_file_of_any_process_is_open_to_others(tmp_path: Path, layout: Layout) -> None:
    private = tmp_path / "private"  # Where an operator may put the auditors' log.
    private.mkdir(0o700)
    rings = private / "rings.jsonl"
    system = System(tmp_path, layout, carrier_log=rings)
    data_dir = next(iter(system.processes.values())).data_dir
    data_dir.mkdir(0o755, exist_ok=True)  # As an earlier build has left them.
    data_dir.chmod(0o755)
    (data_dir / "log.db-wal").touch(0o644)
    rings.touch(0o666)
    for process in system.processes.values():
        process.prefix = ["sh", "-c", 'umask 000; exec "$@"', "sh"]
    with system, system.client() as client:
        campaign = client.create(30)
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 0)
        names = {path.name for path in data_dir.iterdir()}
        assert {"log.db", "log.db-wal", "log.db-shm", "projector.db-wal", "carrier.db"} <= names
        assert rings.stat().st_size > 0
        assert not list(open_to_others(data_dir)) + list(open_to_others(private))
