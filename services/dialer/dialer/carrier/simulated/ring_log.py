"""The carrier log: one JSON line per ring, for auditors. What carrier.db keeps is in rings.py."""

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path

import orjson

from campaigns.process.private_files import open_private
from dialer.carrier.simulated.rings import Ring


class RingLog:
    """One line per ring, appended by one write as the ring begins."""

    def __init__(self, path: Path | None, file_id: str) -> None:
        """Open the log to append to it. `path` None: no log."""
        self._path, self._file_id = path, file_id
        self._descriptor: int | None = None
        self._torn = False
        if path is not None:
            self._descriptor = open_private(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
            self._torn = _torn(path)

    def write(self, ring: Ring, began_at_ns: int) -> bool:
        """Append the ring's line. False: it cannot be written, so the ring must not begin."""
        if self._descriptor is None:
            return True
        call = asdict(ring.call)
        del call["variables"]  # Personal data that no audit of rings needs.
        names = {"ring": f"{self._file_id}-{ring.number}", "began_at_ns": began_at_ns}
        line = orjson.dumps(call | names) + b"\n"
        if self._torn:  # End a line that a crash or a full disk cut off.
            line = b"\n" + line
        try:
            written = os.write(self._descriptor, line)
        except OSError:
            return False
        self._torn = written < len(line)
        return written >= len(line) - 1  # A line without its newline is still whole.

    def began_at_ns(self, rings: Collection[Ring]) -> Mapping[int, int]:
        """Find the lines of these rings: number → when it began. Reads the log from its start."""
        wanted = {f"{self._file_id}-{ring.number}": ring.number for ring in rings}
        found: dict[int, int] = {}
        if self._path is None or not wanted:
            return found
        with self._path.open("rb") as lines:
            for line in lines:
                try:
                    entry = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue  # Cut off: that ring did not begin.
                if isinstance(entry, dict) and entry.get("ring") in wanted:
                    found[wanted[entry["ring"]]] = entry["began_at_ns"]
        return found

    def close(self) -> None:
        """Close."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def _torn(path: Path) -> bool:
    """Say whether the last line lacks its newline."""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        if not size:
            return False
        log.seek(size - 1)
        return log.read(1) != b"\n"
