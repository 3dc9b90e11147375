"""A store's SQLite file, in whatever state it is: how it is opened, and what it contains."""

import sqlite3
from hashlib import sha256
from pathlib import Path


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the file, without creating tables. None: in memory."""
    db = sqlite3.connect(path or ":memory:", isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")  # Never corrupt; the last saves may be lost.
    except sqlite3.Error:
        db.close()
        raise
    return db


def about_of(db: sqlite3.Connection) -> dict[str, str]:
    """Return what the file says about itself: nothing, if it is not one of ours."""
    columns = {name for _, name, *_ in db.execute("pragma table_info(about)")}
    if not {"name", "value"} <= columns:
        return {}
    return dict(db.execute("select name, value from about"))


def tables_of(db: sqlite3.Connection) -> str:
    """Return a digest of the tables and indexes that the file has; "" if it has none."""
    found = db.execute("select name, sql from sqlite_master order by name").fetchall()
    return sha256(repr(found).encode()).hexdigest() if found else ""
