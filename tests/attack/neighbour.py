"""The neighbour of an attack: organization 2's running campaign, paused again and again.

    with Neighbour(instance) as neighbour:
        idle_s = neighbour.median_s()              # Beside nothing, in the same run.
        ...                                        # Begin the attack.
        assert neighbour.median_s() < 10 * idle_s
        neighbour.audit()                          # Every pause was true.

Each pause goes over a connection of its own, as a stranger's would: what is measured is from its
connecting to its 200, tries that failed included. No test in here.
"""

import statistics
import time
from types import TracebackType
from typing import Self

from tests.attack.instance import NEIGHBOUR, Instance
from tests.support.auditor import audit
from tests.support.client import Client, handled

CONTACTS = 5_000
CALLS_PER_MINUTE = 300  # Few are on their way at once: what is measured is the door.
RUNS_S = 0.05  # Between a resume and the next pause: calls go on.


class Neighbour:
    """A tenant that only wants its pauses, and notes how long each took."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.client = Client(instance.commands_url, instance.queries_url, NEIGHBOUR)
        self.took_s: list[float] = []

    def __enter__(self) -> Self:
        self.campaign = self.client.create(
            CONTACTS, concurrent=10, calls_per_minute=CALLS_PER_MINUTE
        )
        self.client.start(self.campaign)
        self.client.wait_until(self.campaign, lambda found: handled(found) > 0)
        return self

    def pause(self) -> float:
        """Pause and resume; return how long the pause took, seconds."""
        fresh = Client(self._instance.commands_url, self._instance.queries_url, NEIGHBOUR)
        fresh.pauses = self.client.pauses
        with fresh:
            began = time.monotonic()
            answer = fresh.pause(self.campaign)
            took_s = time.monotonic() - began
            assert answer is not None and answer["status"] == "paused", answer
            self.client.retries += fresh.retries
            fresh.resume(self.campaign)
        self.took_s.append(took_s)
        return took_s

    def median_s(self, pauses: int = 15) -> float:
        """Return the median of this many pauses, seconds."""
        found = []
        for _ in range(pauses):
            time.sleep(RUNS_S)
            found.append(self.pause())
        return statistics.median(found)

    def audit(self) -> None:
        """Assert that no ring began between a pause and its resume, by the carrier's record."""
        assert self.client.pause(self.campaign), "while it is read, nothing rings"
        report = audit(self._instance, self.client, finished=False)
        report.assert_clean(rings=1, pauses=len(self.took_s) + 1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.client.close()
