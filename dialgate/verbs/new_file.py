"""A file that a verb writes: there whole, or not at all. Private: it holds personal data."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from campaigns.process.private_files import open_private, sync
from dialgate.verbs.verb import MisusedError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; it gets its name once all of it is on disk.

    Until then it is `NAME.partial`, which is removed when the writing fails; one that a killed
    process left is written anew by the next.

    Raises:
        MisusedError: there is such a file already, or another process is writing it.
        OSError: it cannot be written; nothing is left.

    """
    if path.exists():
        raise MisusedError(f"expected a file that does not exist yet, found {path}")
    partial = path.with_name(f"{path.name}.partial")
    descriptor = open_private(partial, os.O_RDWR | os.O_CREAT)
    with os.fdopen(descriptor, "r+b", buffering=1024 * 1024) as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise MisusedError(f"another process is writing {path}") from exc
        try:
            file.truncate(0)
            yield file
            file.flush()
            os.fsync(descriptor)
            os.link(partial, path)  # Unlike a renaming, it never replaces a file.
        except FileExistsError as exc:
            raise MisusedError(f"expected a file that does not exist yet, found {path}") from exc
        finally:
            partial.unlink(missing_ok=True)
    sync(path.parent)
