"""How many commands a second do 1, 2 and 4 command APIs answer, on one broker and this machine?

Each process answers commands to campaigns of its own, and folds those of all. In each round they
are started one after the other, so that each count is measured without idle ones. The floor is the
single process; client, broker and processes share the cores, so on few cores more processes gain
little: the ratio shows what folding the records of the others costs.
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
from bench.table import Row, Setup, show
from tests.support.broker import find_broker

PORTS = (18080, 18082, 18083, 18084)
COUNTS, ROUNDS = (1, 2, 4), 3


async def rate(ports: tuple[int, ...]) -> float:
    """Return commands a second of all processes together."""
    streams = []
    for port in ports:
        connection = await Connection.to(port)
        some = [await running_campaign(connection) for _ in range(CONNECTIONS // len(ports))]
        connection.close()
        streams.append((port, [alternating(campaign) for campaign in some]))
    return sum(await asyncio.gather(*(many_connections(*one) for one in streams)))


async def one_round(servers: str, folder: Path) -> list[float]:
    """Return commands a second for each number of processes."""
    found, started = [], 0
    with ExitStack() as running:
        for count in COUNTS:
            for port in PORTS[started:count]:
                environment = {
                    "DIALGATE_KAFKA_SERVERS": servers,
                    "DIALGATE_API_KEY": KEY,
                    "DIALGATE_DATA_DIR": str(folder / str(port)),
                    "DIALGATE_PORT": str(port),
                }
                running.enter_context(process("-m", "dialgate", "command-api", **environment))
                await served(port)
            started = count
            found.append(await rate(PORTS[:count]))
    return found


async def main() -> None:
    """Start a broker and the processes, measure, print the table."""
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    rounds = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(ROUNDS):
                print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
                rounds.append(await one_round(broker.servers, Path(folder)))
    finally:
        broker.stop()
    one, *more = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    show(
        "processes",
        [
            Row(f"commands a second, {count} command APIs beside 1", "1/s", many, one)
            for count, many in zip(COUNTS[1:], more, strict=True)
        ],
        Setup("command APIs alone", beside="client, broker"),
    )


if __name__ == "__main__":
    asyncio.run(main())
