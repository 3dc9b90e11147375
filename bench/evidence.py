"""How fast do `verify`, `log`, `export` and `seal` go through a log, beside bare `json.loads`?

Processor time of the whole process, on the embedded log and the same records: each is read from the
file, decoded and ruled on; then judged, printed as JSON, written, or hashed into its tree.
"""

import asyncio
import gc
import json
import os
import statistics
import tempfile
from contextlib import closing, redirect_stdout
from pathlib import Path
from time import process_time

from bench.history import raw_history
from bench.table import Row, Setup, show
from campaigns.audit.rulings import (
    VERB_BATCH_MAX,
    PartitionRuling,
    RulingKind,
    partitions_of,
    ruled_batches,
)
from campaigns.audit.seal.seal_check import Walk
from campaigns.audit.transfer.export_writer import Exporter
from campaigns.audit.verification import Verification
from campaigns.log.installation_log import whole
from campaigns.process.garbage import GC_AFTER
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.sqlite.file import connect, prepare
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON
from dialgate.pictures.record_lines import json_lines
from dialgate.verbs.terminal import say_json

RECORDS, ROUNDS, PARTITIONS = 60_000, 3, 12
PARTITION = Partition(CAMPAIGN_RECORDS, 0)
TARGETS = (("verify", 0.5), ("log --json", 0.7), ("export", 0.7), ("seal", 0.5))


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


async def verify(log: SqliteLog) -> float:
    """Return the processor seconds that judging the log takes."""
    began = process_time()
    findings = await Verification(log, await whole(log), partitions_of(log)).run()
    took = process_time() - began
    assert findings.by_ruling[RulingKind.ACCEPTED] == RECORDS, "it was judged"
    return took


async def print_log(log: SqliteLog) -> float:
    """Return the processor seconds that printing the log as JSON takes, to a file that is none."""
    began = process_time()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        ruling = PartitionRuling(keeps_digest=False)
        async for batch in ruled_batches(log, PARTITION, ruling, batch_max=VERB_BATCH_MAX):
            say_json(json_lines(batch, reveal=False))
    return process_time() - began


async def measured() -> list[Row]:
    """Measure in turn; return the medians of the rounds."""
    gc.set_threshold(GC_AFTER)  # As every verb does.
    raw, found = raw_history(RECORDS), list[tuple[float, ...]]()
    with tempfile.TemporaryDirectory() as folder:
        stored(Path(folder) / "log.db", raw)
        log = SqliteLog(Path(folder) / "log.db", PARTITIONS, read_only=True)
        await log.open()
        for number in range(ROUNDS):
            exported = await export(log, Path(folder) / f"export{number}")
            others = await verify(log), await print_log(log), exported, await seal(log)
            found.append((*others, parse(raw)))
        await log.close()
    *ours, floor = (RECORDS / statistics.median(column) for column in zip(*found, strict=True))
    return [
        Row(
            f"{name}, records a second of CPU",
            "1/s",
            one,
            floor,
            f"≥ {least}",
            one / floor >= least,
        )
        for (name, least), one in zip(TARGETS, ours, strict=True)
    ]


if __name__ == "__main__":
    show("evidence", asyncio.run(measured()), Setup("a verb, no part", "embedded", ""))
