"""The embedded log passes the contract, alone and shared, and survives what kills its process."""

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from campaigns.log.port import EventLog
from campaigns.process.errors import (
    LevelBeyondError,
    LogCutError,
    LogUnavailableError,
    OutcomeUnknownError,
    TopicMisfitError,
)
from campaigns.records.topics import ORGANIZATIONS, Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.log_contract import CutLogContract
from campaigns.testing.sample_records import FIRST, followed, ids, some_record

WRITER = """
import asyncio, sys
from pathlib import Path
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, some_record

async def main(path, count):
    log = SqliteLog(path, exclusive=False)
    await log.open()
    for _ in range(count):
        record, key = some_record(FIRST)
        await log.append(FIRST, record, key)
        print(record.id, flush=True)
    await log.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


class Failing:
    """A connection whose disk breaks when a commit is synced."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def execute(self, statement: str, *values: Sequence[int | str]) -> sqlite3.Cursor:
        if statement == "commit":
            no = sqlite3.OperationalError("disk I/O error")
            no.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise no
        return self._db.execute(statement, *values)


def writing(path: Path, count: int) -> subprocess.Popen[str]:
    """Start a process that appends, and prints the id of each acknowledged record."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count)], stdout=subprocess.PIPE, text=True
    )


class SqliteContract(CutLogContract):
    """What both ways to open the file have in common."""

    exclusive: bool

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "log.db"

    @asynccontextmanager
    async def opened(
        self, partitions: int | None = 1, *, read_only: bool = False, busy_s: float = 5.0
    ) -> AsyncIterator[SqliteLog]:
        log = SqliteLog(
            self.path, partitions, exclusive=self.exclusive, read_only=read_only, busy_s=busy_s
        )
        await log.open()
        yield log
        await log.close()

    @asynccontextmanager
    async def as_log(self, partitions: int | None) -> AsyncIterator[EventLog]:
        async with self.opened(partitions) as log:
            yield log

    def open_log(self, partitions: int) -> AbstractAsyncContextManager[EventLog]:
        return self.as_log(partitions)

    def reopen(self, log: EventLog) -> AbstractAsyncContextManager[EventLog]:
        return self.as_log(None)

    async def append_bytes(self, log: EventLog, partition: Partition, raw: bytes) -> None:
        """Write as a stranger with a tool of his own does."""
        with sqlite3.connect(self.path) as db:
            db.execute(
                "insert into records select ?, ?, coalesce(max(position), 0) + 1, ?"
                " from records where (topic, number) = (?, ?)",
                (*partition, raw, *partition),
            )
        db.close()
        with contextlib.suppress(LogUnavailableError):  # It may have seen that it was cut.
            await log.ends([partition])

    async def cut(self, log: EventLog, partition: Partition, to: int) -> None:
        with sqlite3.connect(self.path) as db:
            db.execute(
                "delete from records where (topic, number) = (?, ?) and position > ?",
                (*partition, to),
            )
        db.close()

    async def test_close_commits_what_is_waiting(self) -> None:
        async with self.opened() as log:
            appending = [asyncio.create_task(self.fill(log, FIRST, 1)) for _ in range(50)]
            await asyncio.sleep(0)
        await asyncio.gather(*appending)
        async with self.opened() as again:
            assert await again.ends([FIRST]) == {FIRST: 50}

    async def test_a_file_with_other_partitions_is_a_misfit(self) -> None:
        async with self.opened(3):
            pass
        with pytest.raises(TopicMisfitError, match="expected 2 partitions, found 3"):
            await SqliteLog(self.path, 2).open()

    async def test_a_file_of_a_later_schema_is_a_misfit(self) -> None:
        async with self.opened():
            pass
        with sqlite3.connect(self.path) as db:
            db.execute("update about set value = '99' where name = 'schema'")
        db.close()
        with pytest.raises(TopicMisfitError, match="expected schema version 1, found 99"):
            await SqliteLog(self.path).open()

    @pytest.mark.parametrize("read_only", [False, True])
    async def test_a_file_that_is_no_log_is_a_misfit(self, read_only: bool) -> None:
        self.path.write_bytes(b"a text, and no database at all. " * 100)
        with pytest.raises(TopicMisfitError, match="found another kind of file"):
            await SqliteLog(self.path, read_only=read_only).open()
        self.path.unlink()
        with sqlite3.connect(self.path) as db:
            db.execute("create table diary (entry text)")
        db.close()
        with pytest.raises(TopicMisfitError, match="found another database"):
            await SqliteLog(self.path, read_only=read_only).open()

    async def test_a_directory_that_is_missing_makes_the_log_unavailable(self) -> None:
        with pytest.raises(LogUnavailableError):
            await SqliteLog(self.path / "missing" / "log.db").open()

    async def test_what_the_file_refuses_is_not_in_the_log(self) -> None:
        async with self.opened(busy_s=0.05) as log:
            other = sqlite3.connect(self.path, isolation_level=None)
            other.execute("begin immediate")
            with pytest.raises(LogUnavailableError, match="locked"):
                await self.fill(log, FIRST, 1)
            other.execute("rollback")
            other.close()
            (record,) = await self.fill(log, FIRST, 1)
            assert ids(await followed(log, FIRST, 0, 1)) == [record.id]

    async def test_a_full_disk_refuses_and_later_takes_again(self) -> None:
        async with self.opened() as log:
            await self.fill(log, FIRST, 1)
            assert log._committer is not None
            (pages,) = log._committer._db.execute("pragma page_count").fetchone()
            log._committer._db.execute(f"pragma max_page_count = {pages}")
            with pytest.raises(LogUnavailableError, match="full"):
                await asyncio.gather(*(self.fill(log, FIRST, 1) for _ in range(100)))
            await asyncio.sleep(0.05)
            (end,) = (await log.ends([FIRST])).values()
            log._committer._db.execute("pragma max_page_count = 1000000")
            (record,) = await self.fill(log, FIRST, 1)
            (found,) = await followed(log, FIRST, end, 1)
            assert (ids([found]), found.position) == ([record.id], end + 1)

    async def test_a_commit_that_fails_midway_is_of_unknown_outcome_and_stops_the_log(self) -> None:
        async with self.opened() as log:
            await self.fill(log, FIRST, 2)
            following = asyncio.create_task(followed(log, FIRST, 0, 3))
            await asyncio.sleep(0.02)
            assert log._committer is not None
            log._committer._db = cast("sqlite3.Connection", Failing(log._committer._db))
            with pytest.raises(OutcomeUnknownError, match="midway"):
                await self.fill(log, FIRST, 1)
            with pytest.raises(LogUnavailableError, match="midway"):
                await following
            with pytest.raises(LogUnavailableError, match="midway"):
                await self.fill(log, FIRST, 1)
            with pytest.raises(LogUnavailableError, match="midway"):
                await followed(log, FIRST, 0, 1)
        async with self.opened() as again:
            assert len(await followed(again, FIRST, 0, 2)) == 2
            await self.fill(again, FIRST, 1)

    async def test_a_closed_log_takes_nothing(self) -> None:
        async with self.opened() as log:
            pass
        with pytest.raises(LogUnavailableError):
            await self.fill(log, FIRST, 1)
        with pytest.raises(LogUnavailableError):
            await log.ends([FIRST])

    async def test_a_log_for_reading_only_makes_nothing_and_takes_nothing(self) -> None:
        with pytest.raises(LogUnavailableError, match="found no file"):
            await SqliteLog(self.path, read_only=True).open()
        assert list(self.path.parent.iterdir()) == []
        async with self.opened(2) as log:
            records = await self.fill(log, Partition(FIRST.topic, 1), 5, partitions=2)
        assert list(self.path.parent.iterdir()) == [self.path]
        async with self.opened(None, read_only=True) as reading:
            assert (reading.id, reading.partitions(FIRST.topic)) == (log.id, 2)
            found = await followed(reading, Partition(FIRST.topic, 1), 0, 5)
            assert ids(found) == [record.id for record in records]
            with pytest.raises(LogUnavailableError, match="reading only"):
                await self.fill(reading, ORGANIZATIONS, 1)
            assert list(self.path.parent.iterdir()) == [self.path]

    async def test_a_log_for_reading_only_follows_one_that_is_written(self) -> None:
        async with self.opened() as log, self.opened(read_only=True) as reading:
            following = asyncio.create_task(followed(reading, FIRST, 0, 10))
            records = await self.fill(log, FIRST, 10)
            assert ids(await following) == [record.id for record in records]

    async def test_a_missing_record_stops_the_reader(self) -> None:
        async with self.opened() as log:
            await self.fill(log, FIRST, 5)
        with sqlite3.connect(self.path) as db:
            db.execute("delete from records where position = 3")
        db.close()
        async with self.opened() as log:
            assert len(await followed(log, FIRST, 0, 2)) == 2
            with pytest.raises(LogCutError, match=r"0: expected 3, found 4"):
                await followed(log, FIRST, 0, 3)

    @pytest.mark.parametrize("grown", [3, 4, 5])
    async def test_a_log_that_was_cut_and_has_grown_again_takes_nothing(self, grown: int) -> None:
        """Who appends is the first to see it, in the transaction itself."""
        async with self.opened() as log:
            await self.fill(log, FIRST, 5)
            await self.cut(log, FIRST, 1)
            with sqlite3.connect(self.path) as db:
                db.executemany(
                    "insert into records values (?, ?, ?, ?)",
                    [(*FIRST, position, b"{}") for position in range(2, 2 + grown)],
                )
            db.close()
            with pytest.raises(LogUnavailableError, match="the log was cut"):
                await self.fill(log, FIRST, 1)
            with pytest.raises(LogUnavailableError, match="the log was cut"):
                await followed(log, FIRST, 5, 1)

    @pytest.mark.parametrize("by", ["a copy", "nothing"])
    async def test_a_file_that_is_replaced_under_way_stops_the_log(self, by: str) -> None:
        async with self.opened() as log:
            await self.fill(log, FIRST, 3)
            following = asyncio.create_task(followed(log, FIRST, 3, 1))
            await asyncio.sleep(0)
            if by == "a copy":
                shutil.copy(self.path, self.path.with_suffix(".copy"))
                self.path.with_suffix(".copy").replace(self.path)
            else:
                self.path.unlink()
            with pytest.raises(LogUnavailableError, match="was replaced"):
                await self.fill(log, FIRST, 1)
            with pytest.raises(LogCutError, match="was replaced"):
                await following
            with pytest.raises(LogUnavailableError, match="was replaced"):
                await log.ends([FIRST])

    async def test_a_later_level_is_said_to_who_asks_and_the_log_goes_on(self) -> None:
        async with self.opened() as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 3))
            await self.fill(log, FIRST, 2)
            await self.append_bytes(log, FIRST, b'{"dialgate": 99}')
            *_, last = await following
            with pytest.raises(LevelBeyondError, match="@3: expected a level of at most"):
                _ = last.envelope

    async def test_thousands_are_followed_from_the_file_by_several(self) -> None:
        async with self.opened() as log:
            for _ in range(20):
                await asyncio.gather(*(self.fill(log, FIRST, 1) for _ in range(200)))
            every = await asyncio.gather(*(followed(log, FIRST, 0, 4_000) for _ in range(3)))
            assert [len(found) for found in every] == [4_000] * 3
            shared = sum(one is other for one, other in zip(every[0], every[1], strict=True))
            assert shared > 3_000, "decoded once"


class TestExclusive(SqliteContract):
    """One process: it does not poll for others' writes."""

    exclusive = True


class TestShared(SqliteContract):
    """Several processes on one file."""

    exclusive = False

    async def test_another_process_s_records_are_followed_in_order(self) -> None:
        async with self.opened() as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 260))
            with writing(self.path, 200) as other:
                mine = [record.id for record in await self.fill(log, FIRST, 60)]
                written, _ = await asyncio.to_thread(other.communicate)
            theirs = written.split()
            found = ids(await following)
            assert len(theirs) == 200
            assert [one for one in found if one in set(theirs)] == theirs
            assert [one for one in found if one in set(mine)] == mine
            assert await log.ends([FIRST]) == {FIRST: 260}

    async def test_who_always_writes_sees_at_once_what_others_write_elsewhere(self) -> None:
        """It looked for others' records when it had nothing to write: under load, never."""
        elsewhere, mine = Partition(FIRST.topic, 1), some_record(FIRST, 2)
        busy = SqliteLog(
            self.path, 2, exclusive=False, poll_ms=500
        )  # It is never idle for that long.
        await busy.open()
        async with self.opened(2) as other:

            async def write() -> None:
                while True:
                    await busy.append(FIRST, *mine)

            writing_on = [asyncio.create_task(write()) for _ in range(8)]
            following = asyncio.create_task(followed(busy, elsewhere, 0, 1, within_s=1.0))
            await asyncio.sleep(0.1)
            theirs, key = some_record(elsewhere, 2)
            await other.append(elsewhere, theirs, key)
            try:
                assert ids(await following) == [theirs.id]
            finally:
                for one in writing_on:
                    one.cancel()
                await asyncio.wait(writing_on)
                await busy.close()

    async def test_what_a_killed_process_had_acknowledged_is_there(self) -> None:
        with writing(self.path, 1_000_000) as other:
            assert other.stdout is not None
            acknowledged = [await asyncio.to_thread(other.stdout.readline) for _ in range(100)]
            other.send_signal(signal.SIGKILL)
            acknowledged += await asyncio.to_thread(other.stdout.readlines)
        whole = [line.strip() for line in acknowledged if line.endswith("\n")]
        async with self.opened() as log:
            (end,) = (await log.ends([FIRST])).values()
            found = ids(await followed(log, FIRST, 0, end))
            assert found[: len(whole)] == whole
            assert end - len(whole) <= 1, "one may be there whose answer was lost"
            (record, key) = some_record(FIRST)
            await log.append(FIRST, record, key)
            assert ids(await followed(log, FIRST, end, 1)) == [record.id]

    async def test_several_processes_may_make_the_file_at_once(self) -> None:
        others = [writing(self.path, 20) for _ in range(3)]
        written = [await asyncio.to_thread(one.communicate) for one in others]
        assert [one.returncode for one in others] == [0, 0, 0]
        async with self.opened() as log:
            found = ids(await followed(log, FIRST, 0, 60))
            assert sorted(found) == sorted(" ".join(out for out, _ in written).split())
