"""Does a pause slow down with a million contacts, with 10,000 campaigns, or during an import?

Two `dialgate command-api` on one broker, each on topics of its own: one stays small (one campaign,
10 contacts), the other grows. The idle pause of bench/pause.py is measured on both in turn, a few
at a time, over one connection each. The floor of each row is the small one's pause meanwhile.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from bench.http_load import Connection, Request
from bench.pause import KEY, alternating, process, running_campaign, wait_for
from bench.table import Row, Setup, show
from tests.support.broker import find_broker

SMALL, LARGE = 18080, 18082  # Ports.
PAIRS, TURN, CAMPAIGNS, CONTACTS, IMPORTED = 400, 10, 10_000, 1_000_000, 100_000
WARM = 40  # Pairs that are not counted.
API = "/api/v1/campaigns"


@dataclass
class Both:
    """The pauses of both servers, side by side."""

    small: list[float]
    large: list[float]

    def row(self, what: str, target: float | None) -> Row:
        """Return a row of medians."""
        ours, floor = statistics.median(self.large), statistics.median(self.small)
        if target is None:
            return Row(what, "ms", ours, floor)
        return Row(what, "ms", ours, floor, f"≤ {target}", ours / floor <= target)

    def worst(self, share: float) -> float:
        """Return this percentile of the large server's pauses, milliseconds."""
        return sorted(self.large)[int(share * len(self.large)) - 1]


async def turns(small: Iterator[Request], large: Iterator[Request]) -> AsyncGenerator[Both]:
    """Yield a few pauses of each, without end; the starts between them are not counted."""
    ends = await Connection.to(SMALL), await Connection.to(LARGE)
    try:
        while True:
            some = [
                (await end.timed([next(requests) for _ in range(2 * TURN)]))[::2]
                for end, requests in zip(ends, (small, large), strict=True)
            ]
            yield Both(*some)
    finally:
        for end in ends:
            end.close()


async def compared(small: Iterator[Request], large: Iterator[Request]) -> Both:
    """Return PAIRS pauses of each."""
    found, warm = Both([], []), WARM
    async with aclosing(turns(small, large)) as each:
        async for both in each:
            if warm > 0:
                warm -= TURN
                continue
            found.small += both.small
            found.large += both.large
            if len(found.large) >= PAIRS:
                break
    return found


async def import_rows(client: httpx.AsyncClient, campaign: int, rows: int) -> None:
    """Import a list, and wait until it counts; before that a start is refused."""
    csv = b"phone_number,name\n" + b"".join(b"+1555%07d,Contact %d\n" % (n, n) for n in range(rows))
    answer = await client.post(f"{API}/{campaign}/import-data", files={"file": ("a.csv", csv)})
    assert answer.status_code in {200, 202}, answer.text
    while (await client.post(f"{API}/{campaign}/start")).status_code != 200:
        await asyncio.sleep(0.3)


async def create_many(count: int) -> None:
    """Create campaigns over a few connections."""
    body = orjson.dumps({"name": "n", "assistant_id": 1, "campaign_type": "call"})

    async def some(number: int) -> None:
        connection = await Connection.to(LARGE)
        await connection.timed([Request.post(API, KEY, body)] * number)
        connection.close()

    await asyncio.gather(*(some(count // 16) for _ in range(16)))


async def campaign_on(port: int, contacts: int = 10) -> int:
    """Create a running campaign."""
    connection = await Connection.to(port)
    campaign = await running_campaign(connection, contacts)
    connection.close()
    return campaign


async def measure(scale: float) -> list[Row]:
    """Grow one server step by step, beside the other; return a row for each step."""
    small = alternating(await campaign_on(SMALL))
    one, big, other = [await campaign_on(LARGE) for _ in range(3)]
    large, rows, headers = alternating(one), [], {"Authorization": f"Bearer {KEY}"}
    base = f"http://127.0.0.1:{LARGE}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=900) as client:
        for campaign in (big, other):  # Lists are imported into paused campaigns.
            await client.post(f"{API}/{campaign}/pause")
        say("equal", await compared(small, large))
        count = int(IMPORTED * scale)
        during = await while_importing(client, other, count, small, large)
        rows.append(during.row(f"pause while {count:,} rows come in, median", None))
        say(f"importing {count:,}", during)
        count = int(CAMPAIGNS * scale)
        await create_many(count)
        rows.append(
            (await compared(small, large)).row(f"pause among {count:,} campaigns, median", 1.1)
        )
        count = int(CONTACTS * scale)
        await import_rows(client, big, count)
        of_big = await compared(small, alternating(big))
        rows.append(of_big.row(f"pause of {count:,} contacts, median", 1.1))
        say(f"{count:,} contacts", of_big)
    return rows


async def while_importing(
    client: httpx.AsyncClient,
    campaign: int,
    rows: int,
    small: Iterator[Request],
    large: Iterator[Request],
) -> Both:
    """Return the pauses of both during an import into the large one."""
    importing, found = asyncio.create_task(import_rows(client, campaign, rows)), Both([], [])
    async with aclosing(turns(small, large)) as each:
        async for both in each:
            if importing.done() and found.large:
                break
            found.small += both.small
            found.large += both.large
    await importing
    return found


def say(what: str, both: Both) -> None:
    """Print details that the table leaves out."""
    ours, floor = statistics.median(both.large), statistics.median(both.small)
    print(
        f"{what}: {ours:.2f} ms beside {floor:.2f} ms, 95 of 100 within {both.worst(0.95):.2f} ms,"
        f" at most {max(both.large):.2f} ms, {len(both.large)} pauses",
        file=sys.stderr,
    )


async def main() -> None:
    """Start a broker and both command APIs, measure, print the table."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
            for port in (SMALL, LARGE):
                environment = {
                    "DIALGATE_KAFKA_SERVERS": broker.servers,
                    "DIALGATE_KAFKA_NAMESPACE": f"bench{port}.",
                    "DIALGATE_API_KEY": KEY,
                    "DIALGATE_DATA_DIR": str(Path(folder) / str(port)),
                    "DIALGATE_PORT": str(port),
                }
                running.enter_context(process("-m", "dialgate", "command-api", **environment))
                await wait_for(port)
            show("sizes", await measure(scale), Setup("one command API alone"))
    finally:
        broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
