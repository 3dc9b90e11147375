"""An old log of plain contacts is written anew with keys, goes on, and forgets who is erased."""

import asyncio
import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaigns.audit.transfer.encryption import Encryption
from campaigns.audit.transfer.import_file import import_embedded
from campaigns.audit.transfer.import_plan import Plan
from campaigns.domain.facts import AnyFact, CampaignPaused, ContactsAdded, ContactsEncrypted
from campaigns.domain.values.rows import Row
from campaigns.log.installation_log import Author, decided, whole
from campaigns.log.port import MemoryLog
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import ListKeys
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.process.errors import LogUnavailableError, TopicMisfitError
from campaigns.records.installation import raise_level
from campaigns.records.record import RECORD_BYTES_MAX, Record
from campaigns.records.topics import campaign_partition
from campaigns.secrets.key_place import KeyPlace
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from dialgate.__main__ import cli
from dialgate.part_names import PARTS
from tests.support.exported import opened, ruled, written
from tests.support.mixed_log import NUMBER, PARTITIONS, mixed_log
from tests.support.system import System
from tests.support.traces import files_in, traces

PEOPLE = [
    {"phone_number": f"+1415555066{n}", "name": f"Ada Plughname{n}", "email": f"a{n}@plugh.example"}
    for n in range(3)
]


async def at_level_3(path: Path) -> None:
    log = SqliteLog(path)
    await log.open()
    by, clock = Author("test", "test"), SystemClock()
    await decided(log, lambda now: raise_level(now, 3, NOON), by, clock)
    await log.close()


def done(system: System, *words: str) -> str:
    found = system.run(*words)
    assert found.returncode == 0, found
    return found.stdout + found.stderr


@pytest.mark.e2e
def test_plain_contacts_are_rewritten_called_and_erased_nowhere(tmp_path: Path) -> None:
    old, new, export = tmp_path / "old", tmp_path / "new", str(tmp_path / "export")
    (old / "data").mkdir(parents=True, mode=0o700)
    new.mkdir()
    asyncio.run(at_level_3(old / "data" / "log.db"))
    body = {
        "name": "p", "assistant_id": 1, "campaign_type": "call", "contacts": PEOPLE,
        "settings": {"max_attempts": 1},
    }  # fmt: skip
    with System(old) as system, system.client() as client:
        campaign = int(client.command("", body).json()["id"])
        plain = system.run("erase", "--yes", "--contact", f"{campaign}/1")
        assert plain.returncode == 2, plain
        system["up"].stop()
        done(system, "export", export)
    moved = System(new)
    said = done(moved, "import", export, "--encrypt")
    assert "the plain contacts of 1 list are encrypted here" in said
    assert "still has them in clear" in said
    found = traces(files_in(new), [text for one in PEOPLE for text in one.values()])
    assert not found, "nobody is in clear, even before anybody is erased"
    with moved as system, system.client() as client:
        erased = done(system, "erase", "--yes", "--json", "--number", PEOPLE[0]["phone_number"])
        assert json.loads(erased.splitlines()[0])["contacts"] == [f"{campaign}/1"]
        client.start(campaign)
        client.wait_for(campaign, "completed")
        contacts = client.get(f"/{campaign}/contacts")["items"]
        assert [one["attempts"] for one in contacts] == [0, 1, 1]
        assert PEOPLE[0]["name"] not in json.dumps(contacts)
        assert [one["name"] for one in contacts[1:]] == [one["name"] for one in PEOPLE[1:]]
        system["up"].stop()
        done(system, "verify", "--at-rest", "--rings", str(system.rings))
        done(system, "export", str(new / "after.export"))
    assert not traces(files_in(new), list(PEOPLE[0].values()))


class Keys:
    """Makes keys in memory, as often as they are asked for."""

    def __init__(self) -> None:
        self.of = ListKeys(MemoryKeys(), KeyPlace(bytes(32)))

    async def made(self, key_ids: Collection[str]) -> Mapping[str, KeyTree]:
        return await self.of.named(key_ids)


async def rewritten(path: Path, target: Path, keys: Keys, partitions: int) -> list[AnyFact]:
    """Import with encryption; return the accepted facts about lists."""
    async with opened(path) as export:
        plan = Plan(
            export, await whole(export), partitions, Encryption(keys.made, keys.of.all_named)
        )
        await import_embedded(plan, target, lambda _: None)
    log = SqliteLog(target, partitions, read_only=True)
    await log.open()
    try:
        assert (await whole(log)).level == 4
        every = [one for some in (await ruled(log)).values() for one in some]
        assert all(len(one.recorded.raw or b"") <= RECORD_BYTES_MAX for one in every)
        return [fact for one in every if one.accepted for fact in one.recorded.facts]
    finally:
        await log.close()


def people(keys: ListKeys, facts: list[AnyFact]) -> list[Row | None]:
    assert not any(isinstance(fact, ContactsAdded) for fact in facts)
    return [
        row
        for fact in facts
        if isinstance(fact, ContactsEncrypted)
        for row in keys.rows(fact.key_id, fact.first_row, fact.rows)
    ]


@pytest.mark.parametrize("partitions", [PARTITIONS, 1])
async def test_every_list_that_counts_is_rewritten_the_same_each_time(
    partitions: int, tmp_path: Path
) -> None:
    keys, path = Keys(), await written(await mixed_log(), tmp_path / "export")
    first = await rewritten(path, tmp_path / "1.db", keys, partitions)
    again = await rewritten(path, tmp_path / "2.db", keys, partitions)
    assert first == again, "so an interrupted import goes on"
    found = [row.phone_number for row in people(keys.of, first) if row]
    assert found == ["+14155550123", "+14155550124", "+14155550124"]


async def test_interrupted_it_leaves_no_log_and_goes_on_with_the_same_keys(tmp_path: Path) -> None:
    keys, path = Keys(), await written(await mixed_log(), tmp_path / "export")

    def full(_: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with opened(path) as export:
        plan = Plan(export, await whole(export), 1, Encryption(keys.made, keys.of.all_named))
        with pytest.raises(LogUnavailableError, match="nothing was imported"):
            await import_embedded(plan, tmp_path / "log.db", full)
    assert list(tmp_path.iterdir()) == [path]
    made = keys.of.store.key_ids()
    facts = await rewritten(path, tmp_path / "log.db", keys, 1)
    assert {*keys.of.store.key_ids()} == {*made, "dialgate import --encrypt"}
    assert facts_key(facts) in made


async def test_interrupted_it_takes_a_newer_export_and_complete_it_does_not(tmp_path: Path) -> None:
    """Until a log could start nobody can have been erased by its keys; from then on, somebody."""
    log, keys = await mixed_log(), Keys()
    path = await written(log, tmp_path / "export")

    def full(_: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with opened(path) as export:
        encryption = Encryption(keys.made, keys.of.all_named)
        plan = Plan(export, await whole(export), 1, encryption)
        with pytest.raises(LogUnavailableError, match="nothing was imported"):
            await import_embedded(plan, tmp_path / "log.db", full)
    row = Row(phone_number="+14155550177")
    newer = ContactsAdded(import_id="newer", first_row=1, rows=(row,))
    await log.append(campaign_partition(1, PARTITIONS), offered(newer), 1)
    path = await written(log, tmp_path / "newer")
    assert people(keys.of, await rewritten(path, tmp_path / "log.db", keys, PARTITIONS))
    row = Row(phone_number="+14155550178")
    newest = ContactsAdded(import_id="newest", first_row=1, rows=(row,))
    await log.append(campaign_partition(1, PARTITIONS), offered(newest), 1)
    path = await written(log, tmp_path / "newest")
    with pytest.raises(TopicMisfitError, match="with contacts that were forgotten or are newer"):
        await rewritten(path, tmp_path / "2.db", keys, PARTITIONS)


def facts_key(facts: list[AnyFact]) -> str:
    return next(fact.key_id for fact in facts if isinstance(fact, ContactsEncrypted))


async def test_a_record_that_grew_too_long_is_several(tmp_path: Path) -> None:
    log, keys = MemoryLog(), Keys()
    rows = tuple(Row(phone_number=f"+1415{n:07}", name="x" * 50) for n in range(2_000))
    chunks = tuple(
        ContactsAdded(import_id="long", first_row=first + 1, rows=rows[first : first + 400])
        for first in range(0, 2_000, 400)
    )
    paused = CampaignPaused(campaign_id=1, reason="and more", paused_at=NOON)
    condition = {paused.stream: 0, chunks[0].stream: 0}
    one = offered(paused)
    await log.append(
        campaign_partition(1, 1),
        Record(one.id, NOON, "test/1", "test", "test", None, condition, (*chunks, paused)),
        1,
    )
    paused = CampaignPaused(campaign_id=1, reason="later", paused_at=NOON)
    await log.append(campaign_partition(1, 1), offered(paused, condition_version=1), 1)
    path = await written(log, tmp_path / "export")
    facts = await rewritten(path, tmp_path / "log.db", keys, 1)
    assert people(keys.of, facts) == list(rows)
    reasons = [fact.reason for fact in facts if isinstance(fact, CampaignPaused)]
    assert reasons == ["and more", "later"]


@pytest.mark.parametrize("rows", [[1], None], ids=["one row", "a whole list"])
async def test_keys_by_which_somebody_was_forgotten_are_not_used_again(
    rows: list[int] | None, tmp_path: Path
) -> None:
    keys, path = Keys(), await written(await mixed_log(), tmp_path / "export")
    facts = await rewritten(path, tmp_path / "1.db", keys, 1)
    await keys.of.forget(facts_key(facts), rows)
    left = keys.of.store.key_ids()
    with pytest.raises(TopicMisfitError, match="whoever was forgotten would come back"):
        await rewritten(path, tmp_path / "2.db", keys, 1)
    assert not (tmp_path / "2.db").exists()
    assert keys.of.store.key_ids() == left, "none is made in the place of one that was deleted"


async def test_keys_of_which_only_some_were_made_are_made_to_the_end(tmp_path: Path) -> None:
    """As on Kafka, where keys become durable one by one."""
    keys, path = Keys(), await written(await mixed_log(), tmp_path / "export")
    made = await keys.of.named(["other"])
    assert people(keys.of, await rewritten(path, tmp_path / "log.db", keys, 1))
    assert keys.of.tree("other") == made["other"]


def test_where_nothing_is_plain_no_key_is_made_and_nothing_else_is_said(tmp_path: Path) -> None:
    async def encrypted_once() -> None:
        keys, path = Keys(), await written(await mixed_log(), tmp_path / "plain")
        await rewritten(path, tmp_path / "log.db", keys, PARTITIONS)

    asyncio.run(encrypted_once())
    export, there = str(tmp_path / "export"), tmp_path / "there"
    environment = {"DIALGATE_DATA_DIR": str(tmp_path)}
    found = CliRunner().invoke(cli, ["export", export], env=environment)
    assert found.exit_code == 0, found.output
    environment = {"DIALGATE_DATA_DIR": str(there)}
    found = CliRunner().invoke(cli, ["import", export, "--encrypt"], env=environment)
    for part in PARTS:
        unlock(there, part)
    assert found.exit_code == 0, found.output
    assert "no list of contacts was plain" in found.output
    assert "still has them in clear" not in found.output
    assert not {"keys.db", "master.key"} & {path.name for path in there.iterdir()}


@pytest.mark.kafka
async def test_on_kafka_it_needs_a_master_key_and_writes_nobody_in_clear(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    export, after = await written(await mixed_log(), tmp_path / "export"), tmp_path / "after"
    system = System(tmp_path, kafka=kafka_servers, namespace=namespace, partitions=3)
    refused = system.run("import", str(export), "--encrypt")
    assert (refused.returncode, "expected a master key" in refused.stderr) == (2, True), refused
    key = {"DIALGATE_MASTER_KEY": f"{'AQEB' * 10}AQE="}
    made = system.run("import", str(export), "--encrypt", "--json", **key)
    assert made.returncode == 0, made
    shape = json.loads(made.stdout)
    assert (shape["lists_encrypted"], shape["lists_without_key"]) == (1, 0)
    exported = system.run("export", str(after), **key)
    assert exported.returncode == 0, exported
    assert NUMBER in export.read_text()
    assert NUMBER not in after.read_text()
