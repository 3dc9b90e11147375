"""What do 1,000 readers of one campaign's events cost? `dialgate up` on the embedded log.

Facts are made by pauses and resumes, FACTS_S a second, while one client follows the campaign's
server-sent events, and then while READERS do. The lag is from an event's own time to its arrival at
the one reader whose events are looked at; the others' are counted. The floor is one reader.
"""

import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.http_load import Connection, Request
from bench.table import Row, Setup, show
from tests.support.system import KEY, System

READERS, FACTS_S, MEASURED_S = 1_000, 200, 15.0
KNOBS: dict[str, Any] = {  # Any: as System takes them.
    "sockets_max": 1_100, "sockets_per_organization_max": 1_100, "sockets_per_key_max": 1_100,
}  # fmt: skip


class Reader:
    """One connection, and what came on it."""

    def __init__(self) -> None:
        self.events = 0
        self.lags_s: list[float] | None = None  # None: not looked at.

    async def follow(self, port: int, path: str) -> None:
        """Read until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        try:
            while chunk := await reader.read(65_536):
                self.events += chunk.count(b"\ndata: ")
                if self.lags_s is not None:
                    now = datetime.now(UTC)
                    for line in chunk.split(b"\n"):
                        if line.startswith(b"data: ") and line.endswith(b"}}"):
                            at = datetime.fromisoformat(orjson.loads(line[6:])["time"])
                            self.lags_s.append((now - at).total_seconds())
        finally:
            writer.close()


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def facts(port: int, campaign_id: int, until_s: float) -> int:
    """Pause and resume at the chosen rate; return how often."""
    made, began = 0, time.monotonic()
    path = f"/api/v1/campaigns/{campaign_id}"
    moves = [Request.post(f"{path}/{verb}", KEY) for verb in ("pause", "resume")]
    connection = await Connection.to(port)
    while (now := time.monotonic()) < until_s:
        await asyncio.sleep(max(0.0, began + made / FACTS_S - now))
        status, body = await connection.ask(moves[made % 2])
        assert status == 200, body
        made += 1
    connection.close()
    return made


async def measured(system: System, campaign_id: int, many: int) -> tuple[float, float, int]:
    """Return the share of a core that is used, the median lag in seconds, and the facts made."""
    port, process = int(system.queries_url.rpartition(":")[2]), system["up"]
    readers = [Reader() for _ in range(many)]
    path = f"/api/v1/campaigns/{campaign_id}/events?after=now"
    following = [asyncio.create_task(one.follow(port, path)) for one in readers]
    await asyncio.sleep(3 if many > 1 else 1)  # All are connected, and the past is over.
    readers[0].lags_s = []
    used_s, began = cpu_s(process.pid), time.monotonic()
    made = await facts(port, campaign_id, began + MEASURED_S)
    share = (cpu_s(process.pid) - used_s) / (time.monotonic() - began)
    await asyncio.sleep(1)
    assert len({one.events for one in readers}) == 1, "each has each event"
    assert readers[0].events >= made
    for one in following:
        one.cancel()
    return share, statistics.median(readers[0].lags_s), made


async def main() -> None:
    """Measure one reader, then all of them; print the rows."""
    with tempfile.TemporaryDirectory() as folder, System(Path(folder), **KNOBS) as system:
        with system.client() as client:
            # One contact whose call lasts: nothing but pauses and resumes is on record.
            campaign_id = client.create(2, concurrent=1, calls_per_minute=1)
            client.start(campaign_id)
        alone, alone_lag_s, few = await measured(system, campaign_id, 1)
        share, lag_s, made = await measured(system, campaign_id, READERS)
    what = f"{READERS} readers of a campaign's events, {made / MEASURED_S:.0f} facts/s"
    floor = f"floor: one reader, {few / MEASURED_S:.0f} facts/s"
    rows = [
        Row(f"{what}: processor ({floor})", "cores", share, alone),
        Row(f"{what}: lag ({floor})", "ms", lag_s * 1000, alone_lag_s * 1000),
    ]
    show("Feed", rows, Setup("`dialgate up`", "embedded", "client"))


if __name__ == "__main__":
    asyncio.run(main())
