"""Exports as tests make and open them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from campaigns.audit.rulings import PartitionRuling, Ruled, partitions_of, ruled_batches
from campaigns.audit.transfer.export_log import ExportLog
from campaigns.audit.transfer.export_writer import Exporter
from campaigns.audit.transfer.import_file import import_embedded
from campaigns.audit.transfer.import_plan import Plan
from campaigns.log.installation_log import whole
from campaigns.log.port import ReadableLog
from campaigns.records.topics import Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON


async def written(log: ReadableLog, path: Path, campaign: int | None = None) -> Path:
    with path.open("wb") as file:
        await Exporter(log, await whole(log), file.write, campaign=campaign).export(NOON)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[ExportLog]:
    log = ExportLog(path)
    try:
        await log.open()
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def planned(path: Path, partitions: int) -> AsyncIterator[Plan]:
    async with opened(path) as export:
        yield Plan(export, await whole(export), partitions)


@asynccontextmanager
async def imported(path: Path, target: Path, partitions: int) -> AsyncIterator[SqliteLog]:
    """Import an export as an embedded log, and open that."""
    async with planned(path, partitions) as plan:
        await import_embedded(plan, target, lambda _: None)
    log = SqliteLog(target, partitions, read_only=True)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def ruled(log: ReadableLog) -> dict[Partition, list[Ruled]]:
    """Return every record of a log with its ruling."""
    skipped = (await whole(log)).skipped
    return {
        partition: [
            one
            async for batch in ruled_batches(
                log, partition, PartitionRuling(skipped.get(partition, {}))
            )
            for one in batch
        ]
        for partition in partitions_of(log)
    }
