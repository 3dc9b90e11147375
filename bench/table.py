"""What a benchmark prints: what ran, our number beside the floor's of the same run, their ratio."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.support.broker import IMAGE


@dataclass(frozen=True, slots=True)
class Setup:
    """What ran while a row was measured."""

    parts: str  # Which parts, and in how many processes.
    log: str = "Kafka"
    beside: str = "client, broker, floor"  # What shared the cores with it. "": nothing.

    def markdown(self) -> str:
        """Return it as the cells of a row."""
        cores = len(os.sched_getaffinity(0))
        return f"{self.parts} | {self.log} | {f'{cores}, with {self.beside}' if self.beside else 1}"


IN_MEMORY = "none: from memory"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    what: str
    unit: str
    ours: float
    floor: float
    target: str = "–"  # Of the ratio ours / floor.
    met: bool | None = None  # None: it has no target.

    def markdown(self, setup: Setup) -> str:
        """Return it as a row of a Markdown table."""
        return (
            f"| {self.what} | {setup.markdown()}"
            f" | {self.ours:.2f} {self.unit} | {self.floor:.2f} {self.unit}"
            f" | {self.ours / self.floor:.2f} | {self.target} | {_VERDICTS[self.met]} |"
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with a target of its own, and no floor."""

    what: str
    unit: str
    ours: float
    target: str = "–"
    met: bool | None = None

    def markdown(self, setup: Setup) -> str:
        """Return it as a row of a Markdown table."""
        return (
            f"| {self.what} | {setup.markdown()} | {self.ours:.2f} {self.unit} | – | – "
            f"| {self.target} | {_VERDICTS[self.met]} |"
        )


_VERDICTS = {True: "met", False: "**missed**", None: ""}
HEAD = (
    "| what | parts | log | cores | ours | floor | ratio | target | |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def machine() -> str:
    """Return the machine that it was measured on."""
    kafka = os.environ.get("DIALGATE_KAFKA_SERVERS") and "of unknown version"
    return (
        f"{os.cpu_count()} cores{_processor()}, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, aiokafka {version('aiokafka')},"
        f" FastAPI {version('fastapi')}, SQLite {sqlite3.sqlite_version},"
        f" Kafka {kafka or IMAGE.partition(':')[2]}"
    )


def _processor() -> str:
    """Return the processor's name, where the system has it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((f" of {name}" for name in named), "")


def show(name: str, rows: Sequence[Row | Figure], setup: Setup) -> None:
    """Print a table of rows that were measured in one setup."""
    print(f"\n{name}: {machine()}\n\n{HEAD}")
    for row in rows:
        print(row.markdown(setup))
