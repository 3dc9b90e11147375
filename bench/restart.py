"""How long does a restart take with a checkpoint, and a first start without, as the log grows?

`dialgate up` on an embedded log that was filled beforehand: from process start to /health/ready,
which is green once every part has folded the whole log. Both in one process, on one core.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.dialer import used
from bench.history import history
from bench.table import Figure, show
from campaigns.log_sqlite import SqliteLog
from campaigns.topics import CAMPAIGN_RECORDS, Partition
from tests.e2e.system import KEY, Process

SIZES = (100_000, 1_000_000)
AT_ONCE = 2_000  # Records in one commit while the log is filled.


async def fill(path: Path, records: int) -> None:
    """Write a log of so many records: a finished campaign's, all of them accepted."""
    log, partition = SqliteLog(path), Partition(CAMPAIGN_RECORDS, 0)
    await log.open()
    some = []
    for number, record in enumerate(history(records // 3), 1):
        some.append(log.append(partition, record, 12))
        if len(some) == AT_ONCE:
            await asyncio.gather(*some)
            some = []
            print(f"\r{number:,} of {records:,} records", end="", file=sys.stderr)
    await asyncio.gather(*some)
    await log.close()
    print(file=sys.stderr)


def ready_s(process: Process) -> float:
    """Start it; return the seconds until it is ready."""
    began = time.monotonic()
    process.spawn()
    while True:
        assert process.running, process.output()
        try:
            if httpx.get(f"{process.url}/health/ready", timeout=30).status_code == 200:
                return time.monotonic() - began
        except httpx.TransportError:
            pass  # It does not listen yet.
        time.sleep(0.02)


def measure(records: int) -> list[Figure]:
    """Return the first start, the restart, and the memory, of a log so long."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        asyncio.run(fill(folder / "data" / "log.db", records))
        chosen = {"DIALGATE_API_KEY": KEY, "DIALGATE_DATA_DIR": str(folder / "data")}
        up = Process("up", folder, dict(os.environ) | chosen)
        try:
            first = ready_s(up)
            _, peak_mb = used(up.pid)
            up.stop()
            again = ready_s(up)
        finally:
            up.kill9()
    return [
        Figure(f"first start, {records:,} records", "s", first),
        Figure(f"memory after it, {records:,} records", "MB", peak_mb),
        Figure(f"restart, {records:,} records", "s", again, "≤ 2", again <= 2),
    ]


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    show("restart", [row for size in sizes for row in measure(size)])
