"""How long does a first start take, how much memory, and how long a restart, as the log grows?

`dialgate up` on an embedded log that was filled beforehand: from process start to /health/ready,
which is green once every part has folded the whole log. All parts in one process, on one core.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.bulk import fill
from bench.dialer import used
from bench.table import Figure, Setup, show
from tests.support.system import KEY, Process

SIZES = (100_000, 1_000_000, 3_000_000)
RESTARTS = 3  # Their median is reported.
A_SECOND_MIN = 47_100  # Records, at a first start: three times those of before. Source: issue 12.
PEAK_MAX_MB = 300  # However long the log is.


def ready_s(process: Process) -> float:
    """Start it; return the seconds until it is ready."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        began = time.monotonic()
        process.spawn()
        while True:
            assert process.running, process.output()
            try:
                if client.get(f"{process.url}/health/ready").status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                pass  # It is not listening yet.
            time.sleep(0.02)


def measure(records: int) -> list[Figure]:
    """Return the first start, the memory and the restart for a log of this length."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        began = time.monotonic()
        fill(folder / "data" / "log.db", records)
        print(f"{records:,} records in {time.monotonic() - began:.0f} s", file=sys.stderr)
        chosen = {"DIALGATE_API_KEY": KEY, "DIALGATE_DATA_DIR": str(folder / "data")}
        up = Process("up", folder, dict(os.environ) | chosen)
        again = []
        try:
            first = ready_s(up)
            _, peak_mb = used(up.pid)
            print(f"first start {first:.1f} s, {peak_mb:.0f} MB", file=sys.stderr)
            for _ in range(RESTARTS):
                up.stop()
                again.append(ready_s(up))
        finally:
            up.kill9()
    restart = sorted(again)[RESTARTS // 2]
    return [
        Figure(f"first start, {records:,} records", "s", first),
        Figure(
            f"first start, {records:,} records, records a second", "1/s", records / first,
            f"≥ {A_SECOND_MIN:,}", records / first >= A_SECOND_MIN,
        ),
        Figure(
            f"peak memory, {records:,} records", "MB", peak_mb,
            f"≤ {PEAK_MAX_MB}", peak_mb <= PEAK_MAX_MB,
        ),
        Figure(f"restart, {records:,} records", "s", restart, "≤ 2", restart <= 2),
    ]  # fmt: skip


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    figures = [row for size in sizes for row in measure(size)]
    show("restart", figures, Setup("`dialgate up`, one process", "embedded", "client"))
