"""How long does a look at the past take late in a long log? `dialgate state --as-of`, a process.

The embedded log holds campaigns that were called, and behind them foreign bytes up to its length:
what lies between a campaign's own records, or after them, must cost nothing. Most of the time is
the start of the process, so it stands beside `dialgate --version`.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.bulk import fill
from bench.history import CAMPAIGN
from bench.table import Row, Setup, show
from campaigns.log.port import BATCH_MAX, MemoryLog
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.advance import Views
from projector.store.tables import TRACKING
from projector.store.view_store import ViewStore

CALLED, LENGTH, ROUNDS = 200_000, 10_000_000, 5  # Records.
HERE = Partition(CAMPAIGN_RECORDS, 0)


def prepare(folder: Path) -> None:
    """Fill the log, fold its campaigns into the projector's store, and make the log long."""
    fill(folder / "log.db", CALLED)
    with sqlite3.connect(folder / "log.db") as log:
        (log_id,) = log.execute("select value from about where name = 'id'").fetchone()
        records = log.execute(
            "select position, record from records where (topic, number) = (?, ?) order by position",
            HERE,
        ).fetchall()
    log.close()
    store = ViewStore(None, folder)
    store.belongs_to(log_id, publishes=False)
    views = Views(store, MemoryLog(), False, lambda _: None)
    views.restore([HERE])
    for first in range(0, len(records), BATCH_MAX):
        some = records[first : first + BATCH_MAX]
        views.reader.step(HERE, [Recorded(HERE, position, raw, 1) for position, raw in some])
    with store.writing() as tx:
        tx.execute(TRACKING.update().values(position=LENGTH))
    store.close()
    with sqlite3.connect(folder / "log.db") as log:
        log.execute("pragma synchronous = off")
        log.execute(
            "insert into records with recursive more(position) as (select ? union all"
            " select position + 1 from more where position < ?)"
            " select ?, ?, position, x'00' from more",
            (len(records) + 1, LENGTH, *HERE),
        )
    log.close()


def took_s(folder: Path, *arguments: str) -> float:
    """Return the median of how long a verb takes, from its start to its end."""
    chosen = {"DIALGATE_DATA_DIR": str(folder)}
    each = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        command = [sys.executable, "-m", "dialgate", *arguments]
        subprocess.run(command, env=os.environ | chosen, stdout=subprocess.DEVNULL, check=True)
        each.append(time.perf_counter() - began)
    return statistics.median(each)


def rows() -> list[Row]:
    """Measure the verb at the log's end, beside a process that only starts."""
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        ours = took_s(Path(name), "state", str(CAMPAIGN), "--as-of", f"0@{LENGTH - 1}", "--json")
        floor = took_s(Path(name), "--version")
    what = f"state --as-of at the end of {LENGTH:,} records, beside a start of the process"
    return [Row(what, "s", ours, floor, "≤ 1 s", ours <= 1.0)]


if __name__ == "__main__":
    show("past", rows(), Setup("one process, and the store of a projector", "embedded", ""))
