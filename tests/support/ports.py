"""Free ports for the processes of tests. No test in here.

A port is asked for before its process binds it, and stays a process's while that is down for a
moment. So pytest's workers draw from shares of their own, and a port comes again only after all
others of its share. They are below the kernel's ephemeral range: nobody's outgoing connection sits
on one.
"""

import os
import random
import socket
from collections.abc import Iterator, Mapping
from itertools import cycle, islice

TRIED_MAX = 200


def share(numbers: range, environment: Mapping[str, str] = os.environ) -> range:
    """Return this worker's ports of them: pytest-xdist says which of how many workers it is."""
    worker = environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return numbers[int(worker) :: int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


class Ports:
    """The ports of a range, each given once before any is given again."""

    def __init__(self, numbers: range) -> None:
        mine = list(share(numbers))
        random.shuffle(mine)  # Another run of the tests may be under way on this machine.
        self._numbers = numbers
        self._turn: Iterator[int] = cycle(mine)

    def free(self) -> int:
        """Return the next one that nobody has bound."""
        for port in islice(self._turn, TRIED_MAX):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise RuntimeError(f"expected a free port among {self._numbers}, found none in {TRIED_MAX}")
