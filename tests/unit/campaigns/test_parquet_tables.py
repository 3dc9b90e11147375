"""Tables for analysis: a row a fact, a call, a contact, a campaign; and no personal data."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from pyarrow import parquet

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.audit.transfer import parquet_tables
from campaigns.audit.transfer.parquet_tables import TABLES, write_tables
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partitions
from tests.support.journal import Journal
from tests.support.mixed_log import NUMBER, mixed_log

Tables = dict[str, list[dict[str, Any]]]  # Any: a column's value.


async def tables_of(log: MemoryLog, folder: Path, campaign: int | None = None) -> Tables:
    folder.mkdir()
    counts = await write_tables(log, await whole(log), folder, campaign, lambda _: None)
    found = {name: parquet.read_table(folder / f"{name}.parquet").to_pylist() for name in TABLES}
    assert counts.rows == {name: len(rows) for name, rows in found.items()}
    return found


async def test_every_accepted_fact_is_a_row_and_none_holds_a_number(tmp_path: Path) -> None:
    log, accepted = await mixed_log(), list[tuple[str, str]]()
    skipped = (await whole(log)).skipped
    for partition in campaign_partitions(log.partitions(CAMPAIGN_RECORDS)):
        ruling = PartitionRuling(skipped.get(partition, {}))
        async for batch in ruled_batches(log, partition, ruling):
            for one in batch:
                if one.accepted:
                    accepted += [(one.recorded.where, fact.TYPE) for fact in one.recorded.facts]
    found = await tables_of(log, tmp_path / "whole")
    assert [(row["at"], row["type"]) for row in found["facts"]] == accepted
    for path in (tmp_path / "whole").iterdir():
        text = orjson.dumps(parquet.read_table(path).to_pylist(), default=str)
        assert NUMBER.encode() not in text
        assert b"Ada" not in text


async def test_tables_of_one_campaign_have_its_facts_alone(tmp_path: Path) -> None:
    found = await tables_of(await mixed_log(), tmp_path / "one", campaign=4)
    assert {row["campaign_id"] for row in found["facts"]} == {4}
    assert len(found["facts"]) == 4 + 1


async def test_calls_and_contacts_are_joined_and_written_in_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_tables, "ROW_GROUP", 2)
    told = Journal()
    told.create(contacts=3, name="May")
    told.start()
    ended, abandoned, under_way = (told.ask(contact) for contact in (1, 2, 3))
    told.ring(ended, 1)
    told.end(ended, 1)
    told.abandon(abandoned, 2)
    found = await tables_of(told.log, tmp_path / "called")
    calls = {row["call_id"]: row for row in found["calls"]}
    shown = [calls[one]["disposition"] for one in (ended, abandoned, under_way)]
    assert shown == ["answered", None, None]
    assert calls[ended]["started_at"] is not None
    assert calls[abandoned]["abandoned"] == "not-running"
    assert calls[under_way]["requested_at"] is not None, "under way: what there is of it"
    assert {row["carrier"] for row in calls.values()} == {"ours"}
    assert [row["contact_id"] for row in found["contacts"]] == [1, 2, 3]
    assert [row["name"] for row in found["campaigns"]] == ["May"]
    assert parquet.ParquetFile(tmp_path / "called" / "facts.parquet").num_row_groups > 2
