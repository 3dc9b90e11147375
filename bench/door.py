"""What do the bounds at the door (ADR-0020) cost an accepted request?

The same command API twice, each on an embedded log of its own: behind our door, and as uvicorn
serves it by itself. They are measured in short turns, so that other load on the machine affects
both; the medians of the turns are compared.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.http_load import Connection, Request
from bench.pause import (
    KEY,
    alternating,
    many_connections,
    one_connection,
    process,
    running_campaign,
    wait_for,
)
from bench.table import Row, Setup, show

OURS, FLOOR = 18080, 18081
TURNS, CONNECTIONS = 12, 16
DEARER_MAX = 1.03  # Source: the issue that asked for the door.


async def measured(port: int) -> "Served":
    """Return a server with campaigns to pause."""
    await wait_for(port)
    connection = await Connection.to(port)
    alone = alternating(await running_campaign(connection))
    others = [alternating(await running_campaign(connection)) for _ in range(CONNECTIONS)]
    connection.close()
    return Served(port, alone, others)


class Served:
    """One of the two servers, and its measurements."""

    def __init__(
        self, port: int, alone: Iterator[Request], others: Sequence[Iterator[Request]]
    ) -> None:
        self._port, self._alone, self._others = port, alone, others
        self.pauses_ms: list[float] = []
        self.rates: list[float] = []

    async def turn(self) -> None:
        """Measure one round."""
        self.pauses_ms.append(await one_connection(self._port, self._alone))
        self.rates.append(await many_connections(self._port, self._others))


async def main() -> None:
    """Start both, measure in turn, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        base = {"DIALGATE_API_KEY": KEY}
        ours = {"DIALGATE_DATA_DIR": str(Path(folder) / "a"), "DIALGATE_PORT": str(OURS)}
        floor = {"DIALGATE_DATA_DIR": str(Path(folder) / "b"), "DIALGATE_PORT": str(FLOOR)}
        with (
            process("-m", "dialgate", "command-api", **base, **ours),
            process("-m", "bench.unbounded", "command-api", **base, **floor),
        ):
            both = [await measured(port) for port in (OURS, FLOOR)]
            for turn in range(TURNS):
                print(f"turn {turn + 1} of {TURNS}", file=sys.stderr)
                for one in both if turn % 2 else reversed(both):
                    await one.turn()
    pause, bare = (statistics.median(one.pauses_ms) for one in both)
    rate, most = (statistics.median(one.rates) for one in both)
    dearer, slower = pause / bare, rate / most
    show(
        "door",
        [
            Row("pause behind the door, median", "ms", pause, bare, "≤ 1.03", dearer <= DEARER_MAX),
            Row("commands behind the door", "1/s", rate, most, "≥ 0.97", slower >= 0.97),
        ],
        Setup("one command API alone", "embedded", "client, floor"),
    )


if __name__ == "__main__":
    asyncio.run(main())
