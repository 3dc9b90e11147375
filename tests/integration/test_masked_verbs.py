"""No verb prints a person unless `--reveal` asks for it; each that can, does so then."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from campaigns.domain.facts import (
    AnyFact,
    CallEnded,
    CampaignStarted,
    ContactsAdded,
    Disposition,
    ImportFailed,
    ImportStarted,
)
from campaigns.domain.values.rows import Row
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered
from dialgate.verb_group import VERBS
from tests.support.sample_facts import call_ended, call_started, campaign_created
from tests.support.told_log import ToldLog, asked, record_of
from tests.support.verbs import ran

NUMBER, MAIL = "+14155550123", "ada@example.org"
ROW = Row(phone_number=NUMBER, name="Lovelace", email=MAIL, variables={"city": "Zuerich-West"})
SAID = "+41446681800"  # By a carrier, in the text of an error; and by a file that was refused.
OF_ROW = (NUMBER, NUMBER[1:], MAIL, "Lovelace", "Zuerich-West")


class Shown(NamedTuple):
    """How a verb is called, and what of a person it shows with --reveal. `{}`: the directory."""

    words: str
    revealed: Sequence[str] = ()
    status: int = 0


TABLE = (
    Shown("log", (NUMBER, "Lovelace", SAID)),
    Shown("log --json", (*OF_ROW, SAID)),
    Shown("replay"),
    Shown("replay --json", (*OF_ROW, SAID)),
    Shown("timeline 1", (SAID,)),
    Shown("timeline 1 --json", (SAID,)),
    Shown("timeline 1 --html {}/page.html"),
    Shown("why 1 1", (SAID,)),
    Shown("why 1 1 --json", (SAID,)),
    Shown("state 1"),
    Shown("state 1 --contacts", (NUMBER,)),
    Shown("state 1 --contacts --json", (*OF_ROW, SAID)),
    Shown("seal --new-key {}/key"),
    Shown("seal --key {}/key --out {}/seals"),
    Shown("proof --seal {}/seals --number " + NUMBER + " --out {}/proof{n}", (NUMBER,)),
    Shown("verify --proof {}/proof0 --public-key {}/key.pub", (NUMBER,)),
    Shown("verify --proof {}/proof0 --public-key {}/key.pub --json", OF_ROW),
    Shown("verify --seal {}/seals --public-key {}/key.pub"),
    Shown("verify"),
    Shown("compare --rows --at campaign.records/0@0"),
    Shown("export {}/exported"),
    Shown("export --parquet {}/tables"),
    Shown("what-if 1 --calls-per-minute 7"),
    Shown("replay-events --type call-started"),
    Shown("skip 0@9 --reason tried", (NUMBER, "Lovelace"), status=2),
)  # fmt: skip
# What these print is not of the log: they change it, or its keys, or its place, or need views.
OTHERS = {"erase", "secrets", "rebuild", "import", "adopt", "retire", "keys"}


def told() -> list[AnyFact | Sequence[AnyFact]]:
    """Return a campaign of which one contact was called, and a list that was refused."""
    call = asked("a")
    ended = call_ended(call, NOON, Disposition.FAILED)
    said = f"{SAID} and {MAIL} are not in service"
    refused = ImportFailed(
        campaign_id=1, import_id="other", number=1, reason=f"row of {SAID}", failed_at=NOON
    )
    started = ImportStarted(
        campaign_id=1, import_id="other", number=1, file_name="a.csv", rows=1, started_at=NOON
    )
    return [
        ContactsAdded(import_id="list", first_row=1, rows=(ROW,)),
        campaign_created(1, NOON, rows=1, import_id="list"),
        CampaignStarted(campaign_id=1, run=1, started_at=NOON),
        call,
        call_started(call, NOON),
        CallEnded(**{**{name: getattr(ended, name) for name in ended.__struct_fields__},
                     "error": said}),
        started,
        refused,
    ]  # fmt: skip


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Return a data directory with that log."""
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    for record in ToldLog().tell(map(record_of, told())).records:
        await log.append(FIRST, record, 1)
    await log.close()
    return tmp_path


async def said(folder: Path, words: str, status: int) -> str:
    return (await ran(folder, *words.split(), status=status)).output


async def test_no_verb_prints_a_person_unless_it_is_asked_to(folder: Path) -> None:
    for n, one in enumerate(TABLE):
        if one.words.startswith("skip"):
            await stop_readers(folder)
        plain = one.words.replace("{}", str(folder)).replace("{n}", "0")
        found = await said(folder, plain, one.status)
        assert found, plain
        assert not [person for person in (*OF_ROW, SAID) if person in found], (plain, found)
        if one.revealed:
            again = one.words.replace("{}", str(folder)).replace("{n}", f"{n}")
            found = await said(folder, f"{again} --reveal", one.status)
            assert not [person for person in one.revealed if person not in found], (again, found)
    page = (folder / "page.html").read_text()
    assert not [person for person in (*OF_ROW, SAID) if person in page]


async def stop_readers(folder: Path) -> None:
    """Append a record that stops readers: its chunk of a list begins at row 0."""
    wrong = offered(ContactsAdded(import_id="third", first_row=1, rows=(ROW,))).encode()
    raw = wrong.replace(b'"first_row":1', b'"first_row":0')
    with closing(sqlite3.connect(folder / "log.db")) as db, db:
        db.execute("insert into records values (?, ?, 9, ?)", (*FIRST, raw))


def test_the_table_has_every_verb_that_reads_the_log() -> None:
    here = {one.words.split()[0] for one in TABLE} - {"skip"}
    assert here | OTHERS == set(VERBS), "what does the new verb print of a person?"
