"""Files that only their owner may read, since they hold personal data. Modes 0600, in 0700.

A process sets its umask (`only_ours`), so that each file that it or SQLite creates is private from
the first byte. Wider modes left by earlier processes are tightened on our files, else reported.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077  # Rights that only the owner has.
# Dialgate's files in its data directory: log, stores, locks, names; and SQLite's beside them.
_OURS = ("*.db", "*.db-wal", "*.db-shm", "*.db-journal", "*.lock", "*.name", "*.key")
_OF_FILE_SYSTEMS = frozenset({"lost+found"})


def only_ours() -> None:
    """Make each file that this process creates from here on private, whatever its umask was."""
    os.umask(UMASK)


def open_private(path: Path, flags: int) -> int:
    """Open or create a file, for its owner alone; return the descriptor.

    Raises:
        OSError: see `os.open`.

    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    if _wide(os.fstat(descriptor).st_mode) and os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    return descriptor


def replace_private(path: Path, content: bytes) -> None:
    """Write a whole file, for its owner alone, or leave what stands there as it is.

    Raises:
        OSError: it cannot be written; nothing of it is left.

    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(open_private(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file durable, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(data_dir: Path) -> list[str]:
    """Create the directory if it is missing, and tighten its mode and those of our files in it.

    Returns a sentence for each path that stays open to others: this user does not own it, or the
    directory also holds other files, whose readers are not ours to choose.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = {path for pattern in _OURS for path in data_dir.glob(pattern) if _is_file(path)}
    named = [sentence for path in sorted(ours) for sentence in _tightened(path, 0o600)]
    others = sorted(one.name for one in data_dir.iterdir() if one not in ours)
    others = [name for name in others if name not in _OF_FILE_SYSTEMS]
    if _wide(data_dir.stat().st_mode) and others:
        mode = stat.S_IMODE(data_dir.stat().st_mode)
        why = f"it has other files in it ({others[0]})"
        return [*named, f"{data_dir} is open to others ({mode:04o}), and stays so: {why}"]
    return [*named, *_tightened(data_dir, 0o700)]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _wide(mode: int) -> bool:
    return bool(mode & UMASK)


def _tightened(path: Path, mode: int) -> Iterator[str]:
    try:
        found = stat.S_IMODE(path.stat().st_mode)
        if _wide(found):
            path.chmod(found & mode)
    except FileNotFoundError:
        return  # SQLite has removed it since.
    except PermissionError as exc:
        yield f"{path} is open to others ({found:04o}), and stays so: {exc.strerror}"
