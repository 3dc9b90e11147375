"""`dialgate upgrade` and `dialgate skip`, as an operator types them, on the embedded log."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from campaigns.domain.facts import LevelRaised
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.log.installation_log import founded, whole
from campaigns.process.virtual_time import VirtualClock
from campaigns.records.installation import digest_of
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import INSTALLATION, INSTALLATION_KEY, Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered, some_record

RECORD, KEY = some_record(FIRST)
POISON = RECORD.encode().replace(b'"a test"', b"7")


def dialgate(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a verb; return its exit code and what it said."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DIALGATE_")}
    done = subprocess.run(
        [sys.executable, "-m", "dialgate", *arguments],
        env={**kept, "DIALGATE_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def foreign(folder: Path, raw: bytes, partition: Partition = FIRST) -> int:
    """Write as a stranger does; return where."""
    with closing(sqlite3.connect(folder / "log.db")) as db:
        asked = "select coalesce(max(position), 0) + 1 from records where (topic, number) = (?, ?)"
        (position,) = db.execute(asked, partition).fetchone()
        db.execute("insert into records values (?, ?, ?, ?)", (*partition, position, raw))
        db.commit()
    return int(position)


async def made(folder: Path, *, begun: bool) -> None:
    """Make a log: of before levels, or one that has begun with them."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    if begun:
        await founded(log, VirtualClock(asyncio.get_running_loop()), "command-api/1")
    await log.append(FIRST, RECORD, KEY)
    await log.close()


async def level(folder: Path) -> int:
    log = SqliteLog(folder / "log.db", exclusive=False)
    await log.open()
    try:
        return (await whole(log)).level
    finally:
        await log.close()


async def test_a_level_is_shown_raised_and_raised_no_more(tmp_path: Path) -> None:
    await made(tmp_path, begun=False)
    status, told, _ = dialgate(tmp_path, "upgrade", "--dry-run")
    assert (status, await level(tmp_path)) == (0, 1)
    assert f"level 1; this build knows level {LEVEL_NEWEST}" in told
    status, told, _ = dialgate(tmp_path, "upgrade", "--json")
    assert orjson.loads(told)["before"] == 1
    assert (status, orjson.loads(told)["level"]) == (0, LEVEL_NEWEST)
    status, told, _ = dialgate(tmp_path, "upgrade")
    assert (status, "nothing to raise" in told) == (0, True)
    assert await level(tmp_path) == LEVEL_NEWEST


async def test_a_level_is_raised_beside_a_process_that_has_all_the_parts(tmp_path: Path) -> None:
    await made(tmp_path, begun=False)
    log = SqliteLog(tmp_path / "log.db", exclusive=True)
    await log.open()
    try:
        batches = log.batches(INSTALLATION, 0)
        first = asyncio.ensure_future(anext(batches))
        assert (await asyncio.to_thread(dialgate, tmp_path, "upgrade"))[0] == 0
        raised, *_ = await asyncio.wait_for(first, 10)  # Then its home, maybe in the same batch.
        assert [fact.TYPE for fact in raised.facts] == [LevelRaised.TYPE]
        await log.append(FIRST, offered(RECORD.facts[0]), KEY)
        assert await log.ends([FIRST]) == {FIRST: 2}
        await batches.aclose()  # type: ignore[attr-defined]  # An asynchronous generator.
    finally:
        await log.close()


@pytest.mark.parametrize(
    "verb", [("up",), ("upgrade",), ("skip", "0@1", "--reason", "r"), ("keys", "list")]
)
async def test_a_build_that_is_too_old_says_so_in_one_sentence_and_exits_2(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    await made(tmp_path, begun=True)
    beyond = offered(LevelRaised(level=LEVEL_NEWEST + 1, raised_at=NOON), condition_version=2)
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await log.append(INSTALLATION, beyond, INSTALLATION_KEY)
    await log.close()
    status, _, said = dialgate(tmp_path, *verb)
    assert (status, len(said.splitlines())) == (2, 1)
    assert "this build is too old" in said


async def test_a_record_is_skipped_by_who_has_seen_it(tmp_path: Path) -> None:
    await made(tmp_path, begun=True)
    last = RECORD.encode().replace(b'"campaign/1":0', b'"campaign/1":1')
    position = foreign(tmp_path, last.replace(b'"a test"', b"7"))
    digest = digest_of(Recorded(FIRST, position, last.replace(b'"a test"', b"7"), 1))
    asked = ("skip", f"0@{position}", "--reason", "a carrier said so")
    assert dialgate(tmp_path, "replay")[0] == 1
    status, shown, said = dialgate(tmp_path, *asked)
    assert status == 2
    assert digest in shown
    assert "campaign-paused.v1 campaign/1" in shown
    assert f"expected --yes {digest[:12]}" in said
    for wrong in ("0" * 12, digest[:5], ""):
        assert dialgate(tmp_path, *asked, "--yes", wrong)[0] == 2
    assert dialgate(tmp_path, "replay")[0] == 1, "nothing was recorded"
    status, told, _ = dialgate(tmp_path, *asked, "--yes", digest[:12])
    assert (status, "is skipped: it counts for no reader" in told) == (0, True)
    assert "skipped already" in dialgate(tmp_path, *asked)[1]
    status, told, _ = dialgate(tmp_path, "replay")
    assert status == 0
    assert "skipped   a carrier said so" in told


async def test_what_stops_nobody_is_not_skipped(tmp_path: Path) -> None:
    await made(tmp_path, begun=True)
    refused = foreign(tmp_path, POISON)  # Decided on a version of before.
    garbage = foreign(tmp_path, b"garbage")
    for place, why in {
        "0@1": "accepted", f"0@{refused}": "refused", f"0@{garbage}": "foreign",
        "0@99": "found the end", "1@1": "expected a partition below 1", "13": "partition@position",
    }.items():  # fmt: skip
        status, _, said = dialgate(tmp_path, "skip", place, "--reason", "r", "--yes", "0" * 64)
        assert (status, why in said) == (2, True), said
    for more in (("--reason", " "), ("--reason", "r", "--topic", "installation.records")):
        assert dialgate(tmp_path, "skip", "0@1", *more)[0] == 2
    assert dialgate(tmp_path, "skip", "0@1")[0] == 2


async def test_without_a_log_nothing_is_decided_and_none_is_made(tmp_path: Path) -> None:
    for verb in (("upgrade",), ("upgrade", "--dry-run"), ("skip", "0@1", "--reason", "r")):
        status, _, said = dialgate(tmp_path, *verb)
        assert (status, "expected a log in" in said) == (2, True)
    assert not (tmp_path / "log.db").exists()
