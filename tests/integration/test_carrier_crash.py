"""A carrier process that is killed at any moment: no ring is logged twice or forgotten."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.process.clock import SystemClock
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.port import CallOrder, Ended, Rung

CLOCK = SystemClock()
KILLS = 12
RING_BY_S = 0.4  # Some calls are still in set-up when the carrier comes back, some too late.
SETUP_MS = 15
SERVE = """
import sys, uvicorn
from pathlib import Path
from campaigns.process.clock import SystemClock
from dialer.carrier.http.app import create_carrier_app
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier

settings, clock = CarrierSettings(), SystemClock()
carrier = SimulatedCarrier(Path(sys.argv[1]), settings.terms(), clock, settings.log)
uvicorn.run(create_carrier_app(carrier, clock), port=int(sys.argv[2]), log_level="warning")
"""


class Process:
    """A carrier that can be killed and started again on the same address and files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        knobs = {
            "LOG": str(self.folder / "rings.jsonl"),
            "SETUP_MS": str(SETUP_MS),
            "RINGING_MIN_S": "0.02",
            "RINGING_MAX_S": "0.2",
            "TALK_MIN_S": "0.02",
            "TALK_MAX_S": "0.2",
        }
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVE, str(self.folder / "carrier.db"), str(self.port)),
            env=os.environ | {f"DIALGATE_CARRIER_{name}": value for name, value in knobs.items()},
        )

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def place(carrier: HttpCarrier, prefix: str, until: asyncio.Event, rung: list[str]) -> None:
    """Place call after call; remember those that were answered with a ring."""
    number = 0
    while not until.is_set():
        number += 1
        call = CallOrder(f"{prefix}-{number}", 42, number, 1, 1, "+4930123456")
        try:
            placed = await carrier.place(call, CLOCK.now() + timedelta(seconds=RING_BY_S))
        except CarrierUnavailableError:
            await asyncio.sleep(0.01)
            continue
        if isinstance(placed, Rung):
            rung.append(call.call_id)


@pytest.mark.parametrize("seed", [1])
async def test_a_killed_carrier_writes_each_ring_once_and_finishes_it(
    seed: int, tmp_path: Path
) -> None:
    dice, process = random.Random(seed), Process(tmp_path)
    carrier = HttpCarrier(process.url, None, 5.0, CLOCK, lease_s=2.0, open_s=15)
    rung: list[str] = []
    for life in range(KILLS):
        await process.start()
        await carrier.open(lambda call_id, ended: None)
        over = asyncio.Event()
        placing = [
            asyncio.create_task(place(carrier, f"{life}-{worker}", over, rung))
            for worker in range(8)
        ]
        await asyncio.sleep(dice.uniform(0.01, 0.25))
        await process.kill()
        over.set()
        await asyncio.gather(*placing)
    await process.start()
    await carrier.open(lambda call_id, ended: None)
    async with asyncio.timeout(30):
        while open_rings(tmp_path):
            await asyncio.sleep(0.02)
    assert rung, "calls got through"
    for call_id in rung:
        assert isinstance(await carrier.look_up(call_id), Ended)
    await carrier.close()
    await process.kill()
    audit(tmp_path, rung)


def open_rings(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "carrier.db")) as db:
        query = "select count(*) from rings where state in ('taken', 'ringing')"
        return int(db.execute(query).fetchone()[0])


def audit(folder: Path, rung: list[str]) -> None:
    """Compare the carrier log with carrier.db, without the carrier."""
    lines = [json.loads(line) for line in (folder / "rings.jsonl").read_text().splitlines()]
    with contextlib.closing(sqlite3.connect(folder / "carrier.db")) as db:
        (file_id,) = db.execute("select value from about where name = 'id'").fetchone()
        rows = db.execute("select number, call_id, state, began_at_ns, ring_by_ns from rings")
        kept = {f"{file_id}-{number}": row for number, *row in rows}
    assert max(Counter(line["ring"] for line in lines).values()) == 1, "a ring was written twice"
    logged = {line["ring"]: [line["call_id"], "ended", line["began_at_ns"]] for line in lines}
    assert logged == {ring: row[:3] for ring, row in kept.items() if row[2] is not None}
    assert {row[1] for row in kept.values() if row[2] is None} <= {"refused-late"}
    assert all(row[2] <= row[3] for row in kept.values() if row[2] is not None), "rang late"
    assert max(Counter(line["call_id"] for line in lines).values()) == 1, "a phone rang twice"
    assert set(rung) <= {line["call_id"] for line in lines}
