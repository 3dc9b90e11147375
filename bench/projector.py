"""How fast does the projector fold into SQLite? Beside bare `json.loads` and one row a record.

Both take the same records from memory in the same batches, one transaction a batch.
"""

import json
import sqlite3
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from bench.history import raw_history
from bench.table import IN_MEMORY, Row, Setup, show
from campaigns.log.port import MemoryLog
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.advance import Views
from projector.store.view_store import ViewStore

RECORDS, ROUNDS, BATCH = 30_000, 3, 512  # BATCH: the most that the log hands over at once.


def fold(raw: list[bytes], folder: Path) -> float:
    """Return the seconds that the projector takes."""
    partition, log = Partition(CAMPAIGN_RECORDS, 0), MemoryLog(1)
    store = ViewStore(None, folder)
    store.belongs_to(log.id, publishes=False)
    views = Views(store, log, False, lambda key: None)
    views.restore([partition])
    began = perf_counter()
    for first in range(0, len(raw), BATCH):
        batch = [
            Recorded(partition, first + n, value, 1)
            for n, value in enumerate(raw[first : first + BATCH], 1)
        ]
        views.reader.step(partition, batch)
    took = perf_counter() - began
    assert views.reader.counts.accepted == len(raw), "some records were refused"
    store.close()
    return took


def bare(raw: list[bytes], folder: Path) -> float:
    """Return the seconds that parsing and one row a record take."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("create table records (position integer primary key, id text, facts text)")
    began = perf_counter()
    for first in range(0, len(raw), BATCH):
        found = [json.loads(value) for value in raw[first : first + BATCH]]
        db.execute("begin")
        db.executemany(
            "insert into records values (?, ?, ?)",
            ((first + n, one["id"], one["facts"][0]["type"]) for n, one in enumerate(found)),
        )
        db.execute("commit")
    took = perf_counter() - began
    db.close()
    return took


def rows() -> list[Row]:
    """Measure both in turn; return medians of the rounds."""
    raw, both = raw_history(RECORDS), []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            both.append((fold(raw, Path(one)), bare(raw, Path(other))))
    ours, floor = (RECORDS / statistics.median(column) for column in zip(*both, strict=True))
    return [Row("projector, records a second", "1/s", ours, floor, "≥ 0.5", ours / floor >= 0.5)]


if __name__ == "__main__":
    show("projector", rows(), Setup("the projector's views, no process", IN_MEMORY, ""))
