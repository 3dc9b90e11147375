"""A history as the file of an embedded log."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from campaigns.sqlite.sqlite_log import SqliteLog
from tests.support.journal import Journal


def write_log(journal: Journal, data_dir: Path) -> Path:
    """Write a journal's log, whatever its records are, into `data_dir`/log.db; return that."""
    data_dir.mkdir(exist_ok=True)
    path = data_dir / "log.db"

    async def made() -> None:
        log = SqliteLog(path, journal.partitions)
        await log.open()
        await log.close()

    asyncio.run(made())
    rows = [
        (*partition, one.position, one.raw)
        for partition, records in journal.log._records.items()
        for one in records
    ]
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany("insert or replace into records values (?, ?, ?, ?)", rows)
    return path
