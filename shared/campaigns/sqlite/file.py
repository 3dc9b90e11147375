"""The file of the embedded log: its tables, how it is opened, and how it is read. No asyncio."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from campaigns.process.errors import LogCutError, LogUnavailableError, TopicMisfitError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

SCHEMA_VERSION = 1  # A file of another version is refused: it is the log itself.
SCHEMA_DIGEST = "204b8fe50c06b936"  # Of the tables: tests/unit/test_schemas.py checks it.
READ_BUSY_MS = 2_000  # Readers wait only for a recovery after a crash.
OPEN_TRIES_MAX = 500  # Of OPEN_RETRY_S each: several processes may create the file at once.
OPEN_RETRY_S = 0.01

_SCHEMA = (
    "create table if not exists about (name text primary key, value text not null) strict",
    "create table if not exists records (topic text, number integer, position integer,"
    " record blob not null, primary key (topic, number, position)) without rowid, strict",
)
_RECORDS = ["topic", "number", "position", "record"]
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class LogMetadata(NamedTuple):
    """A file's own metadata."""

    id: str
    partitions: int  # Of campaign.records.


class Stretch(NamedTuple):
    """Consecutive records, and the failure that follows the last one, if any."""

    records: Sequence[Recorded]
    failure: LogCutError | None


def busy(no: sqlite3.Error) -> bool:
    """Say whether the error only means that another process holds the lock."""
    return getattr(no, "sqlite_errorcode", 0) & 0xFF in _BUSY


def at_rest(path: Path) -> bool:
    """Say whether no process has the file open: it has no write-ahead log then."""
    return not Path(f"{path}-wal").exists()


def connect(path: Path, *, read_only: bool, busy_ms: int = READ_BUSY_MS) -> sqlite3.Connection:
    """Open the file; a committed transaction is synced before any connection can read it.

    `read_only` creates nothing: without a write-ahead log no process has the file open, and it is
    opened as immutable.
    """
    if read_only:
        still = "&immutable=1" if at_rest(path) else ""
        url = f"{path.absolute().as_uri()}?mode=ro{still}"
        db = sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False)
    else:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        if not read_only:
            db.execute("pragma synchronous = full")
        db.execute(f"pragma busy_timeout = {busy_ms}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def prepare(path: Path, partitions: int | None, *, read_only: bool) -> LogMetadata:
    """Create what is missing, check what exists. `partitions` None: as the file has, or 1.

    Raises:
        LogUnavailableError: the file cannot be created, opened or read.
        TopicMisfitError: it was made with other partitions, by another version, or is no log.

    """
    if read_only and not path.is_file():
        raise LogUnavailableError(f"expected a log at {path}, found no file")
    try:
        about = _prepared(path, partitions or 1, read_only=read_only)
    except sqlite3.DatabaseError as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise TopicMisfitError(f"expected a log at {path}, found another kind of file") from exc
        raise LogUnavailableError(f"expected a log at {path}, found {exc}") from exc
    if about is None:
        raise TopicMisfitError(f"expected a log at {path}, found another database")
    if (found := about.get("schema")) != str(SCHEMA_VERSION):
        raise TopicMisfitError(f"{path}: expected schema version {SCHEMA_VERSION}, found {found}")
    if partitions is not None and about["partitions"] != str(partitions):
        raise TopicMisfitError(
            f"{path}: expected {partitions} partitions, found {about['partitions']}: the number"
            " is fixed when the log is made (DIALGATE_PARTITIONS)"
        )
    return LogMetadata(about["id"], int(about["partitions"]))


def _prepared(path: Path, partitions: int, *, read_only: bool) -> dict[str, str] | None:
    db = connect(path, read_only=read_only)
    try:
        if not read_only:
            _persist(db, path, partitions)
        if _columns(db, "about") != ["name", "value"]:
            return None
        if (found := _columns(db, "records")) != _RECORDS:
            raise TopicMisfitError(
                f"{path}: expected a table `records` with {_RECORDS}, found {found or 'none'}: the"
                " log was altered, or made by another version"
            )
        return dict(db.execute("select name, value from about"))
    finally:
        db.close()


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("select name from pragma_table_info(?)", (table,))]


def _persist(db: sqlite3.Connection, path: Path, partitions: int) -> None:
    for tries_left in reversed(range(OPEN_TRIES_MAX)):
        try:
            db.execute("pragma journal_mode = wal")
            db.execute("begin immediate")
            break
        except sqlite3.OperationalError as exc:
            if not (busy(exc) and tries_left):
                raise
            time.sleep(OPEN_RETRY_S)
    if not db.execute("select 1 from sqlite_master").fetchone():
        for statement in _SCHEMA:
            db.execute(statement)
        about = {"schema": str(SCHEMA_VERSION), "id": uuid4().hex, "partitions": str(partitions)}
        db.executemany("insert into about values (?, ?)", about.items())
    db.execute("commit")
    # A killed process may have left written records unsynced, readable from here on: sync them.
    wal = os.open(f"{path}-wal", os.O_RDWR)
    try:
        os.fsync(wal)
    finally:
        os.close(wal)


def refuse_other_file(path: Path, ours: tuple[int, int]) -> None:
    """Stop a process whose open file is no longer the one at `path`.

    Raises:
        LogCutError: it was replaced or removed: a restart would not find what is written to it.

    """
    if (now := identity(path)) != ours:
        raise LogCutError(
            f"{path}: expected the file that was opened, found {'another' if now else 'none'}:"
            " the log was replaced while it was in use"
        )


def identity(path: Path) -> tuple[int, int] | None:
    """Return a file's unique identity on this machine, or None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def last_of(db: sqlite3.Connection, partition: Partition) -> tuple[int, bytes | None]:
    """Return the partition's last position and record, including other processes' commits."""
    row = db.execute(
        "select position, record from records where (topic, number) = (?, ?)"
        " order by position desc limit 1",
        partition,
    ).fetchone()
    return row or (0, None)


def end_of(db: sqlite3.Connection, partition: Partition) -> int:
    """Return the partition's last position, including other processes' commits."""
    row = db.execute(
        "select position from records where (topic, number) = (?, ?)"
        " order by position desc limit 1",
        partition,
    ).fetchone()
    return int(row[0]) if row else 0


def record_at(db: sqlite3.Connection, partition: Partition, position: int) -> bytes | None:
    """Return one record's bytes, or None if it does not exist."""
    row = db.execute(
        "select record from records where (topic, number, position) = (?, ?, ?)",
        (*partition, position),
    ).fetchone()
    return row[0] if row else None


def stretch(
    db: sqlite3.Connection,
    partition: Partition,
    after: int,
    limit: int,
    partitions: int,
    bytes_max: int | None = None,
) -> Stretch:
    """Read at most `limit` records after `after`; fewer only at the end, or before a failure.

    With `bytes_max` also fewer if they would weigh more, but at least two.
    """
    asked = db.execute(
        "select position, record from records where (topic, number) = (?, ?) and position > ?"
        " order by position limit ?",
        (*partition, after, limit),
    )
    with closing(asked) as rows:  # Left open, it would keep the file's write-ahead log.
        if bytes_max is None:
            return _whole(partition, after, rows.fetchall(), partitions)
        records, weight = list[Recorded](), 0
        for expected, (position, raw) in enumerate(rows, after + 1):
            if position != expected:
                return Stretch(
                    records, LogCutError(f"{partition}: expected {expected}, found {position}")
                )
            weight += len(raw)
            if weight > bytes_max and len(records) >= 2:
                break
            records.append(Recorded(partition, position, raw, partitions))
    return Stretch(records, None)


def _whole(
    partition: Partition, after: int, rows: Sequence[tuple[int, bytes]], partitions: int
) -> Stretch:
    """Return what was read, up to where a record is missing."""
    missing = None
    if rows and rows[-1][0] != after + len(rows):  # Positions only grow: somewhere one is missing.
        for expected, (position, _) in enumerate(rows, after + 1):
            if position != expected:
                missing = LogCutError(f"{partition}: expected {expected}, found {position}")
                rows = rows[: expected - after - 1]
                break
    made = [Recorded(partition, position, raw, partitions) for position, raw in rows]
    return Stretch(made, missing)
