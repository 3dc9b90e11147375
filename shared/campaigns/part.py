"""What every service is to the process that runs it: opened, run, asked how it is, closed.

`dialgate` composes parts: one a process, or all in one (`dialgate up`).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from fastapi import APIRouter

from campaigns.log.reader import Reader


class Part(Protocol):
    """One service: command-api, dialer or projector. Made with an open log and a clock."""

    name: str
    reader: Reader

    def routers(self) -> Sequence[APIRouter]:
        """Return its HTTP routes, bound to this instance."""
        ...

    async def open(self) -> None:
        """Restore the checkpoint; open what it needs. Follows nothing yet."""
        ...

    async def run(self) -> None:
        """Follow, and work, until cancelled. What it raises ends the process."""
        ...

    async def troubles(self) -> Sequence[str]:
        """Return why it is not ready; nothing when it is."""
        ...

    async def drain(self) -> None:
        """Stop beginning things, while `run` still runs: finish them or leave them recoverable."""
        ...

    async def close(self) -> None:
        """Write the checkpoint and let go, once `run` has been cancelled."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """A part that has more to say than whether it is ready."""

    def remarks(self) -> Sequence[str]:
        """Return what an operator should know although it is ready."""
        ...
