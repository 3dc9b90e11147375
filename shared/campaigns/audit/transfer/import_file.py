"""Imports an export as the embedded log: built beside, compared, and renamed once it is whole."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from campaigns.audit.transfer.comparison import Comparison
from campaigns.audit.transfer.import_plan import Plan, Planned
from campaigns.log.installation_log import whole
from campaigns.process.errors import LogUnavailableError, TopicMisfitError
from campaigns.process.private_files import open_private, sync
from campaigns.records.topics import Partition
from campaigns.sqlite.file import connect, prepare
from campaigns.sqlite.sqlite_log import SqliteLog

_COMMIT = 2_048  # Records per transaction. None of them is synced: the whole file is, at the end.
_BESIDE = ("-wal", "-shm", "-journal")  # What SQLite puts beside a file.


async def import_embedded(plan: Plan, path: Path, seen: Callable[[int], None]) -> int:
    """Write the plan's records as the log at `path`; return how many. The caller holds all locks.

    Until the last moment nothing is there but `NAME.importing`, which the next import removes.

    Raises:
        TopicMisfitError: there is a log with records already.
        LogUnavailableError: it cannot be written: the disk is full. Nothing is left.
        ExportUnreadableError: the export does not fit.

    """
    refuse_used(path)
    await plan.check()
    await plan.ready()
    beside = path.with_name(f"{path.name}.importing")
    _remove(beside)
    try:
        os.close(open_private(beside, os.O_RDWR | os.O_CREAT))
        await asyncio.to_thread(prepare, beside, plan.partitions, read_only=False)
        await _write(plan, beside, seen)
        written = await _compared(plan, beside)
        await plan.done()
        await asyncio.to_thread(_name, beside, path)
    except sqlite3.Error as exc:
        raise LogUnavailableError(f"{path}: nothing was imported: {exc}") from exc
    finally:
        _remove(beside)
    return written


def refuse_used(path: Path) -> None:
    """Refuse a log that has a record.

    Raises:
        TopicMisfitError: there is one.

    """
    if not path.exists():
        return
    prepare(path, None, read_only=True)
    with closing(connect(path, read_only=True)) as db:
        (found,) = db.execute("select count(*) from (select 1 from records limit 1)").fetchone()
    if found:
        raise TopicMisfitError(
            f"expected no log at {path}, or an empty one, found one with records"
        )


async def _write(plan: Plan, path: Path, seen: Callable[[int], None]) -> None:
    with closing(connect(path, read_only=False)) as db:
        db.execute("pragma synchronous = off")
        ends, batch = dict[Partition, int](), list[Planned]()
        async for planned in plan.records():
            batch.append(planned)
            if len(batch) == _COMMIT:
                await asyncio.to_thread(_insert, db, batch, ends)
                seen(len(batch))
                batch = []
        await asyncio.to_thread(_insert, db, batch, ends)
        seen(len(batch))


def _insert(db: sqlite3.Connection, batch: list[Planned], ends: dict[Partition, int]) -> None:
    rows = list[tuple[str, int, int, bytes]]()
    for planned in batch:
        ends[planned.partition] = position = ends.get(planned.partition, 0) + 1
        rows.append((*planned.partition, position, planned.raw))
    db.execute("begin")
    db.executemany("insert into records values (?, ?, ?, ?)", rows)
    db.execute("commit")


async def _compared(plan: Plan, path: Path) -> int:
    log = SqliteLog(path, plan.partitions, read_only=True)
    await log.open()
    try:
        return await Comparison(plan, log, await whole(log)).check()
    finally:
        await log.close()


def _name(beside: Path, path: Path) -> None:
    """Sync the file, then give it its name: a crash leaves all of it, or nothing."""
    sync(beside)
    refuse_used(path)
    _remove_beside(path)
    beside.replace(path)
    sync(path.parent)


def _remove_beside(path: Path) -> None:
    """Remove what SQLite has left beside a file."""
    for suffix in _BESIDE:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_beside(path)
