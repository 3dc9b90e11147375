"""What was exported is imported whole, into any number of partitions, or not at all."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.audit.rulings import RulingKind
from campaigns.audit.transfer.import_file import import_embedded
from campaigns.domain.facts import CampaignPaused, RecordSkipped
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog
from campaigns.process.errors import ExportUnreadableError, LogCutError, TopicMisfitError
from campaigns.records.installation import digest_of
from campaigns.records.record import Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered, some_record
from tests.support.exported import imported, opened, planned, ruled, written
from tests.support.mixed_log import PARTITIONS, mixed_log


def records_of(path: Path) -> list[bytes]:
    """Return an export's lines but for those that name the log."""
    return path.read_bytes().splitlines()[1:-1]


async def test_an_import_exports_the_same_bytes(tmp_path: Path) -> None:
    first = await written(await mixed_log(), tmp_path / "first")
    async with imported(first, tmp_path / "log.db", PARTITIONS) as log:
        second = await written(log, tmp_path / "second")
        assert log.id != "memory"
    assert records_of(first) == records_of(second)


@pytest.mark.parametrize("partitions", [1, 2, 5, 12])
async def test_other_partitions_hold_the_same_campaigns(partitions: int, tmp_path: Path) -> None:
    first = await written(await mixed_log(), tmp_path / "first")
    async with imported(first, tmp_path / "log.db", partitions) as log:
        found = await ruled(log)
        second = await written(log, tmp_path / "second")
    kinds = {one.ruling for some in found.values() for one in some}
    assert kinds == {RulingKind.ACCEPTED, RulingKind.SKIPPED}
    async with opened(first) as was, opened(second) as now:
        assert was.campaigns == now.campaigns
        assert sum(one.accepted for one in was.summary.values()) == sum(
            one.accepted for one in now.summary.values()
        )
    async with imported(second, tmp_path / "back.db", PARTITIONS) as log:
        third = await written(log, tmp_path / "third")
    async with opened(third) as back:
        assert was.campaigns == back.campaigns


async def test_a_skipped_record_is_skipped_at_its_new_place(tmp_path: Path) -> None:
    first = await written(await mixed_log(), tmp_path / "first")
    async with imported(first, tmp_path / "log.db", 2) as log:
        [(partition, some)] = (await whole(log)).skipped.items()
        [(position, skipped)] = some.items()
        [recorded] = await log.read(partition, position - 1, 1)
    assert isinstance(skipped, RecordSkipped)
    assert digest_of(recorded) == skipped.digest
    assert (partition, position) != (Partition(CAMPAIGN_RECORDS, 1), 26), "it has moved"


async def test_a_record_that_lost_to_another_campaign_is_left_out(tmp_path: Path) -> None:
    """Of two creates with one key the second was refused; in a partition of its own it counted."""
    first = await written(await mixed_log(), tmp_path / "first")
    async with imported(first, tmp_path / "log.db", 5) as log:
        accepted = [one for some in (await ruled(log)).values() for one in some if one.accepted]
    streams = [stream for one in accepted for stream in one.recorded.envelope.condition]  # type: ignore[union-attr]
    assert campaign_stream(10) in streams
    assert campaign_stream(13) not in streams


async def test_what_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    """No decider rests on two campaigns; a foreign producer can."""
    log, one = MemoryLog(), CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)
    both = {campaign_stream(1): 0, campaign_stream(2): 0}
    record = offered(one)
    record = Record(record.id, NOON, "test/1", "test", "test", None, both, (one,))
    await log.append(Partition(CAMPAIGN_RECORDS, 0), record, 1)
    path = await written(log, tmp_path / "file")
    with pytest.raises(ExportUnreadableError, match="can be divided into 2 partitions"):
        async with imported(path, tmp_path / "log.db", 2):
            pass
    assert not (tmp_path / "log.db").exists()
    async with imported(path, tmp_path / "log.db", 1):
        pass


async def test_a_log_with_a_record_is_never_replaced(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    target = tmp_path / "log.db"
    log = SqliteLog(target)
    await log.open()
    await log.append(Partition(CAMPAIGN_RECORDS, 0), *some_record(Partition(CAMPAIGN_RECORDS, 0)))
    await log.close()
    before = target.read_bytes()
    with pytest.raises(TopicMisfitError, match="found one with records"):
        async with imported(path, target, 1):
            pass
    assert target.read_bytes() == before


async def test_an_empty_log_is_replaced(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await log.close()
    async with imported(path, tmp_path / "log.db", PARTITIONS) as found:
        assert (await found.ends([Partition(CAMPAIGN_RECORDS, 1)]))[
            Partition(CAMPAIGN_RECORDS, 1)
        ] == 26


async def test_an_import_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")

    def full(_: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with planned(path, PARTITIONS) as plan:
        with pytest.raises(Exception, match="nothing was imported: database or disk is full"):
            await import_embedded(plan, tmp_path / "log.db", full)
    assert list(tmp_path.iterdir()) == [path]


async def test_what_a_killed_import_left_is_made_anew(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    (tmp_path / "log.db.importing").write_bytes(b"half")
    async with imported(path, tmp_path / "log.db", PARTITIONS):
        pass
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "log.db"]


async def test_an_export_of_one_campaign_is_no_log(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file", campaign=4)
    with pytest.raises(ExportUnreadableError, match="one of a single campaign"):
        async with imported(path, tmp_path / "log.db", 1):
            pass


async def test_what_was_written_is_compared_with_what_was_meant(
    tmp_path: Path, altered_file: Callable[[Path], None]
) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    with pytest.raises(LogCutError, match="expected the record of the export, found another"):
        async with planned(path, PARTITIONS) as plan:
            await import_embedded(
                plan, tmp_path / "log.db", lambda _: altered_file(tmp_path / "log.db.importing")
            )
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def altered_file() -> Callable[[Path], None]:
    """Return what alters one record behind the import's back."""

    def alter(path: Path) -> None:
        db = sqlite3.connect(path)
        db.execute("update records set record = x'00' where position = 2 and number = 1")
        db.commit()
        db.close()

    return alter
