"""A carrier's ring logs, by call: in a temporary file, so that memory does not grow with them.

A ring log has one JSON object a line; the simulated carrier writes it (DIALGATE_CARRIER_LOG).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from campaigns.audit.judge.permission import RecordedRing

_BATCH = 1_000  # Lines an insertion.
_SCHEMA = (
    "create table rings (call_id text not null, campaign_id integer not null, contact_id integer"
    " not null, run integer not null, attempt integer not null, began_at_ns integer not null,"
    " carrier text not null, place text not null)"
)
_OF_CALL = "select rowid, * from rings where call_id = ?"


class RingLineError(Exception):
    """A line of a ring log is no ring: its file, its number, and what is wrong."""


class _Line(msgspec.Struct):
    """What is read of a line: the rest is for the carrier."""

    ring: str  # The carrier's id, `-`, a number.
    call_id: str
    campaign_id: int
    contact_id: int
    run: int
    attempt: int
    began_at_ns: int


_DECODER = msgspec.json.Decoder(_Line)


class RingIndex:
    """The rings of some logs, in a file that is gone when this is closed."""

    def __init__(self) -> None:
        """Begin without a ring."""
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file.
        self._db.execute(_SCHEMA)
        self.carriers: set[str] = set()  # Those that have rung.
        self.count = 0

    def read(self, path: Path) -> None:
        """Take the lines of one log in.

        A line that was cut off is left out: by the carrier's own rule that ring did not begin.

        Raises:
            OSError: it cannot be read.
            RingLineError: a line is something else than a ring.

        """
        with path.open("rb") as lines:
            rows = list[RecordedRing]()
            for number, line in enumerate(lines, 1):
                if (ring := _ring(line, f"{path.name}:{number}")) is not None:
                    self.carriers.add(ring.carrier)
                    rows.append(ring)
                if len(rows) >= _BATCH:
                    self._add(rows)
                    rows = []
            self._add(rows)
        self._db.execute("create index if not exists of_call on rings (call_id)")

    def _add(self, rows: Sequence[RecordedRing]) -> None:
        self._db.execute("begin")
        self._db.executemany("insert into rings values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.execute("commit")
        self.count += len(rows)

    def take(self, call_id: str) -> Sequence[RecordedRing]:
        """Return a call's rings, in the order of the logs, and count them as permitted."""
        found = self._db.execute(_OF_CALL, (call_id,)).fetchall()
        if found:
            self._db.executemany("delete from rings where rowid = ?", [row[:1] for row in found])
        return [RecordedRing(*row[1:]) for row in found]

    def left(self) -> Iterable[RecordedRing]:
        """Yield the rings that were not taken."""
        for row in self._db.execute("select * from rings order by rowid"):
            yield RecordedRing(*row)

    def close(self) -> None:
        """Delete the file."""
        self._db.close()


def _ring(line: bytes, where: str) -> RecordedRing | None:
    """Return the ring of a line. None: the line was cut off.

    Raises:
        RingLineError: it is something else.

    """
    try:
        found = _DECODER.decode(line)
    except msgspec.ValidationError as exc:
        raise RingLineError(f"{where}: expected a ring, found {exc}") from exc
    except msgspec.DecodeError:
        return None  # Cut off.
    carrier = found.ring.rpartition("-")[0]
    return RecordedRing(
        found.call_id, found.campaign_id, found.contact_id, found.run, found.attempt,
        found.began_at_ns, carrier, where,
    )  # fmt: skip
