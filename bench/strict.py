"""How long does a pause take with calls in flight, and how soon does a phone ring after a resume?

`dialgate command-api` and `dialgate dialer` on a real broker, the simulated carrier in the
dialer's process. The floor of the pause is the idle pause of the same processes plus one carrier
set-up, since only after it a call at the carrier begins to ring, or does not.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.table import Figure, Row, Setup, show
from tests.support.broker import find_broker
from tests.support.client import Client
from tests.support.system import KEY, Process

CYCLES, CONTACTS, CONCURRENT, SETUP_MS = 60, 9_000, 20, 20.0
CALL_MAX_S = 0.25  # Ringing and talk, with a margin.
KNOBS = {
    "api_key": KEY, "lease_s": 2, "carrier_timeout_s": 5,
    "carrier_ringing_min_s": 0.05, "carrier_ringing_max_s": 0.1,
    "carrier_talk_min_s": 0.05, "carrier_talk_max_s": 0.1,
}  # fmt: skip


def cycles(
    folder: Path, servers: str, setup_ms: float
) -> tuple[list[float], list[float], list[float]]:
    """Pause and resume under load; return ms of idle pauses, of pauses, and from resume to ring."""
    rings = folder / "rings.jsonl"
    chosen = {
        **KNOBS, "data_dir": folder / "data", "carrier_log": rings, "carrier_setup_ms": setup_ms,
        "kafka_servers": servers, "kafka_namespace": f"b{int(setup_ms)}.",
    }  # fmt: skip
    environment = dict(os.environ) | {f"DIALGATE_{n.upper()}": str(v) for n, v in chosen.items()}
    api, dialer = (Process(verb, folder, environment) for verb in ("command-api", "dialer"))
    idle: list[float] = []
    paused: list[float] = []
    rang: list[float] = []
    try:
        api.start()
        dialer.start()
        with Client(api.url, api.url, KEY) as client:
            quiet = client.create(100, calls_per_minute=1)
            client.start(quiet)
            busy = client.create(CONTACTS, concurrent=CONCURRENT)
            client.start(busy)
            for _ in range(CYCLES):
                time.sleep(0.25)
                paused.append(timed(client, busy))
                time.sleep(CALL_MAX_S)  # The calls end: capacity is free, and the dialer idle.
                idle.append(timed(client, quiet))
                client.resume(quiet)
                seen, sent = rings.stat().st_size, time.time_ns()
                client.resume(busy)
                rang.append((first_ring(rings, seen) - sent) / 1e6)
    finally:
        for process in (dialer, api):
            process.kill9()
    return idle, paused, rang


def timed(client: Client, campaign: int) -> float:
    """Pause; return how long it took, in milliseconds."""
    began = time.perf_counter()
    assert client.pause(campaign) is not None, "the campaign ended too soon"
    return (time.perf_counter() - began) * 1000


def first_ring(rings: Path, seen: int) -> int:
    """Return when the first ring behind `seen` bytes began, Unix ns."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        with rings.open("rb") as lines:
            lines.seek(seen)
            line = lines.readline()
        if line.endswith(b"\n"):
            return int(line.split(b'"began_at_ns":')[1].strip(b" }\n").split(b",")[0])
        time.sleep(0.002)
    raise AssertionError("no ring after a resume")


def measure(servers: str) -> list[Row | Figure]:
    """Run both; return the rows."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        idle, paused, _ = cycles(Path(one), servers, SETUP_MS)
        _, _, rang = cycles(Path(other), servers, 0.0)
    print(f"{len(paused)} pauses in flight, {len(rang)} resumes", file=sys.stderr)
    ours, floor = statistics.median(paused), statistics.median(idle) + SETUP_MS
    ring = statistics.median(rang)
    return [
        Row("pause with calls in flight, median", "ms", ours, floor, "≤ 1", ours <= floor),
        Figure("resume to first ring, median", "ms", ring, "≤ 20", ring <= 20),
    ]


if __name__ == "__main__":
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        parts = "command API and dialer, a process each"
        show("strict", measure(broker.servers), Setup(parts, beside="client, broker"))
    finally:
        broker.stop()
