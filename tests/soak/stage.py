"""One round of a soak: a system under full load, paused and resumed while things go wrong."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.test_faults import refused_late
from tests.soak.strikes import SESSION_S, Strike, draw
from tests.support.auditor import audit
from tests.support.broker import Broker
from tests.support.client import Client
from tests.support.rebuild import same_when_rebuilt
from tests.support.system import Layout, System

CONTACTS, CONCURRENT = 500, 25
AT_ONCE = 3  # Campaigns that call: together more than two cores can do.
PAUSED_AT_ONCE = 2  # … while the third goes on.
RUNS_S, RESTS_S = (0.02, 0.25), (0.0, 0.1)
UNDER_WAY_S = (0.0, 0.04)  # How far a pause or resume has got when the strike comes.
STRUCK = 0.4  # Of cycles: the others show that calls go on, and hurry.
WHEN = ("before the pause", "amid the pause", "while paused", "amid the resume")
ENDS_WITHIN_S = 180.0
CYCLES = "pause/resume cycles"
LATE, TWICE, LOST = "late rings", "contacts rung twice for one attempt", "contacts lost"


@dataclass(frozen=True, slots=True)
class Setting:
    """Which log, which processes."""

    name: str
    layout: Layout
    on_kafka: bool = False
    dialers: int = 1


SETTINGS = (
    Setting("embedded, one process", "up"),
    Setting("embedded, parts", "parts"),
    Setting("Kafka, one process", "up", on_kafka=True),
    Setting("Kafka, parts", "parts", on_kafka=True),
    Setting("Kafka, two dialers", "parts", on_kafka=True, dialers=2),
)


@dataclass
class Tally:
    """What happened and how often, and what should not have."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest_pause_s: float = 0.0
    violations: list[str] = field(default_factory=list)


def resume(client: Client, campaign: int) -> bool:
    """Resume. False: its last calls were in progress when it was paused, and complete it."""
    try:
        client.resume(campaign)
    except AssertionError:
        found = client.progress(campaign)
        if found["pending_contacts"] + found["in_progress_contacts"]:
            raise
        client.wait_for(campaign, "completed")
        return False
    return True


class Stage:
    """One system in one setting, with its client and its campaigns."""

    def __init__(
        self, setting: Setting, folder: Path, broker: Broker | None, dice: random.Random
    ) -> None:
        self.tally = Tally()
        self._dice, self._broker = dice, broker if setting.on_kafka else None
        kafka = self._broker.servers if self._broker else None
        self.system = System(
            folder, setting.layout, kafka=kafka, namespace=f"{folder.name}.", partitions=1,
            session_timeout_s=SESSION_S,
        )  # fmt: skip
        for _ in range(setting.dialers - 1):
            self.system.another("dialer")
        self._campaigns: list[int] = []  # All of them; the last AT_ONCE are called.

    def play(self, until: float) -> None:
        """Pause, resume and strike until a moment of the monotonic clock; then let all end."""
        with (
            self.system,
            self.system.client() as client,
            ThreadPoolExecutor(PAUSED_AT_ONCE) as aside,
        ):
            called = [self._begin(client) for _ in range(AT_ONCE)]
            while time.monotonic() < until:
                self._dice.shuffle(called)
                ended = self._cycle(client, aside, called[:PAUSED_AT_ONCE])
                called = [self._begin(client) if one in ended else one for one in called]
            for campaign in called:
                client.wait_for(campaign, "completed", within_s=ENDS_WITHIN_S)
            self._judge(client)

    def _begin(self, client: Client) -> int:
        campaign = client.create(CONTACTS, concurrent=CONCURRENT)
        client.start(campaign)
        self._campaigns.append(campaign)
        return campaign

    def _cycle(self, client: Client, aside: ThreadPoolExecutor, some: Sequence[int]) -> list[int]:
        """Pause and resume some campaigns; meanwhile something may go wrong. Returns the ended."""
        time.sleep(self._dice.uniform(*RUNS_S))  # The moment itself is what is drawn.
        struck = self._dice.random() < STRUCK
        when = self._dice.choice(WHEN) if struck else None
        strike = draw(self.system, self._broker, self._dice) if struck else None
        began = time.monotonic()
        receipts = self._with(
            strike if when in WHEN[:2] else None,
            when == "before the pause",
            lambda: [aside.submit(client.pause, one) for one in some],
        )
        self.tally.slowest_pause_s = max(self.tally.slowest_pause_s, time.monotonic() - began)
        paused = [one for one, receipt in zip(some, receipts, strict=True) if receipt is not None]
        self._with(strike if when == "while paused" else None, True, list)
        for one in paused:
            if (status := client.status(one)) not in ("paused", "completed"):
                self.tally.violations.append(f"campaign {one}: paused, then {status}")
        time.sleep(self._dice.uniform(*RESTS_S))
        going = self._with(
            strike if when == "amid the resume" else None,
            False,
            lambda: [aside.submit(resume, client, one) for one in paused],
        )
        self.tally.counts[CYCLES] += sum(going)
        resumed = [one for one, goes in zip(paused, going, strict=True) if goes]
        return [one for one in some if one not in resumed]

    def _with(
        self, strike: Strike | None, before: bool, send: Callable[[], list[Future[Any]]]
    ) -> list[Any]:  # Any: what the requests return.
        """Send something, and strike before it or amid it; return the answers."""
        sent = None if before and strike else send()
        if strike is not None:
            if not before:
                time.sleep(self._dice.uniform(*UNDER_WAY_S))
            self.tally.counts[strike.kind] += 1
            strike.begin()
            sent = send() if sent is None else sent
            time.sleep(strike.lasts_s)
            strike.end()
            self._supervise()
        assert sent is not None, "sent before the strike, or amid it"
        return [one.result() for one in sent]

    def _supervise(self) -> None:
        """Restart each process that has exited on its own, and count it as a failure."""
        for process in self.system:
            if process.started and not process.running:
                status, said = process.wait(), process.output()[-2_000:]
                self.tally.violations.append(f"{process.verb} ended with {status}: {said}")
                process.restart()

    def _judge(self, client: Client) -> None:
        report = audit(self.system, client)
        counts, found = self.tally.counts, self.tally.violations
        found += report.violations
        counts["pauses answered 200"] += report.pauses
        counts["rings"] += report.rings
        counts["rings between pauses"] += report.rings_between
        counts[LATE] += report.after_a_pause + report.late
        counts[TWICE] += report.rung_twice
        counts[LOST] += report.lost
        counts["permissions"] += report.permissions
        counts["permissions abandoned"] += report.abandoned
        counts["records refused as decided too late"] += report.refused
        counts["outcomes that the carrier could not say"] += report.unknown
        counts["rings refused as late by the carrier"] += refused_late(self.system)
        counts["requests without an answer, or 503, sent again"] += client.retries
        counts["campaigns completed"] += report.completed
        try:
            rows = same_when_rebuilt(self.system, client, self._campaigns, whole=True)
        except AssertionError as exc:
            found.append(str(exc)[:2_000])
        else:
            counts["rows served = rows rebuilt"] += rows
