"""A file that a verb writes is there whole, or not at all."""

import errno
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from dialgate.verbs.new_file import new_file
from dialgate.verbs.verb import MisusedError


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with new_file(path) as file:
        file.write(b"some")
        assert not path.exists()
    assert path.read_bytes() == b"some"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    def full(file: BinaryIO) -> None:
        file.write(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError), new_file(tmp_path / "export") as file:
        full(file)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "export.partial").write_bytes(b"x" * 100)
    with new_file(tmp_path / "export") as file:
        file.write(b"some")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"some"]


def test_a_file_that_exists_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(b"mine")
    with pytest.raises(MisusedError, match="does not exist yet"), new_file(path):
        raise AssertionError("it is refused first")
    path.unlink()
    with pytest.raises(MisusedError, match="does not exist yet"), new_file(path):
        path.write_bytes(b"mine")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"mine"]


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with new_file(path) as file:
        with pytest.raises(MisusedError, match="another process"), new_file(path):
            raise AssertionError("it is refused first")
        file.write(b"some")
    assert path.read_bytes() == b"some"
