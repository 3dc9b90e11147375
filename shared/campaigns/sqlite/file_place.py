"""What tells the embedded log's file from its copies: a rename or a restart leaves it as it is.

The traits are the file's inode and the instant at which it was created, in nanoseconds: the kernel
sets both, no tool can copy them, and they stay when the file is renamed, when its file system is
mounted elsewhere (a container's volume, a disk in another machine), or when the machine restarts.
A file system that does not keep that instant is told by its own id instead. What is the same in
all traits, a cloned machine or disk, is told apart by the carrier (ADR-0040).
"""

import ctypes
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from campaigns.records.home import LogPlace

_AT_FDCWD, _STATX_BTIME = -100, 0x800
_STATX_BYTES = 256
_MASK, _BTIME = (0, "=I"), (0x50, "=qI")  # Where statx(2) puts them: which were found; the instant.


def place_of(path: Path) -> LogPlace:
    """Return where a file is.

    Raises:
        OSError: it cannot be looked at.

    """
    name = f"{socket.gethostname()}:{path.absolute()}"
    return LogPlace(_traits(path), name)


def _traits(path: Path) -> Mapping[str, str]:
    traits = {"inode": str(path.stat().st_ino)}
    if (born_ns := _born_ns(path)) is not None:
        return traits | {"born": str(born_ns)}
    return traits | {"file_system": str(os.statvfs(path).f_fsid)}


def _born_ns(path: Path) -> int | None:
    """Return when a file was created, Unix time in nanoseconds. None: the system does not say."""
    found = path.stat()
    if (born := getattr(found, "st_birthtime_ns", None)) is not None:
        return int(born)
    if (since := getattr(found, "st_birthtime", None)) is not None:  # macOS: a float.
        return int(since * 1e6) * 1000
    if (statx := getattr(ctypes.CDLL(None), "statx", None)) is None:
        return None
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = struct.unpack_from(_MASK[1], buffer, _MASK[0])
    if not mask & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from(_BTIME[1], buffer, _BTIME[0])
    return int(seconds) * 10**9 + int(nanoseconds)
