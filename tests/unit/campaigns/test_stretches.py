"""A read for followers is bounded in bytes as in records: decoded chunks of contacts are heavy."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.log.tail import KEPT_BYTES_MAX, READ_BYTES_MAX
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.sqlite.file import connect, prepare, stretch
from campaigns.sqlite.sqlite_log import SqliteLog

HERE = Partition(CAMPAIGN_RECORDS, 0)
WEIGHT, COUNT = READ_BYTES_MAX // 4, 30  # The whole of it is heavier than what a tail keeps.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    prepare(path, 1, read_only=False)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "insert into records values (?, 0, ?, ?)",
            (
                (CAMPAIGN_RECORDS, n, b"%d" % n * (WEIGHT // len(str(n))))
                for n in range(1, 1 + COUNT)
            ),
        )
    return path


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, read_only=False)) as db:
        yield db


@pytest.mark.parametrize(
    ("bytes_max", "count"), [(None, 20), (READ_BYTES_MAX, 4), (WEIGHT, 2), (1, 2), (1 << 40, 20)]
)
def test_a_read_is_bounded_in_bytes_but_always_goes_on(
    db: sqlite3.Connection, bytes_max: int | None, count: int
) -> None:
    found = stretch(db, HERE, 5, 20, 1, bytes_max)
    assert [one.position for one in found.records] == list(range(6, 6 + count))
    assert found.failure is None
    assert db.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0, "nobody reads"


async def test_followers_get_everything_and_no_read_is_heavy(path: Path) -> None:
    log, heaviest = SqliteLog(path), 0
    read = log._feeder._read

    async def weighed(*asked: object) -> object:
        nonlocal heaviest
        found = await read(*asked)  # type: ignore[arg-type]  # Passed on.
        heaviest = max(heaviest, sum(len(one.raw or b"") for one in found.records))
        return found

    await log.open()
    log._feeder._read = weighed  # type: ignore[assignment]  # Weighs what is read.

    async def follow(slow: int) -> list[int]:
        found: list[int] = []
        async for batch in log.batches(HERE, 0, batch_max=1):
            found += [one.position for one in batch]
            for _ in range(slow):
                await asyncio.sleep(0.001)
            if found[-1] == COUNT:
                break
        return found

    async with asyncio.timeout(20):
        every = await asyncio.gather(follow(0), follow(0), follow(2))
    await log.close()
    # One that fell behind the tail reads its last record again.
    assert [list(dict.fromkeys(found)) for found in every] == [list(range(1, 1 + COUNT))] * 3
    assert 0 < heaviest <= READ_BYTES_MAX < KEPT_BYTES_MAX < COUNT * WEIGHT
