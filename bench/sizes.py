"""Does a pause get slower with a million contacts, with 10,000 campaigns, or while a list comes in?

`dialgate command-api` on a real broker: the idle pause of bench/pause.py, measured on a small
system, then again as it has grown. The floor of each row is the small system's pause.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson

from bench.http_load import Connection, Request
from bench.pause import KEY, alternating, process, running_campaign, wait_for
from bench.table import Row, show
from tests.broker import find_broker

PORT, PAIRS, CAMPAIGNS, CONTACTS, IMPORTED = 18080, 400, 10_000, 1_000_000, 100_000
API = "/api/v1/campaigns"


async def median_ms(requests: Iterator[Request]) -> float:
    """Return the median of the pauses, milliseconds."""
    connection = await Connection.to(PORT)
    took = await connection.timed([next(requests) for _ in range(2 * PAIRS)])
    connection.close()
    return statistics.median(took[20::2])


async def import_rows(client: httpx.AsyncClient, campaign: int, rows: int) -> None:
    """Import a list, and wait until it counts: until then a start is refused."""
    csv = b"phone_number,name\n" + b"".join(b"+1555%07d,Contact %d\n" % (n, n) for n in range(rows))
    answer = await client.post(f"{API}/{campaign}/import-data", files={"file": ("a.csv", csv)})
    assert answer.status_code in {200, 202}, answer.text
    while (await client.post(f"{API}/{campaign}/start")).status_code != 200:
        await asyncio.sleep(0.3)


async def create_many(count: int) -> None:
    """Create campaigns over a few connections."""
    body = orjson.dumps({"name": "n", "assistant_id": 1, "campaign_type": "call"})

    async def some(number: int) -> None:
        connection = await Connection.to(PORT)
        await connection.timed([Request.post(API, KEY, body)] * number)
        connection.close()

    await asyncio.gather(*(some(count // 16) for _ in range(16)))


async def measure(scale: float) -> list[Row]:
    """Grow the system step by step; return a row for each."""
    connection = await Connection.to(PORT)
    small = alternating(await running_campaign(connection))
    big, other = await running_campaign(connection), await running_campaign(connection)
    connection.close()
    base = f"http://127.0.0.1:{PORT}"
    grown: list[tuple[str, float]] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=900) as client:
        await client.post(f"{API}/{big}/pause")
        await client.post(f"{API}/{other}/pause")
        await median_ms(small)  # Warm.
        floor = await median_ms(small)
        print(f"small: {floor:.2f} ms", file=sys.stderr)
        importing = asyncio.create_task(import_rows(client, other, int(IMPORTED * scale)))
        during = []
        while not importing.done():
            during.append(await median_of_few(small))
        await importing
        busy = f"pause while {int(IMPORTED * scale):,} rows come in, median"
        await create_many(int(CAMPAIGNS * scale))
        grown.append((f"among {int(CAMPAIGNS * scale):,} campaigns", await median_ms(small)))
        await import_rows(client, big, int(CONTACTS * scale))
        grown.append((f"of {int(CONTACTS * scale):,} contacts", await median_ms(alternating(big))))
    return [Row(busy, "ms", statistics.median(during), floor)] + [
        Row(f"pause {what}, median", "ms", ours, floor, "≤ 1.1", ours / floor <= 1.1)
        for what, ours in grown
    ]


async def median_of_few(requests: Iterator[Request]) -> float:
    """Return the median of a few pauses, milliseconds."""
    connection = await Connection.to(PORT)
    took = await connection.timed([next(requests) for _ in range(20)])
    connection.close()
    return statistics.median(took[::2])


async def main() -> None:
    """Start a broker and the command API, measure, print the table."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                "DIALGATE_KAFKA_SERVERS": broker.servers,
                "DIALGATE_API_KEY": KEY,
                "DIALGATE_DATA_DIR": str(Path(folder) / "data"),
                "DIALGATE_PORT": str(PORT),
            }
            with process("-m", "dialgate", "command-api", **environment):
                await wait_for(PORT)
                show("sizes", await measure(scale))
    finally:
        broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
