"""The simulated carrier's rings, and carrier.db, which keeps them.

A call that is placed twice rings twice: it has two rings. When a ring begins and ends is decided
in simulated_carrier.py; its line for auditors is written in ring_log.py.
"""

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from campaigns.domain.facts import Disposition
from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.private_files import open_private
from dialer.carrier.port import CallOrder, Ended, Found, NoRing, RefusedLate, Rung, Taken
from dialer.carrier.simulated.home_book import HomeBook
from dialer.carrier.simulated.outcome import Outcome

MEMORY = ":memory:"
Fates = Callable[[CallOrder], Outcome]  # The course of each call, fixed before it is taken.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SCHEMA = (
    "create table if not exists about (name text primary key, value text not null)",
    "create table if not exists rings (number integer primary key, call_id text not null,"
    " campaign_id integer not null, contact_id integer not null, run integer not null,"
    " attempt integer not null, recipient text not null, ring_by_ns integer not null,"
    " callback_url text, taken_at_ns integer not null, state text not null, began_at_ns integer,"
    " ended_at_ns integer, disposition text, duration_s real not null, error text)",
    "create index if not exists rings_of_call on rings (call_id)",
    "create index if not exists open_rings on rings (state) where state in ('taken', 'ringing')",
)
_UPSERT = (
    "insert into rings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " on conflict (number) do update set state = excluded.state,"
    " began_at_ns = excluded.began_at_ns, ended_at_ns = excluded.ended_at_ns,"
    " disposition = excluded.disposition, duration_s = excluded.duration_s, error = excluded.error"
)


def nanoseconds(at: datetime) -> int:
    """Return a time as Unix time in nanoseconds, exactly."""
    return (at - _EPOCH) // _MICROSECOND * 1000


def clocks(at_ns: int) -> datetime:
    """Return Unix time in nanoseconds as a time, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


class RingState(StrEnum):
    """How far a ring has got. The last three are final."""

    TAKEN = "taken"
    RINGING = "ringing"  # Or answered.
    ENDED = "ended"
    REFUSED_LATE = "refused-late"
    NO_RING = "no-ring"


@dataclass(slots=True)
class Ring:
    """One order to ring, and what has become of it."""

    number: int  # Its place in carrier.db, from 1.
    call: CallOrder
    ring_by_ns: int
    callback_url: str | None  # Gets its end, if the carrier is a separate process.
    taken_at_ns: int
    state: RingState = RingState.TAKEN
    began_at_ns: int | None = None  # None: it has not rung (yet).
    ended_at_ns: int | None = None
    disposition: Disposition | None = None
    duration_s: float = 0.0  # Of talk.
    error: str | None = None  # What broke it, or why it never rang.

    def found(self) -> Found:
        """Return it as the port's answer."""
        if self.state is RingState.TAKEN:
            return Taken()
        if self.state is RingState.REFUSED_LATE:
            return RefusedLate()
        if self.state is RingState.NO_RING:
            return NoRing(self.error or "")
        assert self.began_at_ns is not None, "a ring that began has an instant"
        began_at = clocks(self.began_at_ns)
        if self.state is RingState.RINGING:
            return Rung(began_at)
        assert self.ended_at_ns is not None, "what ended has an instant"
        assert self.disposition is not None, "what ended has a disposition"
        ended_at = clocks(self.ended_at_ns)
        return Ended(began_at, ended_at, self.disposition, self.duration_s, self.error)

    @property
    def open(self) -> bool:
        """Say whether it may still change."""
        return self.state in (RingState.TAKEN, RingState.RINGING)

    def end(self, fate: Outcome) -> None:
        """End as the outcome says, at its time: a restart in between changes nothing."""
        assert self.began_at_ns is not None, "only what began can end"
        self.state, self.disposition = RingState.ENDED, fate.disposition
        self.ended_at_ns = self.began_at_ns + round((fate.ringing_s + fate.talk_s) * 1e6) * 1000
        self.duration_s = fate.talk_s
        self.error = "call failed" if fate.disposition is Disposition.FAILED else None

    def hang_up(self, fate: Outcome, now_ns: int) -> None:
        """End now; what has not begun never will."""
        self.error = "hung up"
        if self.began_at_ns is None:
            self.state = RingState.NO_RING
            return
        self.state, self.disposition = RingState.ENDED, Disposition.FAILED
        self.ended_at_ns = max(now_ns, self.began_at_ns)
        lasted_s = (self.ended_at_ns - self.began_at_ns) / 1e9
        self.duration_s = max(0.0, round(lasted_s - fate.ringing_s, 6))

    def row(self) -> tuple[int | float | str | None, ...]:
        """Return it as carrier.db keeps it."""
        call = self.call
        return (
            *(self.number, call.call_id, call.campaign_id, call.contact_id, call.run),
            *(call.attempt, call.to, self.ring_by_ns, self.callback_url, self.taken_at_ns),
            *(self.state, self.began_at_ns, self.ended_at_ns, self.disposition),
            *(self.duration_s, self.error),
        )


def seconds_left(ring: Ring, setup_s: float, fate: Outcome, now_ns: int) -> float | None:
    """Return the time until a ring begins, or until it ends. None: it is over."""
    if ring.state is RingState.TAKEN:
        left_s = ring.taken_at_ns / 1e9 + setup_s - now_ns / 1e9
        return min(left_s, setup_s)
    if ring.state is RingState.RINGING:
        assert ring.began_at_ns is not None, "a ring that began has an instant"
        lasts_s = fate.ringing_s + fate.talk_s
        return min((ring.began_at_ns - now_ns) / 1e9 + lasts_s, lasts_s)
    return None


class RingFile:
    """carrier.db: every ring ever ordered. One thread, one connection, one process at a time."""

    def __init__(self, path: Path | str, past: bytes | None = None) -> None:
        """Open the file, or make it; in memory it begins with `past` (see `close`).

        Raises:
            CarrierUnavailableError: another carrier has it open, and both would ring; or it is
                damaged: it is the only record of what rang, so it is never deleted automatically.

        """
        self._lock = None if str(path) == MEMORY else _lock(Path(f"{path}.lock"))
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        try:
            self._prepare(past)
        except sqlite3.DatabaseError as exc:
            self.close()
            raise CarrierUnavailableError(
                f"{path}: expected the carrier's file, found {exc}"
            ) from exc

    def _prepare(self, past: bytes | None) -> None:
        if past is not None:
            self._db.deserialize(past)
        self._db.execute("pragma journal_mode = wal")
        # What is committed survives the process. A power cut may take the last rings' states,
        # never the file: a simulated phone does not ring on without power either.
        self._db.execute("pragma synchronous = normal")
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._db.execute("insert or ignore into about values ('id', ?)", (uuid.uuid4().hex[:12],))
        # The file's own name, in each ring's id: a log may outlive its carrier.db.
        self.id: str = self._db.execute("select value from about where name = 'id'").fetchone()[0]
        self.homes = HomeBook(self._db)
        (last,) = self._db.execute("select max(number) from rings").fetchone()
        self.last_number: int = last or 0

    def save(self, rings: Iterable[Ring]) -> None:
        """Keep the rings as they are now, in one transaction.

        Raises:
            sqlite3.OperationalError: none of it is kept.

        """
        self._db.execute("begin immediate")
        try:
            self._db.executemany(_UPSERT, (ring.row() for ring in rings))
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def open_rings(self) -> Sequence[Ring]:
        """Return the rings that are not over, oldest first."""
        return self._read("where state in ('taken', 'ringing') order by number")

    def rings_of(self, call_id: str) -> Sequence[Ring]:
        """Return the rings of one call, newest first; empty: no such call."""
        return self._read("where call_id = ? order by number desc", call_id)

    def _read(self, clause: str, *values: str) -> Sequence[Ring]:
        return [_ring(row) for row in self._db.execute(f"select * from rings {clause}", values)]

    def close(self) -> bytes | None:
        """Close. Return the contents of a file in memory, for the next `open`."""
        past = self._db.serialize() if self._lock is None else None
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
        return past


def _ring(row: tuple[int | float | str | None, ...]) -> Ring:
    number, call_id, campaign_id, contact_id, run, attempt, to, *rest = row
    call = CallOrder(call_id, campaign_id, contact_id, run, attempt, to)  # type: ignore[arg-type]  # The schema says so.
    ring = Ring(number, call, *rest)  # type: ignore[arg-type]  # The schema says so.
    ring.state = RingState(ring.state)
    ring.disposition = Disposition(ring.disposition) if ring.disposition else None
    return ring


def _lock(path: Path) -> int:
    """Take the file's lock for as long as this process lives (SQLite's own come and go)."""
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise CarrierUnavailableError(f"{path}: another carrier has it open") from exc
    return descriptor
