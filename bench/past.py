"""How long does a look at the past take late in a long log? `dialgate state --as-of`, a process.

The embedded log holds campaigns that were called, and behind them foreign bytes up to its length:
what lies between a campaign's own records, or after them, must cost nothing. Most of the time is
the start of the process, so it stands beside `dialgate --version`; both have the bytecode that an
installed program has, and are given by the clock and in processor time.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import NamedTuple

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
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
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


class Took(NamedTuple):
    """How long a process took, from its start to its end, seconds."""

    clock: float
    processor: float


def took(folder: Path, *arguments: str) -> Took:
    """Return the medians of how long a verb takes, without a first run: that makes bytecode."""
    installed = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    chosen = {"DIALGATE_DATA_DIR": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    each = list[Took]()
    for _ in range(1 + ROUNDS):
        began, before = time.perf_counter(), _children_s()
        command = [sys.executable, "-m", "dialgate", *arguments]
        subprocess.run(command, env=installed | chosen, stdout=subprocess.DEVNULL, check=True)
        each.append(Took(time.perf_counter() - began, _children_s() - before))
    return Took(*(statistics.median(column) for column in zip(*each[1:], strict=True)))


def _children_s() -> float:
    """Return the processor seconds of the children that have ended."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows() -> list[Row]:
    """Measure the verb at the log's end, beside a process that only starts."""
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        ours = took(Path(name), "state", str(CAMPAIGN), "--as-of", f"0@{LENGTH - 1}", "--json")
        floor = took(Path(name), "--version")
    what = f"state --as-of at the end of {LENGTH:,} records, beside a start of the process"
    return [
        Row(f"{what}: by the clock", "s", ours.clock, floor.clock, "≤ 1 s", ours.clock <= 1.0),
        Row(f"{what}: processor time", "s", ours.processor, floor.processor),
    ]


if __name__ == "__main__":
    show("past", rows(), Setup("one process, and the store of a projector", "embedded", ""))
