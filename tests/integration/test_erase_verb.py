"""What `dialgate erase` does, says and refuses, on an embedded log that is in use."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from campaigns.domain.facts import ContactsAdded, LevelRaised
from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import ListKey
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import INSTALLATION
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered
from dialgate.verbs.personal import deletion
from tests.support.sample_facts import campaign_created
from tests.support.told_log import Told, ToldLog
from tests.support.verbs import ran
from tests.support.waiting import until
from tests.support.whole_api import Whole, whole_api

NUMBER = "+14155550100"
PEOPLE = [{"phone_number": f"+141555501{n:02}", "name": f"Person {n}"} for n in range(4)]


async def said(folder: Path, *words: str, status: int = 0) -> str:
    """Run the verb; return what it said."""
    found = await ran(folder, "erase", *words, status=status)
    return found.output if status else found.stdout  # Progress goes to stderr.


async def erased(folder: Path, *words: str) -> list[str]:
    """Erase; return which contacts."""
    found: list[str] = json.loads(await said(folder, "--yes", "--json", *words))["contacts"]
    return found


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Whole]:
    """Return both services on an embedded log in tmp_path."""
    log = SqliteLog(tmp_path / "log.db", poll_ms=1, exclusive=False)
    await log.open()
    async with whole_api(log) as both:
        yield both
    await log.close()


async def names(api: Whole, campaign: int) -> list[str | None]:
    return [one["name"] for one in (await api.get(f"{campaign}/contacts"))["items"]]


async def test_a_contact_a_number_everywhere_and_a_campaign(api: Whole, tmp_path: Path) -> None:
    first, second = [await api.create(contacts=PEOPLE) for _ in range(2)]
    theirs = await api.client.post(
        "/api/v1/campaigns",
        json={"name": "x", "assistant_id": 1, "campaign_type": "call", "contacts": PEOPLE},
        headers={"Authorization": "Bearer two"},
    )
    other = theirs.json()["id"]
    assert await erased(tmp_path, "--contact", f"{first}/2") == [f"{first}/2"]
    assert await names(api, first) == ["Person 0", None, "Person 2", "Person 3"]
    assert await names(api, second) == [one["name"] for one in PEOPLE], "others stay"

    found = await said(tmp_path, "--number", "(415) 555-0100", "--dry-run")
    assert "3 contacts would be erased (number …00)" in found
    assert NUMBER not in found
    assert await names(api, second) == [one["name"] for one in PEOPLE], "nothing was done"
    of_one = await erased(tmp_path, "--number", NUMBER, "--organization", "2")
    assert of_one == [f"{other}/1"]
    assert sorted(await erased(tmp_path, "--number", NUMBER)) == [f"{first}/1", f"{second}/1"]
    assert "nothing to do" in await said(tmp_path, "--number", NUMBER, "--yes")
    assert await names(api, first) == [None, None, "Person 2", "Person 3"]

    answer = json.loads(await said(tmp_path, "--campaign", f"{second}", "--yes", "--json"))
    assert (answer["erased"], answer["campaign_id"]) == (len(PEOPLE) - 1, second), "one was before"
    assert (answer["contacts"], answer["through"]) == (None, len(PEOPLE)), "those up to there"
    assert await names(api, second) == [None] * len(PEOPLE)
    assert await names(api, first) == [None, None, "Person 2", "Person 3"]
    assert "nothing to do" in await said(tmp_path, "--campaign", f"{second}", "--yes")
    assert "nothing to do" in await said(tmp_path, "--contact", f"{second}/3", "--yes")


async def test_a_list_without_rows_takes_no_key(
    api: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, taken = api.log.list_keys, 0
    assert keys is not None
    real = keys.take

    async def take() -> ListKey:
        nonlocal taken
        taken += 1
        return await real()

    monkeypatch.setattr(keys, "take", take)
    empty = await api.create()
    campaign = await api.create(contacts=PEOPLE)
    assert taken == 1, "the second has rows"
    again = await api.client.post(
        f"/api/v1/campaigns/{campaign}/contacts", json={"contacts": PEOPLE}
    )
    assert again.json()["imported_count"] == 0, "they are known"
    assert taken == 1
    await api.upload(empty, "phone_number\n+14155550100\n")
    await until(lambda: taken == 2)


@pytest.mark.parametrize("by", ["--contact", "--number", "--campaign"])
async def test_called_again_it_deletes_keys_that_are_still_there(
    api: Whole, tmp_path: Path, by: str
) -> None:
    """As after a kill between fact and deletion, or keys that were put back by hand."""
    campaign = await api.create(contacts=PEOPLE)
    copy = sqlite3.connect(":memory:")
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
        keys.backup(copy)
    whom = {"--contact": f"{campaign}/1", "--number": NUMBER, "--campaign": f"{campaign}"}[by]
    await said(tmp_path, by, whom, "--yes")
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
        gone = set(keys.execute("select * from keys"))
        assert gone != set(copy.execute("select * from keys")), "it deletes"
        copy.backup(keys)
    assert "nothing to do" in await said(tmp_path, by, whom, "--yes")
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
        kept = {key for key, _ in keys.execute("select * from keys")}
        sizes = {key: len(text) for key, text in keys.execute("select * from keys")}
    assert kept == {key for key, _ in gone}
    assert sizes == {key: len(text) for key, text in gone}


async def test_what_does_not_fit_is_one_sentence_and_records_nothing(
    api: Whole, tmp_path: Path
) -> None:
    campaign = await api.create(contacts=PEOPLE)
    before = await api.ends()
    for words, says in (
        ((), "expected --contact N/7, --number +14155550123 or --campaign N, and one of them"),
        (("--contact", "1/1", "--campaign", "1"), "and one of them, found 2"),
        (("--contact", "7"), "--contact: expected CAMPAIGN/CONTACT, such as 42/7: 7"),
        (("--number", "12"), "--number: the phone number"),
        (("--campaign", "999"), "found no campaign 999"),
        (("--contact", f"{campaign}/5"), f"expected a contact of campaign {campaign}, 1 to 4"),
        (("--organization", "1", "--campaign", "1"), "--organization: expected it with --number"),
        (("--campaign", f"{campaign}"), "expected --yes, or a terminal to ask on"),
    ):
        found = await said(tmp_path, *words, status=2)
        assert says in found
        assert "Traceback" not in found
    (tmp_path / "master.key").rename(tmp_path / "away")
    found = await said(tmp_path, "--contact", f"{campaign}/1", "--yes", status=2)
    assert "nothing was recorded" in found
    (tmp_path / "away").rename(tmp_path / "master.key")
    assert await api.ends() == before
    assert await names(api, campaign) == [one["name"] for one in PEOPLE]


async def test_the_verb_deletes_the_key_where_nobody_else_runs(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db", exclusive=False)
    await log.open()
    async with whole_api(log) as both:
        first, second = [await both.create(contacts=PEOPLE) for _ in range(2)]
        key_ids = [both.commands.contacts.key_ids(one)[0] for one in (first, second)]
    keys = log.list_keys
    assert keys is not None
    await erased(tmp_path, "--contact", f"{first}/2")
    await erased(tmp_path, "--campaign", f"{second}")
    left = [key is not None for key in keys.tree(key_ids[0]).keys(1, 4)]
    assert left == [True, False, True, True]
    assert keys.store.find(key_ids[1]) is None
    await log.close()


@pytest.mark.parametrize(
    ("fails", "status", "people"), [("append", 2, None), ("forget", 1, 1), ("refused", 2, None)]
)
async def test_the_exit_code_says_whether_something_was_recorded(
    api: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    fails: str, status: int, people: int | None,
) -> None:  # fmt: skip
    campaign = await api.create(contacts=PEOPLE)
    trouble = LogUnavailableError("the disk is full")

    async def raises(*_: object, **__: object) -> None:
        raise trouble

    async def refuses(_: SqliteLog, *given: Any) -> None:  # Any: as a log is given.
        given[-1](trouble)

    with monkeypatch.context() as patched:
        if fails == "forget":
            patched.setattr(deletion, "forget_again", raises)
        else:
            patched.setattr(SqliteLog, "append", raises if fails == "append" else refuses)
        words = ("--contact", f"{campaign}/1", "--yes", "--json")
        found = await ran(tmp_path, "erase", *words, status=status)
    assert "the disk is full" in found.stderr
    if people is not None:
        shape = json.loads(found.stdout)
        assert (shape["erased"], shape["contacts"]) == (people, [f"{campaign}/1"])
        assert "the same command goes on" in found.stderr
    again = json.loads(await said(tmp_path, *words))
    assert again["erased"] == (1 if people is None else 0)


async def test_contacts_that_were_written_plain_are_refused(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await log.append(INSTALLATION, offered(LevelRaised(level=4, raised_at=NOON)), 1)
    told: list[Told] = [
        ContactsAdded(import_id="list", first_row=1, rows=(Row(phone_number=NUMBER),)),
        campaign_created(1, NOON, rows=1, import_id="list"),
    ]
    for record in ToldLog().tell(told).records:
        await log.append(FIRST, record, 1)
    await log.close()
    for words in (("--contact", "1/1"), ("--number", NUMBER), ("--campaign", "1")):
        assert "was written plain" in await said(tmp_path, *words, "--yes", status=2)
