"""Does a pause get slower while a thousand campaigns are active, beside the same idle?

One `dialgate command-api`, and then one `dialgate up`, on a real broker with a thousand running
campaigns, whose calling hours are hours away. A process of its own sends them 500 commands a second
in turn, so that each save of the store finds some 500 that have changed. Beside it, in turn:
nothing is sent; as much is sent to 16 of them, which shows what is the load's part in it and what
that of many campaigns.
`python -m bench.active 1` measures one turn instead of five.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from time import perf_counter

from bench.http_load import Connection, Request
from bench.pause import KEY, alternating, pauses, process, running_campaign
from bench.table import Row, Setup, show
from bench.up import at, ready, shut_hours
from tests.support.broker import find_broker

PORT = 18080
CAMPAIGNS, A_SECOND, CONNECTIONS, FEW, TURNS = 1_000, 500, 16, 16, 5
SETTLE_S = 2.5  # Two saves of the store.
PARTS = {"command-api": "one command API alone", "up": "`dialgate up`, one process"}


@asynccontextmanager
async def active(campaigns: list[int]) -> AsyncIterator[None]:
    """Keep campaigns active from a process of its own until the block ends."""
    with process("-m", "bench.active", "load", *map(str, campaigns)) as loader:
        await asyncio.sleep(SETTLE_S)
        yield
        assert loader.poll() is None, "nobody kept them active"
    assert loader.stdout is not None, "it is a pipe"
    with loader.stdout as told:
        rates = told.read().split()
    print(f"{len(campaigns)} active: {', '.join(rates)} commands a second", file=sys.stderr)


async def load(campaigns: list[int]) -> None:
    """Send commands to campaigns in turn, A_SECOND in all, for ever; tell each second's number."""
    sent = 0

    async def some(mine: list[int]) -> None:
        nonlocal sent
        connection, began = await Connection.to(PORT), perf_counter()
        for number, stream in enumerate(cycle([alternating(campaign) for campaign in mine]), 1):
            status, answer = await connection.ask(next(stream))
            # 400: an earlier life of this process has ended between a pause and its start.
            assert status in (200, 400), answer
            sent += status == 200
            ahead = began + number * CONNECTIONS / A_SECOND - perf_counter()
            await asyncio.sleep(max(0.0, ahead))

    async def tell() -> None:
        nonlocal sent
        while True:
            await asyncio.sleep(1.0)
            print(sent, flush=True)
            sent = 0

    parts = [campaigns[n::CONNECTIONS] for n in range(CONNECTIONS)]
    await asyncio.gather(tell(), *(some(part) for part in parts))


async def measured(of: str, turns: int) -> list[Row]:
    """Measure in turn; return the worst pauses of all turns together. `of`: what runs."""
    connection = await Connection.to(PORT)
    shut = shut_hours()
    mine: Iterator[Request] = alternating(
        await running_campaign(connection, execution_settings=shut)
    )
    campaigns = [
        await running_campaign(connection, execution_settings=shut) for _ in range(CAMPAIGNS)
    ]
    connection.close()
    idle, few, all_of_them = list[float](), list[float](), list[float]()
    for turn in range(turns):
        print(f"turn {turn + 1} of {turns}", file=sys.stderr)
        idle += await pauses(PORT, mine)
        async with active(campaigns[:FEW]):
            few += await pauses(PORT, mine)
        async with active(campaigns):
            all_of_them += await pauses(PORT, mine)
    p99, beside, alike = (at(ms, 0.99) for ms in (all_of_them, idle, few))
    return [
        Row(
            f"{of}: pause among {CAMPAIGNS:,} active campaigns beside them idle, p99",
            "ms", p99, beside, "≤ 1.5", p99 / beside <= 1.5,
        ),
        Row(f"{of}: the same beside as many commands to {FEW} campaigns, p99", "ms", p99, alike),
    ]  # fmt: skip


async def main() -> None:
    """Start a broker, measure a command API and then all parts, print their tables."""
    if sys.argv[1:2] == ["load"]:
        await load([int(campaign) for campaign in sys.argv[2:]])
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        for verb, parts in PARTS.items():
            with tempfile.TemporaryDirectory() as folder:
                ours = {
                    "DIALGATE_KAFKA_SERVERS": broker.servers, "DIALGATE_API_KEY": KEY,
                    "DIALGATE_DATA_DIR": str(Path(folder)), "DIALGATE_PORT": str(PORT),
                    "DIALGATE_KAFKA_NAMESPACE": f"active-{verb}.",
                }  # fmt: skip
                with process("-m", "dialgate", verb, **ours) as started:
                    await ready(PORT, started)
                    beside = f"client, broker, {A_SECOND} commands a second"
                    show("active", await measured(verb, turns), Setup(parts, beside=beside))
    finally:
        broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
