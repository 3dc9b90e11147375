"""How many events does one webhook deliver a second? `dialgate up` on the embedded log.

Some campaigns' history, which ran at the same time, is delivered from the log's beginning to a
receiver in a process of its own.
The floor is a bare client: the same bodies, unsigned and unrecorded, posted to the same receiver on
as many connections.
"""

import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from bench.answers import answer_of
from bench.http_load import Connection, Request
from bench.table import Row, Setup, show
from projector.deliveries.recipient import LANES
from tests.support.receiver import receiving
from tests.support.system import System

CAMPAIGNS, CONTACTS = 8, 150
WITHIN_S = 120.0


def receive(told: Pipe) -> None:
    """Receive for ever: say the port, then, each time it is asked, what came since."""

    async def serve() -> None:
        async with receiving() as receiver:
            told.send(receiver.port)
            while True:
                await asyncio.sleep(0.02)
                if told.poll():
                    told.recv()
                    told.send([one.body for one in receiver.requests])
                    receiver.requests.clear()

    asyncio.run(serve())


def received(told: Pipe) -> list[bytes]:
    """Return the bodies that came since the last look."""
    told.send(None)
    bodies: list[bytes] = answer_of(told)
    return bodies


async def bare(port: int, bodies: list[bytes]) -> float:
    """Post the bodies as fast as a client can; return how many a second."""
    connections = [await Connection.to(port) for _ in range(LANES)]
    requests = [Request.post("/hook", "", body) for body in bodies]
    began = time.perf_counter()
    await asyncio.gather(*(one.timed(requests[n::LANES]) for n, one in enumerate(connections)))
    rate = len(bodies) / (time.perf_counter() - began)
    for one in connections:
        one.close()
    return rate


def delivered(system: System, told: Pipe, port: int) -> tuple[list[bytes], float]:
    """Let a webhook deliver all that is on record; return the bodies, and how many a second."""
    with system.client() as client:
        campaigns = [client.create(CONTACTS, concurrent=40) for _ in range(CAMPAIGNS)]
        for campaign_id in campaigns:
            client.start(campaign_id)
        for campaign_id in campaigns:
            client.wait_for(campaign_id, "completed")
        events = f"{system.queries_url}/api/v1/events"
        first = client.once("GET", events, params={"limit": 1}).json()["next"]
        hook = {"url": f"http://127.0.0.1:{port}/hook", "after": first}
        answer = client.once("POST", f"{system.commands_url}/api/v1/webhooks", json=hook)
        assert answer.is_success, answer.text
        bodies, began, last = list[bytes](), time.perf_counter(), 0.0
        wanted = CAMPAIGNS * (3 * CONTACTS + 2)  # Asked, rung, ended; created, completed, …
        while time.perf_counter() - began < WITHIN_S:
            if found := received(told):
                bodies += found
                last = time.perf_counter() - began
            elif len(bodies) >= wanted:
                return bodies, len(bodies) / last
            time.sleep(0.2)
    raise TimeoutError(f"expected {wanted} events within {WITHIN_S} s, received {len(bodies)}")


def main() -> None:
    """Measure both, and print the row."""
    told, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.get_context("spawn").Process(
        target=receive, args=(theirs,), daemon=True
    )
    receiver.start()
    port: int = answer_of(told)
    with (
        tempfile.TemporaryDirectory() as folder,
        System(Path(folder), webhook_private="true") as system,
    ):
        bodies, ours = delivered(system, told, port)
    floor = asyncio.run(bare(port, bodies))
    assert len(received(told)) == len(bodies)
    receiver.terminate()
    what = (
        f"webhook: {len(bodies):,} events delivered on {LANES} connections (floor: a bare client)"
    )
    show("Webhooks", [Row(what, "/s", ours, floor)], Setup("`dialgate up`", "embedded", "receiver"))


if __name__ == "__main__":
    main()
