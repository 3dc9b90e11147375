"""How many commands a second do 1, 2 and 4 command APIs answer, on one broker and this machine?

Each process has its own campaigns' commands to answer, and folds everybody's. The floor is the
single process: with as many cores as processes the ratio would show what folding costs.
"""

import asyncio
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.http_load import Connection
from bench.pause import CONNECTIONS, KEY, alternating, many_connections, process, running_campaign
from bench.pause import wait_for as served
from bench.table import Row, show
from tests.broker import find_broker

PORTS = (18080, 18082, 18083, 18084)
COUNTS, ROUNDS = (1, 2, 4), 3


async def rate(ports: tuple[int, ...]) -> float:
    """Return commands a second over all of them together."""
    streams = []
    for port in ports:
        connection = await Connection.to(port)
        some = [await running_campaign(connection) for _ in range(CONNECTIONS // len(ports))]
        connection.close()
        streams.append((port, [alternating(campaign) for campaign in some]))
    return sum(await asyncio.gather(*(many_connections(*one) for one in streams)))


async def measure() -> list[Row]:
    """Measure the counts in turn; return medians of the rounds."""
    found: dict[int, list[float]] = {count: [] for count in COUNTS}
    for turn in range(ROUNDS):
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
        for count in COUNTS:
            found[count].append(await rate(PORTS[:count]))
    one, *more = (statistics.median(found[count]) for count in COUNTS)
    return [
        Row(f"commands a second, {count} command APIs beside 1", "1/s", many, one)
        for count, many in zip(COUNTS[1:], more, strict=True)
    ]


async def main() -> None:
    """Start a broker and the processes, measure, print the table."""
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
            for port in PORTS:
                environment = {
                    "DIALGATE_KAFKA_SERVERS": broker.servers,
                    "DIALGATE_API_KEY": KEY,
                    "DIALGATE_DATA_DIR": str(Path(folder) / str(port)),
                    "DIALGATE_PORT": str(port),
                }
                running.enter_context(process("-m", "dialgate", "command-api", **environment))
                await served(port)
            show("processes", await measure())
    finally:
        broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
