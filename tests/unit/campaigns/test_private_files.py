"""What is ours is its owner's alone: made so, or tightened, or named."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.process.data_dir import lock, name_of, unlock
from campaigns.process.private_files import make_private, only_ours, open_private, replace_private


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def anybody() -> Iterator[None]:
    """Begin with the widest umask there is."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_is_made_is_private_whatever_the_umask_is(tmp_path: Path) -> None:
    data_dir = tmp_path / "a" / "data"
    lock(data_dir, "dialer")
    name_of(data_dir, "dialer")
    unlock(data_dir, "dialer")
    assert mode_of(data_dir) == 0o700
    assert {mode_of(path) for path in data_dir.iterdir()} == {0o600}


def test_what_others_make_for_a_process_is_private_too(tmp_path: Path) -> None:
    only_ours()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "by.sqlite").write_text("")
    assert mode_of(tmp_path / "made") == 0o700
    assert mode_of(tmp_path / "made" / "by.sqlite") == 0o600


def test_what_an_earlier_build_has_left_open_is_tightened(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(0o755)
    (data_dir / "lost+found").mkdir(0o700)
    for name in ("log.db", "log.db-wal", "log.db-shm", "projector.db", "dialer.lock", "x.name"):
        (data_dir / name).touch(0o664)
    assert make_private(data_dir) == []
    assert mode_of(data_dir) == 0o700
    assert {mode_of(path) for path in data_dir.iterdir() if path.is_file()} == {0o600}


def test_a_directory_that_others_use_too_stays_and_is_named(tmp_path: Path) -> None:
    """DIALGATE_DATA_DIR=/tmp must not lock everybody else out of it; what is ours is closed."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "somebody's.txt").touch(0o644)
    (shared / "log.db").touch(0o644)
    (sentence,) = make_private(shared)
    assert "shared is open to others (1777), and stays so" in sentence
    assert mode_of(shared) == 0o1777
    assert mode_of(shared / "somebody's.txt") == 0o644
    assert mode_of(shared / "log.db") == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.touch(0o644)
    data_dir = tmp_path / "data"
    data_dir.mkdir(0o700)
    (data_dir / "log.db").symlink_to(elsewhere)
    make_private(data_dir)
    assert mode_of(elsewhere) == 0o644


def test_a_file_that_is_opened_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "rings.jsonl"
    path.touch(0o666)
    os.close(open_private(path, os.O_WRONLY | os.O_APPEND))
    assert mode_of(path) == 0o600
    os.close(open_private(tmp_path / "new.jsonl", os.O_WRONLY | os.O_CREAT))
    assert mode_of(tmp_path / "new.jsonl") == 0o600


def test_a_replaced_file_is_private_and_whole_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "page"
    file.write_text("older")
    file.chmod(0o644)
    replace_private(file, b"newer")
    assert (file.read_text(), mode_of(file)) == ("newer", 0o600)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_private(tmp_path / "folder", b"newer")
    assert {one.name for one in tmp_path.iterdir()} == {"page", "folder"}
