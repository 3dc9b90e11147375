"""The data directory's locks, against real processes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campaigns.process.data_dir import lock, name_of, unlock
from campaigns.process.errors import PartRunningError

HOLD = """
import sys, time
from pathlib import Path
from campaigns.process.data_dir import lock
lock(Path(sys.argv[1]), "dialer")
print("held", flush=True)
time.sleep(60)
"""


def test_a_part_runs_once_until_its_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        for _ in range(2):  # Whoever is refused leaves the holder's name as it was.
            with pytest.raises(PartRunningError) as refused:
                lock(tmp_path, "dialer")
            assert f"pid {first.pid}" in str(refused.value)
            assert "dialer" in str(refused.value)
            assert str(tmp_path) in str(refused.value)
        lock(tmp_path, "projector")  # Parts are independent.
        first.send_signal(signal.SIGKILL)
    lock(tmp_path, "dialer")
    unlock(tmp_path, "dialer")
    unlock(tmp_path, "projector")


def test_a_part_may_be_locked_again_by_its_own_process(tmp_path: Path) -> None:
    lock(tmp_path / "made", "dialer")
    lock(tmp_path / "made", "dialer")
    unlock(tmp_path / "made", "dialer")
    unlock(tmp_path / "made", "dialer")


def test_a_part_is_called_the_same_in_every_life_and_nowhere_else(tmp_path: Path) -> None:
    name = name_of(tmp_path, "dialer")
    assert name.startswith("dialer-")
    assert name_of(tmp_path, "dialer") == name
    for path in tmp_path.iterdir():
        path.write_text("")  # As after a power cut.
    assert len({name, name_of(tmp_path, "dialer"), name_of(tmp_path, "projector")}) == 3
