"""What do encrypted contacts cost: a call, a fold, a pause, an import?

Two installations with the same campaigns on embedded logs, one with a master key and one without,
each a command API and a dialer of its own. Both work at the same time, so that whatever else the
machine does meets both alike.
"""

import csv
import io
import os
import sqlite3
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from bench.dialer import KNOBS, done, used
from bench.fold import folded, seconds
from bench.table import Row, Setup, show
from campaigns.records.topics import CAMPAIGN_RECORDS
from tests.support.client import API, Client
from tests.support.system import KEY, Process

ROUNDS, CALLS = 4, 4_000
PAUSES = 100
IMPORTED, FOLDS = 100_000, 20
MASTER_KEY = b64encode(bytes(range(32))).decode()


class Installation:
    """One command API and one dialer, on a log of their own."""

    def __init__(self, folder: Path, master_key: str) -> None:
        folder.mkdir()
        self._rings, self._data = folder / "rings.jsonl", folder / "data"
        chosen = {**KNOBS, "data_dir": self._data, "carrier_log": self._rings}
        environment = {f"DIALGATE_{name.upper()}": str(value) for name, value in chosen.items()}
        environment = {**os.environ, **environment, "DIALGATE_MASTER_KEY": master_key}
        self.api, self._dialer = (
            Process(verb, folder, environment) for verb in ("command-api", "dialer")
        )
        self.called = 0

    def __enter__(self) -> Self:
        self.api.start()
        self._dialer.start()
        self.client = Client(self.api.url, self.api.url, KEY)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.client.close()
        for process in (self._dialer, self.api):
            process.kill9()

    def wait(self, calls: int) -> None:
        """Wait until the carrier has so many rings more."""
        self.called += calls
        done(self._rings, self.called)

    def dialled(self) -> float:
        """Return the dialer's processor time, in seconds."""
        return used(self._dialer.pid)[0]

    def served(self) -> float:
        """Return the command API's processor time, in seconds."""
        return used(self.api.pid)[0]

    def records(self) -> Sequence[Sequence[bytes]]:
        """Return the campaigns' records, by partition."""
        with closing(sqlite3.connect(f"file:{self._data}/log.db?mode=ro", uri=True)) as db:
            rows = db.execute(
                "select number, record from records where topic = ? order by number, position",
                (CAMPAIGN_RECORDS,),
            )
            return [[value for _, value in some] for _, some in groupby(rows, lambda row: row[0])]


def called(both: Sequence[Installation]) -> list[float]:
    """Return how many calls each dialer places a second of processor time."""
    worked = [0.0 for _ in both]
    for _ in range(ROUNDS):
        campaigns = [one.client.create(CALLS, concurrent=1000) for one in both]
        before = [one.dialled() for one in both]
        for one, campaign in zip(both, campaigns, strict=True):
            one.client.start(campaign)
        for one in both:
            one.wait(CALLS)
        for n, one in enumerate(both):
            worked[n] += one.dialled() - before[n]
    return [ROUNDS * CALLS / took for took in worked]


def paused(both: Sequence[Installation]) -> list[float]:
    """Return each one's median of a pause while it calls, in milliseconds."""
    took: list[list[float]] = [[] for _ in both]
    for _ in range(ROUNDS):
        campaigns = [one.client.create(CALLS * 2, concurrent=50) for one in both]
        for one, campaign in zip(both, campaigns, strict=True):
            one.client.start(campaign)
        for turn in range(PAUSES):
            for n, one in list(enumerate(both))[:: 1 if turn % 2 else -1]:
                began = time.perf_counter()
                answer = one.client.command(f"/{campaigns[n]}/pause")
                took[n].append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
                one.client.resume(campaigns[n])
        for one, campaign in zip(both, campaigns, strict=True):
            one.client.command(f"/{campaign}/stop")
    return [statistics.median(times) for times in took]


def imported(both: Sequence[Installation]) -> list[float]:
    """Return the processor seconds of each command API for a long list."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("phone_number", "name", "city"))
    writer.writerows((f"+1555{n:07}", f"Contact {n}", "Bern") for n in range(IMPORTED))
    before, took = [one.served() for one in both], [0.0 for _ in both]
    for one in both:
        campaign = one.client.create(1, calls_per_minute=1)
        answer = httpx.post(
            f"{one.api.url}{API}/{campaign}/import-data", timeout=900,
            files={"file": ("long.csv", text.getvalue().encode(), "text/csv")},
            headers={"Authorization": f"Bearer {KEY}"},
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        give_up_at = time.monotonic() + 300
        while one.client.command(f"/{campaign}/start").status_code != 200:
            assert time.monotonic() < give_up_at, "the import did not end"
            time.sleep(0.2)
    for n, one in enumerate(both):
        took[n] = one.served() - before[n]
    return took


def folds(both: Sequence[Installation]) -> list[float]:
    """Return how many records of each log a fold takes a second."""
    logs = [one.records() for one in both]
    took: list[list[float]] = [[] for _ in both]
    for turn in range(FOLDS):
        for n, log in list(enumerate(logs))[:: 1 if turn % 2 else -1]:
            took[n].append(sum(seconds(lambda raw=raw: folded(raw)) for raw in log))  # type: ignore[misc]
    return [
        sum(map(len, log)) / statistics.median(times) for log, times in zip(logs, took, strict=True)
    ]


def rows(folder: Path) -> list[Row]:
    """Measure both at once."""
    with ExitStack() as stack:
        both = [
            stack.enter_context(Installation(folder / name, key))
            for name, key in (("encrypted", MASTER_KEY), ("plain", ""))
        ]
        calls, records, pauses, lists = called(both), folds(both), paused(both), imported(both)
    return [
        _more("encrypted contacts: calls a second of one core", "1/s", calls, 0.97),
        _more("encrypted contacts: fold, records a second", "1/s", records, 0.97),
        _less("encrypted contacts: pause with calls in flight, median", "ms", pauses, 1.03),
        _less("encrypted contacts: import of 100,000 rows, processor time", "s", lists, 1.3),
    ]


def _more(what: str, unit: str, both: Sequence[float], least: float) -> Row:
    ours, floor = both
    return Row(what, unit, ours, floor, f"≥ {least}", ours / floor >= least)


def _less(what: str, unit: str, both: Sequence[float], most: float) -> Row:
    ours, floor = both
    return Row(what, unit, ours, floor, f"≤ {most}", ours / floor <= most)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        parts = "command API and dialer, a process each, twice: the floor is the same in plain"
        show("encryption", rows(Path(name)), Setup(parts, "embedded", "client, floor"))
