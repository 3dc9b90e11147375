"""How fast is an export, and a seal, compared with bare `json.loads` of the same records?

Processor time of the whole process, on the embedded log: each record is read from the file,
decoded, ruled on, and added to the digests and written; or hashed into its tree.
"""

import asyncio
import json
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from time import process_time

from bench.history import raw_history
from bench.table import Row, Setup, show
from campaigns.audit.seal.seal_check import Walk
from campaigns.audit.transfer.export_writer import Exporter
from campaigns.log.installation_log import whole
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.sqlite.file import connect, prepare
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON

RECORDS, ROUNDS, PARTITIONS = 60_000, 3, 12
PARTITION = Partition(CAMPAIGN_RECORDS, 0)


def stored(path: Path, raw: list[bytes]) -> None:
    """Make an embedded log of these records."""
    prepare(path, PARTITIONS, read_only=False)
    rows = ((*PARTITION, position, value) for position, value in enumerate(raw, 1))
    with closing(connect(path, read_only=False)) as db:
        db.execute("begin")
        db.executemany("insert into records values (?, ?, ?, ?)", rows)
        db.execute("commit")


def parse(raw: list[bytes]) -> float:
    """Return the processor seconds that parsing all records takes."""
    began = process_time()
    for value in raw:
        json.loads(value)
    return process_time() - began


async def export(log: SqliteLog, path: Path) -> float:
    """Return the processor seconds that an export takes."""
    began = process_time()
    with path.open("wb") as file:
        await Exporter(log, await whole(log), file.write).export(NOON)
    took = process_time() - began
    assert path.stat().st_size > RECORDS, "it was written"
    return took


async def seal(log: SqliteLog) -> float:
    """Return the processor seconds that hashing and ruling for a seal takes."""
    began = process_time()
    walk = Walk(log, await whole(log), PARTITION, None)
    assert await walk.until(RECORDS) is None
    walk.tree.root()
    return process_time() - began


async def measured() -> list[Row]:
    """Measure in turn; return the medians of the rounds."""
    raw, found = raw_history(RECORDS), list[tuple[float, float, float]]()
    with tempfile.TemporaryDirectory() as folder:
        stored(Path(folder) / "log.db", raw)
        log = SqliteLog(Path(folder) / "log.db", PARTITIONS, read_only=True)
        await log.open()
        for number in range(ROUNDS):
            took = await export(log, Path(folder) / f"export{number}")
            found.append((took, await seal(log), parse(raw)))
        await log.close()
    ours, sealing, floor = (
        RECORDS / statistics.median(column) for column in zip(*found, strict=True)
    )
    return [
        Row("export, records a second of CPU", "1/s", ours, floor, "≥ 0.7", ours / floor >= 0.7),
        Row(
            "seal, records a second of CPU", "1/s", sealing, floor, "≥ 0.5", sealing / floor >= 0.5
        ),
    ]


if __name__ == "__main__":
    show("exports", asyncio.run(measured()), Setup("a verb, no part", "embedded", ""))
