"""Whether a log is at home where a process has opened it (ADR-0040)."""

import asyncio

from campaigns.log.port import EventLog
from campaigns.process.errors import ReadOnlyError
from campaigns.records.home import elsewhere, read_only
from campaigns.records.installation import Installation


class Residence:
    """What one reader knows of it. A log that has no home yet counts as at home."""

    def __init__(self) -> None:
        self.read_only: str | None = None  # Why it only answers queries. None: it is at home.
        self._moves = asyncio.Event()  # Another one after each move.

    def settle(self, installation: Installation, log: EventLog) -> None:
        """Take note of the home that was chosen last."""
        home = elsewhere(installation, log.place)
        self.read_only = None if home is None else read_only(home)
        moves, self._moves = self._moves, asyncio.Event()
        moves.set()

    def refuse_copy(self) -> None:
        """Take no change of a copy.

        Raises:
            ReadOnlyError: the log is not at home here; nothing was recorded.

        """
        if self.read_only is not None:
            raise ReadOnlyError(self.read_only)

    async def moved(self) -> None:
        """Wait until another home is chosen: `read_only` may have changed."""
        await self._moves.wait()

    async def at_home(self) -> None:
        """Wait until the log is at home here. Whatever leaves the system waits for it."""
        while self.read_only is not None:
            await self.moved()
