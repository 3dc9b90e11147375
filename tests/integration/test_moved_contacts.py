"""Encrypted contacts of a log that was moved: nobody is read until the keys are there, then all."""

import json
from pathlib import Path

from campaigns.domain.facts import CampaignErased, ContactErased, ContactsEncrypted
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.rows import Row
from campaigns.log.installation_log import Author, decided
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_cipher import encrypted
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.records.installation import raise_level
from campaigns.records.topics import campaign_partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from dialgate.part_names import PARTS
from tests.support.verbs import ran

PEOPLE = [Row(phone_number=f"+1415555012{n}", name=f"Ada {n}") for n in range(4)]


async def log_of_three_lists(folder: Path) -> dict[str, tuple[str, ...]]:
    """Make a log of three lists, one of them forgotten; return the others as they are written."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    assert log.list_keys is not None
    by, clock = Author("test", "test"), SystemClock()
    await decided(log, lambda now: raise_level(now, LEVEL_NEWEST, NOON), by, clock)
    found = dict[str, tuple[str, ...]]()
    for number in range(3):
        key_id, tree = await log.list_keys.take()
        found[key_id] = rows = encrypted(tree, key_id, 1, PEOPLE)
        chunk = ContactsEncrypted(import_id=f"l{number}", first_row=1, key_id=key_id, rows=rows)
        await log.append(campaign_partition(7, 1), offered(chunk), 7)
    key_id, _ = found.popitem()
    erased = CampaignErased(campaign_id=7, through=9, key_ids=(key_id,), erased_at=NOON)
    await log.append(campaign_partition(7, 1), offered(erased), 7)
    await log.list_keys.forget(key_id)
    await log.close()
    return found


async def verb(folder: Path, *words: object, status: int = 0) -> str:
    try:
        return (await ran(folder, *words, status=status)).output
    finally:
        for part in PARTS:
            unlock(folder, part)


async def read(folder: Path, lists: dict[str, tuple[str, ...]]) -> list[list[Row | None]]:
    log = SqliteLog(folder / "log.db", read_only=True)
    keys = log.list_keys
    assert isinstance(keys, ListKeys)
    try:
        return [list(keys.rows(key_id, 1, rows)) for key_id, rows in lists.items()]
    finally:
        await log.close()


async def test_an_import_says_whose_keys_are_missing_until_they_are_brought(tmp_path: Path) -> None:
    here, there, export, keys = (tmp_path / name for name in ("here", "there", "export", "keys"))
    here.mkdir()
    there.mkdir()
    lists = await log_of_three_lists(here)
    await verb(here, "export", export)
    await verb(here, "secrets", "export", keys)
    said = await verb(there, "import", export)
    assert "the keys to the contacts of 2 lists are not here" in said, "the third is forgotten"
    assert "nobody reads the contacts of 2 lists until their keys are here" in said
    (there / "master.key").write_bytes((here / "master.key").read_bytes())
    await verb(there, "secrets", "import", keys)
    assert await read(there, lists) == [PEOPLE, PEOPLE]


async def test_keys_that_were_brought_before_are_not_asked_for(tmp_path: Path) -> None:
    here, there, export = tmp_path / "here", tmp_path / "there", tmp_path / "export"
    here.mkdir()
    there.mkdir()
    lists = await log_of_three_lists(here)
    await verb(here, "export", export)
    for name in ("keys.db", "master.key"):
        (there / name).write_bytes((here / name).read_bytes())
    said = await verb(there, "import", export, "--json")
    assert json.loads(said.splitlines()[0])["lists_without_key"] == 0
    assert "keys are" not in said
    assert await read(there, lists) == [PEOPLE, PEOPLE]


async def test_keys_of_before_an_erasure_bring_nobody_back(tmp_path: Path) -> None:
    here, there, export, keys = (tmp_path / name for name in ("here", "there", "export", "keys"))
    here.mkdir()
    there.mkdir()
    lists = await log_of_three_lists(here)
    await verb(here, "secrets", "export", keys)
    log = SqliteLog(here / "log.db")
    await log.open()
    key_id = next(iter(lists))
    one = ContactErased(campaign_id=7, contact_id=2, key_id=key_id, row=2, erased_at=NOON)
    await log.append(campaign_partition(7, 1), offered(one), 7)
    await log.close()
    await verb(here, "export", export)
    await verb(there, "import", export)
    (there / "master.key").write_bytes((here / "master.key").read_bytes())
    assert "of 1 lists that the log says are forgotten" in await verb(
        there, "secrets", "import", keys
    )
    assert await read(there, lists) == [[PEOPLE[0], None, *PEOPLE[2:]], PEOPLE]
