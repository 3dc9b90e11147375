"""What do users run? A pause, and commands a second, in each arrangement of the parts.

The command API alone, all parts as processes of their own, and `dialgate up` on both logs. Only one
arrangement runs at a time, beside the bare floor of its log; the two are measured in turn. The
campaigns are running and idle: their calling hours are hours away. `python -m bench.up 1` measures
one round instead of three.
"""

import asyncio
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from subprocess import Popen

from bench.http_load import Connection, Request
from bench.pause import (
    CONNECTIONS,
    KEY,
    ROUNDS,
    alternating,
    bare_kafka,
    many_connections,
    pauses,
    process,
    running_campaign,
    wait_for,
)
from bench.table import Row, Setup, show
from tests.support.broker import find_broker

KAFKA_FLOOR, ROW_FLOOR = 18081, 18091  # Ports.
PORTS = (18080, 18082, 18083)  # The first is the one that is asked.
READY = Request(b"GET /health/ready HTTP/1.1\r\nHost: bench\r\n\r\n")
READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which parts run, and what is aimed at."""

    name: str
    setup: Setup
    verbs: tuple[str, ...]
    kafka: bool = True
    pause_max: float | None = None  # Of the floor's median. Source: the issue that asked for it.
    rate_min: float | None = None  # Of the floor's commands a second.


ARRANGEMENTS = (
    Arrangement("alone", Setup("one command API alone"), ("command-api",), True, 1.5, 0.7),
    Arrangement(
        "all parts",
        Setup("command API, projector, dialer, a process each"),
        ("command-api", "projector", "dialer"),
    ),
    Arrangement("up on Kafka", Setup("`dialgate up`, one process"), ("up",), True, 2.0, 0.45),
    Arrangement(
        "up, embedded",
        Setup("`dialgate up`, one process", "embedded", "client, floor"),
        ("up",),
        kafka=False,
    ),
)


def shut_hours() -> dict[str, object]:
    """Return execution settings without calls for hours."""
    hours = datetime.now(UTC) + timedelta(hours=6)
    shut = {"start": f"{hours:%H}:00", "end": f"{hours:%H}:30"}
    return {"allowed_hours": shut, "time_zone": "UTC"}


async def ready(port: int, started: Popen[str]) -> None:
    """Wait until a process has folded its log, and works."""
    async with asyncio.timeout(READY_S):
        while True:
            assert started.poll() is None, "it has ended"
            with suppress(OSError):  # It is not listening yet.
                connection = await Connection.to(port)
                status, _ = await connection.ask(READY)
                connection.close()
                if status == 200:
                    return
            await asyncio.sleep(0.1)


async def measured(of: Arrangement, floor: int, rounds: int) -> list[Row]:
    """Measure an arrangement and its floor in turn; all their pauses count, and median rates."""
    connection, shut = await Connection.to(PORTS[0]), shut_hours()
    alone = alternating(await running_campaign(connection, execution_settings=shut))
    campaigns = [
        await running_campaign(connection, execution_settings=shut) for _ in range(CONNECTIONS)
    ]
    connection.close()
    mine = [alternating(campaign) for campaign in campaigns]
    bare = [cycle([Request.post(f"/{n}/pause", KEY)]) for n in range(CONNECTIONS)]
    took: tuple[list[float], list[float]] = [], []
    rates: tuple[list[float], list[float]] = [], []
    for turn in range(rounds):
        print(f"{of.name}: round {turn + 1} of {rounds}", file=sys.stderr)
        took[0].extend(await pauses(PORTS[0], alone))
        took[1].extend(await pauses(floor, bare[0]))
        rates[0].append(await many_connections(PORTS[0], mine))
        rates[1].append(await many_connections(floor, bare))
    return rows(of, took, rates)


def rows(
    of: Arrangement, took: tuple[list[float], list[float]], rates: tuple[list[float], list[float]]
) -> list[Row]:
    """Return the rows of one arrangement: of ours beside the floor's."""
    p50, bare50 = (at(ms, 0.5) for ms in took)
    p99, bare99 = (at(ms, 0.99) for ms in took)
    rate, most = map(statistics.median, rates)
    aims: list[tuple[str, bool | None]] = [("–", None), ("–", None)]
    if of.pause_max is not None:
        aims[0] = f"≤ {of.pause_max}", p50 / bare50 <= of.pause_max
    if of.rate_min is not None:
        aims[1] = f"≥ {of.rate_min}", rate / most >= of.rate_min
    return [
        Row(f"{of.name}: pause, p50", "ms", p50, bare50, *aims[0]),
        Row(f"{of.name}: pause, p99", "ms", p99, bare99),
        Row(f"{of.name}: commands, {CONNECTIONS} connections", "1/s", rate, most, *aims[1]),
    ]


def at(milliseconds: list[float], share: float) -> float:
    """Return what this share of the pauses did not exceed."""
    return sorted(milliseconds)[max(0, round(share * len(milliseconds)) - 1)]


async def run(of: Arrangement, folder: Path, servers: str, rounds: int) -> None:
    """Start an arrangement and its floor, measure, print its rows, end both."""
    base = {"DIALGATE_API_KEY": KEY, "DIALGATE_DATA_DIR": str(folder / "data")}
    async with AsyncExitStack() as running:
        if of.kafka:
            base |= {
                "DIALGATE_KAFKA_SERVERS": servers,
                "DIALGATE_KAFKA_NAMESPACE": f"{of.name.replace(' ', '-')}.",
            }
            await running.enter_async_context(bare_kafka(servers, KAFKA_FLOOR))
        else:
            command = ("-m", "uvicorn", "bench.floor_row_app:app", "--port", str(ROW_FLOOR))
            bare = process(*command, "--log-level", "error", FLOOR_FILE=str(folder / "floor.db"))
            running.enter_context(bare)
            await wait_for(ROW_FLOOR)
        for verb, port in zip(of.verbs, PORTS, strict=False):
            mine = process("-m", "dialgate", verb, **base, DIALGATE_PORT=str(port))
            await ready(port, running.enter_context(mine))
        floor = KAFKA_FLOOR if of.kafka else ROW_FLOOR
        show(of.name, await measured(of, floor, rounds), of.setup)


async def main() -> None:
    """Start a broker, measure each arrangement, print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        for of in ARRANGEMENTS:
            with tempfile.TemporaryDirectory() as folder:
                await run(of, Path(folder), broker.servers, rounds)
    finally:
        broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
