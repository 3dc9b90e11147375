"""What do 1,000 readers of one campaign's events cost? `dialgate up` on the embedded log.

The facts are those of calls: a campaign's pace makes CALLS_S of them begin a second, and each is
asked for, rings and ends. One client follows the campaign's server-sent events, and then READERS
do, in PROCESSES processes, so that it is the server that is measured. The lag is from an event's
own time to its arrival at the one reader whose events are looked at; the others' are counted. The
floor is one reader.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import orjson

from bench.answers import answer_of
from bench.table import Row, Setup, show
from tests.support.client import Client
from tests.support.system import KEY, System

HOST = "127.0.0.1"
READERS, PROCESSES, CALLS_S, MEASURED_S = 1_000, 2, 67, 15.0
FACTS_S = 3 * CALLS_S
CONTACTS = int(CALLS_S * (MEASURED_S + 45))  # Connecting takes a while on two busy cores.
KNOBS: dict[str, Any] = {  # Any: as System takes them.
    "sockets_max": 1_100, "sockets_per_organization_max": 1_100, "sockets_per_key_max": 1_100,
}  # fmt: skip


class Reader(asyncio.Protocol):
    """One connection, and what came on it."""

    def __init__(self, path: str, looked_at: bool) -> None:
        self.path, self.looked_at = path, looked_at
        self.begun, self.events, self.lags_s = False, 0, list[float]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count the events."""
        self.begun = True
        self.events += data.count(b"\ndata: ")
        if self.looked_at:
            now = datetime.now(UTC)
            for line in data.split(b"\n"):
                if line.startswith(b"data: ") and line.endswith(b"}}"):
                    at = datetime.fromisoformat(orjson.loads(line[6:])["time"])
                    self.lags_s.append((now - at).total_seconds())


def follow(told: Pipe, port: int, path: str, many: int, looks: bool) -> None:
    """Follow with so many readers: say when all of them do, and at the end what came meanwhile."""

    async def asked() -> None:
        while not told.poll():
            await asyncio.sleep(0.02)
        told.recv()

    async def serve() -> None:
        readers = [Reader(path, looks and not n) for n in range(many)]
        for reader in readers:
            await asyncio.get_running_loop().create_connection(partial(_same, reader), HOST, port)
        while not all(reader.begun for reader in readers):
            await asyncio.sleep(0.02)
        told.send(None)
        await asked()  # The measurement begins.
        before = [reader.events for reader in readers]
        for reader in readers:
            reader.lags_s.clear()
        await asked()  # It ends.
        lags_s = list(readers[0].lags_s)
        told.send(([one.events - was for one, was in zip(readers, before, strict=True)], lags_s))

    asyncio.run(serve())


def _same(reader: Reader) -> Reader:
    return reader


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measured(system: System, client: Client, many: int) -> tuple[float, float, float]:
    """Return the share of a core that is used, the median lag in seconds, and facts a second."""
    port, process = int(system.queries_url.rpartition(":")[2]), system["up"]
    campaign_id = client.create(CONTACTS, concurrent=100, calls_per_minute=60 * CALLS_S)
    path = f"/api/v1/campaigns/{campaign_id}/events?after=now"
    spawn = multiprocessing.get_context("spawn")
    shares = [len(range(n, many, PROCESSES)) for n in range(min(many, PROCESSES))]
    pipes = list[Pipe]()
    for n, share in enumerate(shares):
        ours, theirs = spawn.Pipe()
        pipes.append(ours)
        spawn.Process(target=follow, args=(theirs, port, path, share, n == 0), daemon=True).start()
    for pipe in pipes:
        answer_of(pipe)
    client.start(campaign_id)
    time.sleep(3)  # The first burst is over.
    for pipe in pipes:
        pipe.send(None)
    used_s, began = cpu_s(process.pid), time.monotonic()
    time.sleep(MEASURED_S)
    for pipe in pipes:
        pipe.send(None)
    took_s = time.monotonic() - began
    share_of_core = (cpu_s(process.pid) - used_s) / took_s
    answers: list[tuple[list[int], list[float]]] = [answer_of(pipe) for pipe in pipes]
    counts = [count for events, _ in answers for count in events]
    assert min(counts) > 0.9 * max(counts), "each is given the events as they come"
    client.pause(campaign_id)
    return share_of_core, statistics.median(answers[0][1]), max(counts) / took_s


def main() -> None:
    """Measure one reader, then all of them; print the rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        System(Path(folder), **KNOBS) as system,
        system.client() as client,
    ):
        alone, alone_lag_s, few = measured(system, client, 1)
        share, lag_s, facts_s = measured(system, client, READERS)
    what = f"{READERS} readers of a campaign's events, {facts_s:.0f} of {FACTS_S} facts/s"
    floor = f"floor: one reader, {few:.0f} facts/s"
    rows = [
        Row(f"{what}: processor ({floor})", "cores", share, alone),
        Row(f"{what}: lag ({floor})", "ms", lag_s * 1000, alone_lag_s * 1000),
    ]
    show("Feed", rows, Setup("`dialgate up`", "embedded", "client"))


if __name__ == "__main__":
    main()
