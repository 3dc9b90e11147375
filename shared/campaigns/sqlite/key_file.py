"""The lists' keys beside the embedded log: a SQLite file that can forget.

What is deleted is overwritten (`secure_delete`), and the journal of a change is removed when it is
committed: no copy of a key stays in the file, or beside it. What a file system or a disk keeps of
freed blocks is out of reach. Source: ADR-0041.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Lock

from campaigns.personal.key_store import Change
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.process.errors import LogUnavailableError

KEYS_FILE = "keys.db"
BUSY_S = 5.0  # How long a change may wait for those of other processes.
_SCHEMA = (
    "create table if not exists keys (key_id text primary key, wrapped text not null) without rowid"
)

_SEALERS = (
    "select substr(wrapped, 1, instr(wrapped || '.', '.') - 1) as sealer, count(*) from keys"
    " group by sealer"
)


class KeyFile:
    """The keys of one embedded log. Implements the KeyStore port."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path, self._read_only = path, read_only
        self._reading: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None  # The file that is open: device and inode.
        self._counted: tuple[int, Mapping[str, int]] = -1, {}  # As of which state of the file.
        self._one_at_a_time = Lock()  # Queries read from threads.
        self._writing = ThreadPoolExecutor(1, f"write {path.name}")

    def close(self) -> None:
        """Close the file. It is opened again at need."""
        with self._one_at_a_time:
            self._shut()

    async def add(self, wrapped: Mapping[str, str]) -> None:
        """Keep new keys. Raises: LogUnavailableError."""
        await self._write(
            lambda db: db.executemany("insert into keys values (?, ?)", wrapped.items())
        )

    def find(self, key_id: str) -> str | None:
        """Return a key. Raises: KeyUnavailableError: the file cannot be read."""
        try:
            with self._one_at_a_time:
                return self._found(key_id)
        except sqlite3.Error as exc:
            raise KeyUnavailableError(f"the keys in {self._path} cannot be read: {exc}") from exc

    def _found(self, key_id: str) -> str | None:
        if (db := self._opened()) is None:
            return None
        row = db.execute("select wrapped from keys where key_id = ?", (key_id,)).fetchone()
        return row[0] if row else None

    def _shut(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading, self._counted = None, (-1, {})

    def _opened(self) -> sqlite3.Connection | None:
        """Return the file, opened. None: there is none, or somebody is about to make it.

        One that was removed, or put in its place, is noticed: changes go to what stands there.
        """
        which = _which(self._path)
        if which != self._which:
            self._shut()
        if self._reading is None and which is not None:
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
            if not db.execute("select 1 from sqlite_master where name = 'keys'").fetchone():
                db.close()
                return None
            self._reading, self._which = db, which
        return self._reading

    def key_ids(self) -> Sequence[str]:
        """Return the ids of all keys. Raises: KeyUnavailableError: the file cannot be read."""
        try:
            with self._one_at_a_time:
                db = self._opened()
                return [key_id for (key_id,) in db.execute("select key_id from keys")] if db else []
        except sqlite3.Error as exc:
            raise KeyUnavailableError(f"the keys in {self._path} cannot be read: {exc}") from exc

    def sealers(self) -> Mapping[str, int]:
        """Return how many keys each master key wraps. Raises: as `key_ids`."""
        try:
            with self._one_at_a_time:
                if (db := self._opened()) is None:
                    return {}
                (version,) = db.execute("pragma data_version").fetchone()
                if version != self._counted[0]:  # Each look at a part's health asks: count once.
                    self._counted = version, dict(db.execute(_SEALERS).fetchall())
                return self._counted[1]
        except sqlite3.Error as exc:
            raise KeyUnavailableError(f"the keys in {self._path} cannot be read: {exc}") from exc

    async def refresh(self) -> None:
        """Nothing to read ahead: each question reads the file."""

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing. Raises: LogUnavailableError."""

        def changed(db: sqlite3.Connection) -> None:
            found = db.execute("select wrapped from keys where key_id = ?", (key_id,)).fetchone()
            was = found[0] if found else None
            left = change(was)
            if left is None:
                db.execute("delete from keys where key_id = ?", (key_id,))
            elif left != was:
                db.execute("insert or replace into keys values (?, ?)", (key_id, left))

        await self._write(changed)

    async def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        if self._read_only:
            raise LogUnavailableError(f"{self._path} is only read")
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writing, self._committed, work)
        except (sqlite3.Error, OSError) as exc:
            raise LogUnavailableError(f"the keys in {self._path}: {exc}") from exc

    def _committed(self, work: Callable[[sqlite3.Connection], object]) -> None:
        with closing(sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)) as db:
            db.execute("pragma secure_delete = on")
            db.execute("pragma journal_mode = delete")
            db.execute("pragma synchronous = extra")  # The journal's removal is durable, too.
            db.execute("begin immediate")
            try:
                db.execute(_SCHEMA)
                work(db)
                db.execute("commit")
            finally:
                if db.in_transaction:
                    db.execute("rollback")


def _which(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
