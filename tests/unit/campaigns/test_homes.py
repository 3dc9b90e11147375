"""A log is at home in one place: opened anywhere else it is a copy, which takes no changes."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.domain.facts import LevelRaised
from campaigns.log.installation_log import Author, Decided, decided, founded, whole
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.log.writer import Origin, Writer
from campaigns.process.errors import ReadOnlyError
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.home import LogPlace, adopt, elsewhere, first_home, read_only, retire
from campaigns.records.installation import Installation
from campaigns.records.topics import INSTALLATION
from campaigns.sqlite.file_place import place_of
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered, some_record
from tests.unit.campaigns.test_installation import Ids

HERE, THERE = LogPlace({"log": "here"}, "here"), LogPlace({"log": "there"}, "there")
BY = Author("test", "operator")


async def begun(log: MemoryLog | SqliteLog) -> Installation:
    return await founded(log, VirtualClock(asyncio.get_running_loop()), "command-api/1")


def copied(log: MemoryLog, place: LogPlace = THERE) -> MemoryLog:
    """Return a copy of a log, at another place."""
    copy = MemoryLog(len(log._records) - 2)
    for partition, records in log._records.items():
        copy._records[partition] = list(records)
    copy.place = place
    return copy


async def chosen(log: MemoryLog, decide: Decided) -> Installation:
    """Record one choice."""
    clock = VirtualClock(asyncio.get_running_loop())
    return await decided(log, lambda now: None if decide in (now.home, None) else decide, BY, clock)


async def reading(log: MemoryLog) -> Reader:
    reader = Reader(log, Ids())
    await reader.begin()
    return reader


def test_a_new_log_is_at_home_where_it_was_opened_first_and_says_so_once() -> None:
    async def main() -> None:
        log = MemoryLog(3)
        await asyncio.gather(*(begun(log) for _ in range(4)))
        found = await begun(log)
        assert found.home is not None
        assert (found.home.generation, found.home.traits) == (1, {"log": "memory"})
        assert await log.ends([INSTALLATION]) == {INSTALLATION: 1}, "one record, with the level"
        assert elsewhere(found, log.place) is None

    run_virtually(main())


def test_a_log_that_was_raised_is_at_home_where_a_writer_opens_it_next() -> None:
    async def main() -> None:
        log = MemoryLog()
        record, key = some_record(FIRST)
        await log.append(FIRST, record, key)
        assert (await begun(log)).home is None, "level 1 knows no homes"
        await log.append(INSTALLATION, offered(LevelRaised(level=3, raised_at=NOON)), 1)
        assert (await begun(log)).home is None, "nor does level 3"
        raised = offered(LevelRaised(level=4, raised_at=NOON), condition_version=1)
        await log.append(INSTALLATION, raised, 1)
        assert (await begun(log)).home is not None
        assert elsewhere(await whole(log), THERE) is not None

    run_virtually(main())


def test_a_copy_takes_no_change_and_says_whose_it_is_until_it_is_adopted() -> None:
    async def main() -> None:
        log = MemoryLog()
        await begun(log)
        copy = copied(log)
        assert (await begun(copy)).home == (await whole(log)).home, "it claims nothing by itself"
        reader = await reading(copy)
        clock = VirtualClock(asyncio.get_running_loop())
        writer = Writer(reader, None, clock, "test")
        offer, _ = some_record(FIRST)
        record = writer.record(offer.facts, offer.condition, Origin("test", "test"))
        with pytest.raises(ReadOnlyError, match=r"a copy of the log at memory.*dialgate adopt"):
            await writer.append(FIRST, record, 42)
        assert await copy.ends([FIRST]) == {FIRST: 0}, "nothing was recorded"
        following = asyncio.create_task(reader.follow([FIRST]))
        await chosen(copy, adopt(await whole(copy), copy.place, NOON, "c"))
        async with asyncio.timeout(20):
            await reader.home.at_home()
            assert (await writer.append(FIRST, record, 42)).accepted
        following.cancel()

    run_virtually(main())


def test_who_retires_a_log_can_take_it_back_and_each_choice_has_a_later_epoch() -> None:
    async def main() -> None:
        log = MemoryLog()
        first = (await begun(log)).home
        assert first is not None
        gone = (await chosen(log, retire(await whole(log), log.place, "retired", NOON, "r"))).home
        assert gone is not None
        assert (gone.generation, gone.traits, gone.installation) == (2, {}, first.installation)
        assert "(retired)" in read_only(gone)
        assert elsewhere(await whole(log), log.place) == gone
        assert elsewhere(await whole(log), THERE) == gone
        assert retire(await whole(log), log.place, "again", NOON, "r") is None
        back = (await chosen(log, adopt(await whole(log), log.place, NOON, "b"))).home
        assert back is not None
        assert (back.generation, back.claim) == (3, "b")
        assert elsewhere(await whole(log), log.place) is None
        assert adopt(await whole(log), log.place, NOON, "b") is None

    run_virtually(main())


def test_who_was_overtaken_has_a_later_epoch_than_the_other_once_he_is_adopted_again() -> None:
    home = first_home(Installation(level=4), HERE, NOON, "a")
    gone = retire(Installation(level=4, home=home), HERE, "overtaken", NOON, "b", generation=7)
    back = adopt(Installation(level=4, home=gone), HERE, NOON, "c")
    assert gone is not None
    assert back is not None
    assert (gone.generation, back.generation) == (7, 8)


@pytest.mark.parametrize(
    ("traits", "is_home"),
    [
        ({"inode": "7", "born": "1"}, True),
        ({"inode": "7", "born": "2"}, False),
        ({"inode": "8", "born": "1"}, False),
        ({"inode": "7", "file_system": "5"}, True),  # An older kernel did not say when.
        ({"cluster": "c"}, False),
        ({}, False),
    ],
)
def test_a_place_is_a_home_by_the_traits_that_both_have(
    traits: dict[str, str], is_home: bool
) -> None:
    assert LogPlace({"inode": "7", "born": "1"}, "").is_at(traits) is is_home


# -- the file of the embedded log ----------------------------------------------------------------


async def made(path: Path) -> Installation:
    log = SqliteLog(path)
    await log.open()
    try:
        return await begun(log)
    finally:
        await log.close()


async def at_home(path: Path) -> bool:
    log = SqliteLog(path)
    await log.open()
    try:
        return elsewhere(await whole(log), log.place) is None
    finally:
        await log.close()


async def test_a_renamed_file_and_a_renamed_directory_are_at_home(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await made(tmp_path / "a" / "log.db")
    (tmp_path / "a" / "log.db").rename(tmp_path / "a" / "other.db")
    (tmp_path / "a").rename(tmp_path / "b")
    assert await at_home(tmp_path / "b" / "other.db")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    assert await at_home(tmp_path / "c" / "other.db")


def by_cp(path: Path, copy: Path) -> None:
    shutil.copyfile(path, copy)


def by_cp_with_all_attributes(path: Path, copy: Path) -> None:
    shutil.copy2(path, copy)
    os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))


def by_backup(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def by_vacuum(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source:
        source.execute("vacuum into ?", (str(copy),))


@pytest.mark.parametrize("copy", [by_cp, by_cp_with_all_attributes, by_backup, by_vacuum])
async def test_a_copied_file_is_not_at_home(copy: object, tmp_path: Path) -> None:
    await made(tmp_path / "log.db")
    copy(tmp_path / "log.db", tmp_path / "copy.db")  # type: ignore[operator]  # One of the above.
    assert not await at_home(tmp_path / "copy.db")
    assert await at_home(tmp_path / "log.db"), "and the original still is"


async def test_a_backup_that_takes_the_originals_place_and_its_inode_is_not_at_home(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "log.db", tmp_path / "backup.db"
    await made(path)
    by_cp(path, backup)
    before = place_of(path)
    path.unlink()
    by_cp(backup, path)
    if "born" not in before.traits:
        assert place_of(path).traits["inode"] != before.traits["inode"], (
            "the carrier tells them apart"
        )
    assert not await at_home(path)
