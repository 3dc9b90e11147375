"""Encrypted rows are shown where asked for: each opened, or erased, or why it is not readable."""

import asyncio
import sqlite3
from base64 import b64decode
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyarrow.parquet import read_table

from campaigns.audit.rulings import VERB_BATCH_MAX
from campaigns.domain.facts import (
    AnyFact,
    CampaignPaused,
    CampaignStarted,
    ImportCompleted,
    ImportSource,
    ImportStarted,
)
from campaigns.domain.values.rows import Row
from campaigns.personal.erasure import ErasableList, ErasedRow, campaign_erased, contact_erased
from campaigns.personal.list_keys import ListKey
from campaigns.personal.row_cipher import contacts_encrypted, encrypted
from campaigns.process.data_dir import unlock
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered
from dialgate.part_names import PARTS
from tests.integration.test_lost_keys import served
from tests.support.sample_facts import campaign_created
from tests.support.told_log import ToldLog, record_of
from tests.support.verbs import ran

ADA = Row(phone_number="+14155550123", name="Ada", email="ada@example.org")
BOB = Row(phone_number="+14155550124", name="Bob", email="bob@example.org")
EVE = Row(phone_number="+14155550125", name="Eve", email="eve@example.org")
PERSONS = [str(one) for row in (ADA, BOB, EVE) for one in (row.phone_number, row.name, row.email)]


@dataclass
class Lists:
    """A data directory with campaign 1, of one list, and campaign 2, of another."""

    folder: Path
    one: ListKey
    other: ListKey
    facts: list[AnyFact | Sequence[AnyFact]]

    async def write(self, *more: AnyFact) -> None:
        """Write the log, with these facts at its end."""
        (self.folder / "log.db").unlink(missing_ok=True)
        log = SqliteLog(self.folder / "log.db")
        await log.open()
        records = ToldLog().tell(map(record_of, [*self.facts, *more])).records
        await asyncio.gather(*(log.append(FIRST, record, 1) for record in records))
        await log.close()

    async def said(self, words: str, status: int = 0) -> str:
        """Return what a verb prints, on both of its outputs."""
        found = await ran(self.folder, *words.split(), status=status)
        return found.output

    async def opened(self, words: str = "log --json --reveal") -> list[list[Any]]:
        """Return the opened rows of each chunk."""
        lines = map(orjson.loads, (await self.said(words)).splitlines())
        return [fact["opened"] for one in lines for fact in one["facts"] if "opened" in fact]

    async def contacts(self, words: str) -> list[dict[str, Any]]:
        """Return the contacts that `state --json` prints, whatever it says of them beside that."""
        lines = (await self.said(words)).splitlines()
        printed = "".join(one for one in lines if not one.startswith("dialgate: "))
        found: list[dict[str, Any]] = orjson.loads(printed)["contacts"]
        return found


@pytest.fixture
async def lists(tmp_path: Path) -> Lists:
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    keys = log.list_keys
    assert keys is not None
    one, other = await keys.take(), await keys.take()
    rows = encrypted(one.tree, one.key_id, 1, (ADA, BOB, EVE))
    more = encrypted(other.tree, other.key_id, 1, (EVE,))
    facts: list[AnyFact | Sequence[AnyFact]] = [
        contacts_encrypted("a", 1, one.key_id, rows),
        campaign_created(1, NOON, rows=3, import_id="a"),
        CampaignStarted(campaign_id=1, run=1, started_at=NOON),
        campaign_created(2, NOON),
        ImportStarted(
            campaign_id=2, import_id="b", number=1, file_name="b", rows=1, started_at=NOON
        ),
        contacts_encrypted("b", 1, other.key_id, more),
        ImportCompleted(
            campaign_id=2, import_id="b", number=1, first_contact_id=1, rows=1, skipped=0,
            errors=(), completed_at=NOON,
            source=ImportSource.CSV, file_name="b", failed=0, variable_mappings={},
            available_variables=(),
        ),
    ]  # fmt: skip
    found = Lists(tmp_path, one, other, facts)
    await log.close()
    await found.write()
    return found


async def forget(lists: Lists, key: ListKey, *rows: int) -> None:
    """Delete the key of some rows, or of the whole list."""
    log = SqliteLog(lists.folder / "log.db")
    assert log.list_keys is not None
    await log.list_keys.forget(key.key_id, rows or None)


def erased(lists: Lists, contact_id: int) -> AnyFact:
    return contact_erased(1, contact_id, ErasedRow(lists.one.key_id, contact_id), NOON)


async def test_people_are_opened_where_asked_for_and_nowhere_else(lists: Lists) -> None:
    for words in ("log", "log --json", "replay", "replay --json", "replay --reveal"):
        assert not [one for one in PERSONS if one in await lists.said(words)], words
    text = await lists.said("log --reveal --type contacts-encrypted")
    assert "list a, encrypted: +14155550123 Ada, +14155550124 Bob, +14155550125 Eve." in text
    for words in ("log --json --reveal", "replay --json --reveal"):
        first, second = await lists.opened(words)
        assert first == [orjson.loads(row.as_json()) for row in (ADA, BOB, EVE)]
        assert second == [orjson.loads(EVE.as_json())]
    line = orjson.loads((await lists.said("log --json --reveal")).splitlines()[0])
    assert all(isinstance(row, str) for row in line["facts"][0]["data"]["rows"]), "as written"


async def test_who_is_erased_is_shown_by_no_key_that_is_still_there(lists: Lists) -> None:
    """The facts come later than the rows: an old backup of the keys shows nobody."""
    between = [CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)] * VERB_BATCH_MAX
    gone = campaign_erased(2, [ErasableList(1, lists.other.key_id)], NOON)
    await lists.write(*between, erased(lists, 2), gone)
    kept = (lists.folder / "keys.db").read_bytes()
    for there in (True, False):
        if not there:
            await forget(lists, lists.one, 2)
            await forget(lists, lists.other)
            assert (lists.folder / "keys.db").read_bytes() != kept
        assert [ADA.phone_number, None, EVE.phone_number] == [
            one.get("phone_number") for one in (await lists.opened())[0]
        ]
        first, second = await lists.opened()
        assert (first[1], second) == ({"erased": True}, [{"erased": True}])
        text = await lists.said("log --reveal --type contacts-encrypted")
        assert "+14155550123 Ada, erased, +14155550125 Eve." in text
        assert "list b, encrypted: erased." in text
        shown = await lists.contacts("state 1 --contacts --json --reveal")
        assert [one["phone_number"] for one in shown] == [
            ADA.phone_number, "erased", EVE.phone_number
        ]  # fmt: skip
        assert (shown[1]["name"], shown[1]["email"], shown[1]["variables"]) == (None, None, {})
        masked = await lists.contacts("state 1 --contacts --json")
        assert [one["phone_number"] for one in masked] == ["…23", "erased", "…25"]


async def test_what_stands_before_a_record_that_cannot_be_read_is_shown(lists: Lists) -> None:
    between = [CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)] * VERB_BATCH_MAX
    await lists.write(erased(lists, 2), *between)
    paused = offered(CampaignPaused(campaign_id=9, reason=None, paused_at=NOON))
    unknown = paused.encode().replace(b"campaign-paused.v1", b"campaign-danced.v1")
    with closing(sqlite3.connect(lists.folder / "log.db")) as db, db:
        (end,) = db.execute("select max(position) from records where topic = ?", FIRST[:1])
        db.execute("insert into records values (?, ?, ?, ?)", (*FIRST, end[0] + 1, unknown))
    for words in ("log --reveal", "log --reveal --json"):
        found = await ran(lists.folder, *words.split(), status=1)
        assert str(ADA.phone_number) in found.stdout, words
        assert str(BOB.phone_number) not in found.stdout, "what is known of erasures counts"
        assert "campaign-danced" in found.stderr


async def test_a_missing_key_says_so_in_words(lists: Lists) -> None:
    await forget(lists, lists.other)
    missing = f"the key {lists.other.key_id} of a list of contacts is missing"
    first, second = await lists.opened()
    assert first[0]["phone_number"] == ADA.phone_number, "others are shown"
    assert second == [{"unreadable": missing}]
    text = await lists.said("log --reveal --type contacts-encrypted")
    assert f"list b, encrypted and unreadable: {missing}." in text
    shown = await lists.said("state 2 --contacts --reveal")
    assert "1  unreadable  pending" in shown
    assert shown.splitlines()[-1] == f"dialgate: some contacts are unreadable: {missing}"


async def test_a_row_that_was_altered_or_moved_is_named_and_hides_no_other(lists: Lists) -> None:
    chunk: Any = lists.facts[0]
    rows = list(chunk.rows)
    middle = "A" if rows[1][40] != "A" else "B"
    altered = [rows[0], rows[1][:40] + middle + rows[1][41:], rows[2]]
    for some, whom in ((altered, {2}), ([rows[1], rows[0], rows[2]], {1, 2})):
        lists.facts[0] = contacts_encrypted("a", 1, lists.one.key_id, some)
        await lists.write()
        why = f" of the list with key {lists.one.key_id} was altered"
        (found, _) = await lists.opened()
        assert [n for n, one in enumerate(found, 1) if one == {"unreadable": f"row {n}{why}"}] == [
            *sorted(whom)
        ]
        assert found[2]["phone_number"] == EVE.phone_number
        shown = await lists.contacts("state 1 --contacts --json --reveal")
        unread = {one["id"] for one in shown if one["phone_number"] == "unreadable"}
        assert unread == whom
        assert shown[2]["name"] == "Eve"
    async with served(lists.folder) as api:
        assert (await api.get("1/contacts"))["items"] == shown, "one hides no other"
    tables = lists.folder / "tables"
    left_out = await lists.said(f"export --parquet {tables}")
    assert f"regions of contacts are left out: row 2{why}" in left_out
    regions = [one["region"] for one in read_table(tables / "contacts.parquet").to_pylist()]
    assert regions == [None, None, "US", "US"]
    await lists.said(f"seal --new-key {lists.folder}/key")
    await lists.said(f"seal --key {lists.folder}/key --out {lists.folder}/seals")
    proof = f"proof --seal {lists.folder}/seals --number {EVE.phone_number} --out {lists.folder}/p"
    assert f"dialgate: row 1{why}" in await lists.said(proof, status=1), "it may be the number"
    assert not (lists.folder / "p").exists()


async def test_an_export_without_keys_is_one_clear_word(lists: Lists) -> None:
    exported = lists.folder / "exported"
    await lists.said(f"export {exported}")
    text = await lists.said(f"log --reveal --from {exported} --type contacts-encrypted")
    assert "list a, encrypted and unreadable: an export has no keys." in text
    (first, _) = await lists.opened(f"log --json --reveal --from {exported}")
    assert first == [{"unreadable": "an export has no keys"}] * 3
    for words in ("state 1 --contacts", "state 1 --contacts --reveal"):
        shown = (await lists.said(f"{words} --from {exported}")).splitlines()
        assert shown[-1] == "dialgate: some contacts are unreadable: an export has no keys"
        assert sum("  unreadable  " in line for line in shown) == 3
    assert "key" not in await lists.said(f"why 1 1 --from {exported}"), "of no export it is known"


async def test_what_befalls_all_contacts_is_told_of_each(lists: Lists) -> None:
    await lists.write(
        erased(lists, 2), campaign_erased(1, [ErasableList(3, lists.one.key_id)], NOON)
    )
    told = {
        contact: [
            fact["type"]
            for line in (await lists.said(f"log --json --contact {contact}")).splitlines()
            for fact in orjson.loads(line)["facts"]
        ]
        for contact in ("1/1", "1/2", "1/4", "2/1", "2/2")
    }
    with_all = ["campaign-created.v1", "campaign-erased.v1"]
    assert told == {
        "1/1": with_all,
        "1/2": [with_all[0], "contact-erased.v1", with_all[1]],
        "1/4": [],
        "2/1": ["import-completed.v1"],
        "2/2": [],
    }


async def test_who_was_erased_with_a_campaign_of_many_lists_was_so_once(lists: Lists) -> None:
    """Each later fact of the campaign reaches further, and says nothing of those before."""
    rows = encrypted(lists.other.tree, lists.other.key_id, 1, (EVE,))
    listed = ImportCompleted(
        campaign_id=1, import_id="more", number=None, first_contact_id=4, rows=1, skipped=0,
        errors=(), completed_at=NOON, source=ImportSource.API, file_name=None, failed=0,
        variable_mappings={}, available_variables=(),
    )  # fmt: skip
    await lists.write(
        contacts_encrypted("more", 1, lists.other.key_id, rows),
        listed,
        campaign_erased(1, [ErasableList(3, lists.one.key_id)], NOON),
        campaign_erased(1, [ErasableList(4, lists.other.key_id)], NOON),
    )
    await lists.said(f"seal --new-key {lists.folder}/key")
    await lists.said(f"seal --key {lists.folder}/key --out {lists.folder}/seals")
    for contact, at in ((1, "0@10"), (4, "0@11")):
        lines = (await lists.said(f"log --json --contact 1/{contact}")).splitlines()
        found = [one["at"] for one in map(orjson.loads, lines) if erases(one)]
        assert found == [f"campaign.records/{at}"], "and no other one"
        told = orjson.loads(await lists.said(f"why 1 {contact} --json"))["history"]
        assert [one["position"] for one in told if one["what"] == "campaign-erased.v1"] == [at]
        proof = lists.folder / f"proof{contact}"
        await lists.said(f"proof --seal {lists.folder}/seals --contact 1/{contact} --out {proof}")
        proven = [b64decode(one["record"]) for one in orjson.loads(proof.read_bytes())["records"]]
        assert sum(b"campaign-erased.v1" in one for one in proven) == 1
    async with served(lists.folder) as api:
        told = (await api.get("1/contacts/4/why"))["history"]
        assert [one["position"] for one in told if one["what"] == "campaign-erased.v1"] == ["0@11"]


def erases(line: Any) -> bool:
    return any(fact["type"] == "campaign-erased.v1" for fact in line["facts"])


async def test_an_export_of_an_import_is_the_same_and_opens_as_it_did(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another number of partitions on the way, and the keys beside each log."""
    await lists.write(erased(lists, 2))
    await forget(lists, lists.one, 2)
    first, second, third = (lists.folder / name for name in ("first", "second", "third"))
    await lists.said(f"export {first}")
    opened, at = await lists.opened(), lists
    for count, source, target in ((3, first, second), (1, second, third)):
        there = Lists(lists.folder / f"of{count}", lists.one, lists.other, [])
        there.folder.mkdir()
        for name in ("keys.db", "master.key"):
            (there.folder / name).write_bytes((at.folder / name).read_bytes())
        monkeypatch.setenv("DIALGATE_PARTITIONS", str(count))
        assert "keys are" not in await there.said(f"import {source}")
        monkeypatch.delenv("DIALGATE_PARTITIONS")
        for part in PARTS:
            unlock(there.folder, part)
        await there.said(f"export {target}")
        assert sorted(map(len, await there.opened())) == sorted(map(len, opened))
        assert {str(one) for one in await there.opened()} == {str(one) for one in opened}
        at = there
    assert records(first) == records(third), "in the order of each campaign"


def records(export: Path) -> dict[int, list[Any]]:
    """Return an export's records by whether they are of the first list and its campaign."""
    found: dict[int, list[Any]] = {0: [], 1: []}
    for line in export.read_bytes().splitlines()[1:-1]:
        if (record := orjson.loads(line).get("record")) is None:
            continue  # What was decided of the whole log.
        fact = record["facts"][0]["data"]
        found[fact.get("campaign_id") == 1 or fact.get("import_id") == "a"].append(record)
    return found
