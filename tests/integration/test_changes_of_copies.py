"""Each verb of the command line that writes into the log, or into its keys, refuses a copy."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from campaigns.domain.facts import ContactsAdded
from campaigns.domain.values.rows import Row
from campaigns.log.installation_log import founded
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, offered
from dialgate.__main__ import cli
from dialgate.part_names import PARTS

REFUSED = "this is a copy of the log at"


class Writing(NamedTuple):
    """A verb that writes."""

    verb: str
    words: str = ""  # Its arguments.


WRITING = (
    Writing("erase", "--contact 1/1 --yes"),
    Writing("keys create", "--scope admin"),
    Writing("keys revoke", "{key}"),
    Writing("secrets rotate"),
    Writing("skip", "0@1 --reason broken --yes {digest}"),
    Writing("upgrade"),
)
# What a copy takes, or what writes elsewhere.
FREE = {
    "adopt": "makes the copy the one that dials",
    "retire": "a copy has no home to give up",
    "secrets import": "the copy shows its contacts; who moves a log brings the keys first",
    "import": "only where there is no log",
    "rebuild": "the copy's own views",
    "demo": "over HTTP, where the service refuses it",
    "replay-events": "into another topic, a file or a webhook",
    "seal": "into a file of its own",
}
PARTS_OF_IT = {"up", "carrier", *PARTS}  # They serve a copy, and take no change: test_copies.
READING = {
    "compare", "export", "keys list", "log", "proof", "replay", "secrets export", "state",
    "timeline", "verify", "what-if", "why",
}  # fmt: skip


def leaves(group: Any, before: str = "") -> Iterator[str]:  # Any: Typer keeps Click private.
    """Yield all verbs, those of groups by two words."""
    for name in group.commands:
        one = group.commands[name]
        if hasattr(one, "commands"):
            yield from leaves(one, f"{before}{name} ")
        else:
            yield f"{before}{name}"


async def made(folder: Path) -> None:
    """Make a log at home here, with an API key, and with a record that stops readers."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    await founded(log, SystemClock(), "test/1")
    assert log.list_keys is not None
    await log.list_keys.take()
    await log.close()
    rows = (Row(phone_number="+14155550123"),)
    wrong = offered(ContactsAdded(import_id="l", first_row=1, rows=rows)).encode()
    with closing(sqlite3.connect(folder / "log.db")) as db, db:
        raw = wrong.replace(b'"first_row":1', b'"first_row":0')
        db.execute("insert into records values (?, ?, 1, ?)", (*FIRST, raw))


def run(folder: Path, words: str, status: int) -> str:
    environment = {"DIALGATE_DATA_DIR": str(folder), "COLUMNS": "200"}
    found = CliRunner().invoke(cli, words.split(), env=environment)
    for part in PARTS:
        unlock(folder, part)
    assert found.exit_code == status, (words, found.output, found.exception)
    return found.output


@pytest.fixture
def copied(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a copy of a log, and what verbs are told of it."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    asyncio.run(made(home))
    key = run(home, "keys create --json", 0)
    shown = run(home, "skip 0@1 --reason broken", 2)
    digest = shown.split("--yes ")[1].split(",")[0]
    shutil.copytree(home, copy)
    return copy, {"key": key.split('"id":"')[1].split('"')[0], "digest": digest}


def contents(folder: Path) -> dict[str, list[Any]]:
    """Return what is in the log, and in the store of keys, and the master key."""
    found: dict[str, list[Any]] = {"master.key": [(folder / "master.key").read_bytes()]}
    for name, table in (("log.db", "records"), ("keys.db", "keys")):
        with closing(sqlite3.connect(folder / name)) as db:
            found[name] = db.execute(f"select * from {table}").fetchall()
    return found


@pytest.mark.parametrize("one", WRITING, ids=lambda one: one.verb)
def test_a_copy_takes_no_change_by_a_verb_and_says_why(
    one: Writing, copied: tuple[Path, dict[str, str]]
) -> None:
    folder, told = copied
    before = contents(folder)
    words = f"{one.verb} {one.words.format(**told)}"
    said = run(folder, words, 2)
    last = said.splitlines()[-1]
    assert REFUSED in last and "`dialgate adopt` makes it the one that does" in last
    assert said.count(REFUSED) == 1 and "Traceback" not in said
    assert contents(folder) == before
    run(folder, "adopt --yes", 0)
    status = 1 if one.verb == "erase" else 0  # It must read the whole log, and is stopped.
    assert REFUSED not in run(folder, words, status), "it is at home now"


def test_the_lists_have_every_verb() -> None:
    there = set(leaves(typer.main.get_command(cli)))
    listed = [one.verb for one in WRITING] + [*FREE, *PARTS_OF_IT, *READING]
    assert len(listed) == len(set(listed))
    assert set(listed) == there, "what does the new verb do to a copy?"
