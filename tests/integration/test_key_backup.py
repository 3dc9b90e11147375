"""`dialgate secrets export` and `import`: keys are restored, and nobody who was forgotten since."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from campaigns.domain.facts import CampaignErased, ContactErased
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.kafka.keys.topic_keys import KeyTopicClosedError
from campaigns.log.installation_log import Author, decided
from campaigns.log.port import EventLog
from campaigns.personal.list_keys import KeyUnavailableError, ListKey, ListKeys
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.installation import raise_level
from campaigns.records.topics import campaign_partition
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKey, MasterKeyError
from campaigns.sqlite.key_file import KeyFile
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from dialgate.verbs.secrets import key_backup
from tests.support.verbs import ran

ROWS = range(1, 6)
CAMPAIGN = campaign_partition(7, 1)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[SqliteLog, ListKeys]]:
    log = SqliteLog(folder / "log.db")
    await log.open()
    try:
        assert log.list_keys is not None, "the embedded log has keys"
        yield log, log.list_keys
    finally:
        await log.close()


async def three_lists(folder: Path) -> list[ListKey]:
    async with opened(folder) as (log, keys):
        by, clock = Author("test", "test"), SystemClock()
        await decided(log, lambda now: raise_level(now, LEVEL_NEWEST, NOON), by, clock)
        return [await keys.take() for _ in range(3)]


async def erased(folder: Path, one: ListKey, whole: ListKey) -> None:
    """Forget the first row of one list and all of another: facts first, then their keys."""
    row = ContactErased(campaign_id=7, contact_id=1, key_id=one.key_id, row=1, erased_at=NOON)
    every = CampaignErased(campaign_id=7, through=9, key_ids=(whole.key_id,), erased_at=NOON)
    async with opened(folder) as (log, keys):
        for fact in (row, every):
            await log.append(CAMPAIGN, offered(fact), 7)
        await keys.forget(one.key_id, [1])
        await keys.forget(whole.key_id)


async def verb(folder: Path, *words: str, status: int = 0) -> str:
    return (await ran(folder, "secrets", *words, status=status)).output


async def test_a_backup_of_keys_brings_nobody_back_who_was_forgotten_since(tmp_path: Path) -> None:
    first, second, third = await three_lists(tmp_path)
    backup = str(tmp_path / "keys.jsonl")
    assert "keys in " in await verb(tmp_path, "export", backup)
    await erased(tmp_path, second, whole=first)
    (tmp_path / "keys.db").unlink()
    said = await verb(tmp_path, "import", backup)
    assert "of 2 lists that the log says are forgotten" in said
    async with opened(tmp_path) as (_, keys):
        with pytest.raises(KeyUnavailableError, match=f"the key {first.key_id} of a list"):
            keys.tree(first.key_id)
        tree = keys.tree(second.key_id)
        assert [tree.key(row) is None for row in ROWS] == [True, False, False, False, False]
        assert keys.tree(third.key_id) == third.tree
    again = json.loads((await verb(tmp_path, "import", backup, "--json")).splitlines()[-1])
    assert again["restored"] == 0, "what is there stays as it is"


async def test_what_is_no_whole_backup_restores_nothing(tmp_path: Path) -> None:
    await three_lists(tmp_path)
    backup = tmp_path / "keys.jsonl"
    await verb(tmp_path, "export", str(backup))
    assert "expected a file that does not exist yet" in await verb(
        tmp_path, "export", str(backup), status=2
    )
    assert backup.stat().st_mode & 0o077 == 0, "for our own user alone"
    (tmp_path / "keys.db").unlink()
    whole = backup.read_bytes()
    for damaged in (b"", b"{}\n", whole[:-20], whole[: whole.rindex(b"\n", 0, -1) + 1], b"\xff\n"):
        backup.write_bytes(damaged)
        said = await verb(tmp_path, "import", str(backup), status=2)
        assert "expected a backup of `dialgate secrets export`" in said
    assert not (tmp_path / "keys.db").exists()


async def test_a_line_that_is_no_key_of_ours_restores_nothing(tmp_path: Path) -> None:
    await three_lists(tmp_path)
    backup = tmp_path / "keys.jsonl"
    await verb(tmp_path, "export", str(backup))
    (tmp_path / "keys.db").unlink()
    head, first, second, *others = backup.read_bytes().splitlines(keepends=True)
    another = MasterKey(bytes([7] * 32))
    sealed = another.seal(b"", f"key {json.loads(second)['key_id']}")
    for line, why in (
        (first, "once more"),
        (b"{}\n", "missing required field"),
        (b"\xff\n", "Expected `object`|invalid|malformed"),
        (second.replace(b'"wrapped":"', b'"wrapped":"x'), "expected the master key x"),
        (second[:-6] + b'AA"}\n', "altered"),
        (second.replace(json.loads(second)["wrapped"].encode(), sealed.encode()), another.name),
        (second.replace(json.loads(second)["key_id"].encode(), b"other"), "altered"),
    ):
        backup.write_bytes(b"".join([head, first, line, *others]))
        said = await verb(tmp_path, "import", str(backup), status=2)
        assert f"found {backup}, line 3: " in said, said
        assert re.search(why, said) and "nothing was restored" in said, said
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "keys.db").exists()
    backup.write_bytes(b"".join([head, first, second, *others]))
    assert "64 of 64 keys restored" in await verb(tmp_path, "import", str(backup))


async def test_whether_something_was_restored_is_in_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_lists(tmp_path)
    backup = str(tmp_path / "keys.jsonl")
    await verb(tmp_path, "export", backup)
    (tmp_path / "keys.db").unlink()
    looks = 0

    async def silent(log: EventLog) -> object:
        nonlocal looks
        looks += 1
        raise LogUnavailableError("the log is silent")

    with monkeypatch.context() as patched:
        patched.setattr(key_backup, "whole", silent)
        said = await verb(tmp_path, "import", backup, status=1)
        assert "64 of 64 keys restored" in said
        assert "the same command goes on: the log is silent" in said
        said = await verb(tmp_path, "import", backup, status=2)
        assert "keys restored" not in said, "this one has restored none"
    assert looks == 2
    assert "0 of 64 keys restored" in await verb(tmp_path, "import", backup)


@pytest.mark.parametrize("parts", [0, 2])
async def test_a_store_that_fails_in_between_is_exit_1_and_nobody_forgotten_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    """`parts`: how many of 30 keys are written before."""
    first, *_ = await three_lists(tmp_path)
    backup, real, written = str(tmp_path / "keys.jsonl"), KeyFile.add, 0
    await verb(tmp_path, "export", backup)
    (tmp_path / "keys.db").unlink()

    async def failing(store: KeyFile, wrapped: Mapping[str, str]) -> None:
        nonlocal written
        await real(store, wrapped)  # It is there, and nobody says so.
        if written == parts:
            every = CampaignErased(
                campaign_id=7, through=9, key_ids=(first.key_id,), erased_at=NOON
            )
            log = SqliteLog(tmp_path / "log.db", exclusive=False)
            await log.open()
            await log.append(CAMPAIGN, offered(every), 7)
            await log.close()
            raise LogUnavailableError("the keys do not answer")
        written += 1

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "add", failing)
        patched.setattr(key_backup, "AT_ONCE_MAX", 30)
        said = await verb(tmp_path, "import", backup, status=1)
    assert f"{parts * 30} of 64 keys restored; {64 - parts * 30} more may be" in said
    assert "the same command goes on: the keys do not answer" in said
    async with opened(tmp_path) as (_, keys):
        assert keys.store.find(first.key_id) is None, "who was erased meanwhile is looked for"
    left = 64 - min(64, (parts + 1) * 30)
    said = await verb(tmp_path, "import", backup)
    assert re.search(rf"\b({left}|{left - 1}) of 64 keys restored", said), said


async def test_without_the_right_to_write_keys_nothing_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_lists(tmp_path)
    backup = str(tmp_path / "keys.jsonl")
    await verb(tmp_path, "export", backup)
    (tmp_path / "keys.db").unlink()

    async def refused(_: KeyFile, __: Mapping[str, str]) -> None:
        raise KeyTopicClosedError("no right to (Write)")

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "add", refused)
        said = await verb(tmp_path, "import", backup, status=2)
    assert "no right to (Write)" in said
    assert "restored" not in said


async def test_lists_are_wrapped_by_a_new_master_key_and_the_old_one_goes(tmp_path: Path) -> None:
    _, second, third = await three_lists(tmp_path)
    file, new = tmp_path / "master.key", bytes([1] * 32)
    old = file.read_text()
    async with opened(tmp_path) as (_, keys):
        await keys.forget(second.key_id, [3])
    file.write_text(f"{'AQEB' * 10}AQE=\n{old}")
    assert next(KeyPlace(None, file).newest_first()).name == MasterKey(new).name
    said = await verb(tmp_path, "rotate")
    assert "keys of lists: 64 sealed anew, 0 were already" in said
    file.write_text(f"{'AQEB' * 10}AQE=\n")
    async with opened(tmp_path) as (_, keys):
        assert keys.tree(third.key_id) == third.tree
        assert keys.tree(second.key_id).key(3) is None
    unlock(tmp_path, "command-api")


@pytest.mark.parametrize("lost", ["master.key", "keys.db"])
async def test_without_a_key_it_is_one_sentence_and_everything_stays(
    tmp_path: Path, lost: str
) -> None:
    first, *_ = await three_lists(tmp_path)
    (tmp_path / lost).unlink()
    async with opened(tmp_path) as (_, keys):
        with pytest.raises(KeyUnavailableError) as missing:
            keys.tree(first.key_id)
    assert "\n" not in str(missing.value)
    assert not (tmp_path / lost).exists(), "nothing is made in its place by a question"


async def test_no_master_key_is_made_where_a_lost_one_has_wrapped_keys(tmp_path: Path) -> None:
    await three_lists(tmp_path)
    file = tmp_path / "master.key"
    kept = file.read_text()
    file.unlink()
    async with opened(tmp_path) as (_, keys):
        for refused in (keys.mark, keys.sealing):
            with pytest.raises(MasterKeyError, match=f"wraps 64 keys of contacts .{file}."):
                refused()
        with pytest.raises(MasterKeyError):
            await keys.take()
    assert not file.exists()
    file.write_text(kept)
    async with opened(tmp_path) as (_, keys):
        keys.mark()


def test_a_part_that_lacks_its_master_key_ends_with_2_and_changes_nothing(tmp_path: Path) -> None:
    asyncio.run(three_lists(tmp_path))
    (tmp_path / "master.key").unlink()
    kept = {path: path.read_bytes() for path in tmp_path.glob("*.db")}
    environment = os.environ | {"DIALGATE_DATA_DIR": str(tmp_path), "DIALGATE_PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-m", "dialgate", "up"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "that wraps 64 keys of contacts" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "master.key").exists()
    assert (tmp_path / "keys.db").read_bytes() == kept[tmp_path / "keys.db"]
