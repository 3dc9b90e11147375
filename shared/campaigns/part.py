"""The interface between a service and the process that runs it: open, run, report, close.

`dialgate` runs one part per process, or all of them in one process (`dialgate up`).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from fastapi import APIRouter

from campaigns.log.reader import Reader


class Part(Protocol):
    """One service: command-api, dialer or projector. Constructed with an open log and a clock."""

    name: str
    reader: Reader

    def routers(self) -> Sequence[APIRouter]:
        """Return its HTTP routes, bound to this instance."""
        ...

    async def open(self) -> None:
        """Restore the checkpoint and open resources. Does not follow the log yet."""
        ...

    async def run(self) -> None:
        """Follow the log and work until cancelled. An exception ends the process."""
        ...

    async def troubles(self) -> Sequence[str]:
        """Return the reasons why it is not ready; empty when it is ready."""
        ...

    async def drain(self) -> None:
        """Start no new work while `run` still runs; finish the rest or leave it recoverable."""
        ...

    async def close(self) -> None:
        """Write the checkpoint and release resources, after `run` has been cancelled."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A part with answers that go on until somebody ends them, such as streams of events."""

    def leave(self) -> None:
        """End them: the server stops, and waits for its answers."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """A part that reports more than whether it is ready."""

    def remarks(self) -> Sequence[str]:
        """Return what an operator should know even though the part is ready."""
        ...
