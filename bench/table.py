"""What a benchmark prints: ours beside the floor of the same run, as a ratio."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    what: str
    unit: str
    ours: float
    floor: float
    target: str = "–"  # Of the ratio ours / floor.
    met: bool | None = None  # None: nothing was aimed at.

    def markdown(self) -> str:
        """Return it as a row of a Markdown table."""
        return (
            f"| {self.what} | {self.ours:.2f} {self.unit} | {self.floor:.2f} {self.unit}"
            f" | {self.ours / self.floor:.2f} | {self.target} | {_VERDICTS[self.met]} |"
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that has a target of its own, and no floor."""

    what: str
    unit: str
    ours: float
    target: str = "–"
    met: bool | None = None

    def markdown(self) -> str:
        """Return it as a row of a Markdown table."""
        return (
            f"| {self.what} | {self.ours:.2f} {self.unit} | – | – "
            f"| {self.target} | {_VERDICTS[self.met]} |"
        )


_VERDICTS = {True: "met", False: "**missed**", None: ""}
HEAD = "| what | ours | floor | ratio | target | |\n| --- | --- | --- | --- | --- | --- |"


def machine() -> str:
    """Return what it was measured on."""
    cores = os.cpu_count()
    return (
        f"{cores} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, aiokafka {version('aiokafka')},"
        f" FastAPI {version('fastapi')}"
    )


def show(name: str, rows: Sequence[Row | Figure]) -> None:
    """Print a table on stdout."""
    print(f"\n{name}: {machine()}\n\n{HEAD}")
    for row in rows:
        print(row.markdown())
