"""How long does a pause take, and how many commands a second? Beside the bare endpoint.

Alternates pause and start on idle running campaigns (no contacts: no permission is open), as
`dialgate command-api` on a real broker serves them; the floor is floor_app.py on the same broker,
under the same uvicorn. The two are measured in turn, in one run.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import orjson
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.http_load import Connection, Request
from bench.table import Row, Setup, show
from tests.support.broker import find_broker

KEY = "bench-key"
ROUNDS, PAIRS, LOAD_S, CONNECTIONS = 3, 300, 4.0, 64


@asynccontextmanager
async def bare_kafka(servers: str, port: int) -> AsyncIterator[None]:
    """Run the floor on a broker, with a topic of its own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic("floor", 12, 1)])
    await admin.close()
    # Our own loop is asyncio's: uvicorn would take another one that happens to be installed.
    options = ("--port", str(port), "--loop", "asyncio", "--log-level", "error")
    with process("-m", "uvicorn", "bench.floor_app:app", *options, FLOOR_KAFKA=servers):
        await wait_for(port)
        yield


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the block ends."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


async def wait_for(port: int) -> None:
    """Wait until a port answers."""
    for _ in range(200):
        try:
            (await Connection.to(port)).close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise TimeoutError(port)


async def running_campaign(connection: Connection, contacts: int = 1, **more: object) -> int:
    """Create and start a campaign. It makes no call: no dialer runs, or `more` shuts its hours."""
    numbers = [{"phone_number": f"+1555{n:07}"} for n in range(1, contacts + 1)]
    body = orjson.dumps(
        {"name": "b", "assistant_id": 1, "campaign_type": "call", "contacts": numbers, **more}
    )
    status, answer = await connection.ask(Request.post("/api/v1/campaigns", KEY, body))
    assert status == 200, answer
    campaign_id = int(orjson.loads(answer)["id"])
    await connection.timed([Request.post(f"/api/v1/campaigns/{campaign_id}/start", KEY)])
    return campaign_id


def alternating(campaign_id: int) -> Iterator[Request]:
    """Yield pause and start in turn, without end."""
    verbs = cycle(("pause", "start"))
    for verb in verbs:
        yield Request.post(f"/api/v1/campaigns/{campaign_id}/{verb}", KEY)


async def pauses(port: int, requests: Iterator[Request]) -> list[float]:
    """Return what the first of each pair (the pause) took, milliseconds; ten pairs warm up."""
    connection = await Connection.to(port)
    took = await connection.timed(islice(requests, 2 * PAIRS))
    connection.close()
    return took[20::2]


async def one_connection(port: int, requests: Iterator[Request]) -> float:
    """Return the median pause over one connection, milliseconds."""
    return statistics.median(await pauses(port, requests))


async def many_connections(port: int, streams: Sequence[Iterator[Request]]) -> float:
    """Return requests a second, over one connection for each stream."""
    until = perf_counter() + LOAD_S

    async def keep_asking(requests: Iterator[Request]) -> int:
        connection, done = await Connection.to(port), 0
        while perf_counter() < until:
            await connection.timed([next(requests)])
            done += 1
        connection.close()
        return done

    began = perf_counter()
    done = await asyncio.gather(*map(keep_asking, streams))
    return sum(done) / (perf_counter() - began)


async def measure(ours: int, floor: int) -> list[Row]:
    """Measure both in turn; return medians of the rounds."""
    connection = await Connection.to(ours)
    alone = alternating(await running_campaign(connection))  # Its pauses are the even requests.
    campaigns = [await running_campaign(connection) for _ in range(CONNECTIONS)]
    connection.close()
    bare = [cycle([Request.post(f"/{n}/pause", KEY)]) for n in range(CONNECTIONS)]
    mine = [alternating(campaign_id) for campaign_id in campaigns]
    latency: list[tuple[float, float]] = []
    rate: list[tuple[float, float]] = []
    for turn in range(ROUNDS):
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
        latency.append((await one_connection(ours, alone), await one_connection(floor, bare[0])))
        rate.append((await many_connections(ours, mine), await many_connections(floor, bare)))
    a, b = (statistics.median(column) for column in zip(*latency, strict=True))
    c, d = (statistics.median(column) for column in zip(*rate, strict=True))
    return [
        Row("pause, one connection, median", "ms", a, b, "≤ 1.5", a / b <= 1.5),
        Row(f"commands a second, {CONNECTIONS} connections", "1/s", c, d, "≥ 0.7", c / d >= 0.7),
    ]


async def main() -> None:
    """Start a broker and both servers, measure, print the table."""
    broker = find_broker()
    assert broker is not None, "no Kafka broker to be had"
    try:
        await _measured(broker.servers)
    finally:
        broker.stop()


async def _measured(servers: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = {
            "DIALGATE_KAFKA_SERVERS": servers, "DIALGATE_API_KEY": KEY,
            "DIALGATE_DATA_DIR": str(Path(folder) / "data"), "DIALGATE_PORT": "18080",
        }  # fmt: skip
        async with bare_kafka(servers, 18081):
            with process("-m", "dialgate", "command-api", **ours):
                await wait_for(18080)
                show("pause", await measure(18080, 18081), Setup("one command API alone"))


if __name__ == "__main__":
    asyncio.run(main())
