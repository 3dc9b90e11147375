"""One process per part and data directory: locks that the kernel releases, and durable names."""

import fcntl
import logging
import os
from pathlib import Path
from uuid import uuid4

from campaigns.process.errors import PartRunningError
from campaigns.process.private_files import make_private, open_private

logger = logging.getLogger(__name__)

_held: dict[Path, int] = {}  # Lock file → descriptor, open for the life of the process.
_closed: set[Path] = set()  # Data directories made private already: once per process.


def lock(data_dir: Path, part: str) -> None:
    """Take a part's lock for the life of this process; create the directory if it is missing.

    Makes our files in it private. Idempotent within a process. The file `<part>.lock` remains and
    means nothing by itself: the kernel holds the lock and releases it however the process ends.

    Raises:
        PartRunningError: another process holds it; nothing has changed.

    """
    if data_dir.resolve() not in _closed:
        for sentence in make_private(data_dir):
            logger.warning("%s", sentence)
        _closed.add(data_dir.resolve())
    path = data_dir.resolve() / f"{part}.lock"
    if path in _held:
        return
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise PartRunningError(
            f"{part} is already running on {data_dir.resolve()}: {holder or 'pid not known yet'}"
        ) from exc
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} {part}\n".encode(), 0)
    _held[path] = descriptor


def name_of(data_dir: Path, part: str) -> str:
    """Return the unique name of this part on this directory; it survives restarts.

    The caller holds the part's lock. A directory that was emptied gets a new name.
    """
    path = data_dir / f"{part}.name"
    if not path.exists() or not path.read_text():
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{part}-{uuid4().hex}")
    return path.read_text()


def unlock(data_dir: Path, part: str) -> None:
    """Release a part's lock before the process ends."""
    descriptor = _held.pop(data_dir.resolve() / f"{part}.lock", None)
    if descriptor is not None:
        os.close(descriptor)
