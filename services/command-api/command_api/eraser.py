"""Deletes the keys of whoever the log says is forgotten, if they are still there (ADR-0041).

The verb that records the fact deletes the key itself. What it left undone, because it was killed or
because a backup of keys brought them back, is done here: when the fact is folded, and for all facts
at each start. All instances do this; it is repeatable.
"""

import asyncio
import logging
import sqlite3
from typing import Protocol

from campaigns.domain.facts import AnyFact
from campaigns.log.port import EventLog
from campaigns.personal.erasure import erased_rows
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.process.errors import OperatingError
from campaigns.process.observability import limit_repetitions
from campaigns.stores.erasures import Erasures

AGAIN_S = 10.0  # After a store of keys did not answer, or a master key is missing.

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class ErasingService(Protocol):
    """What the eraser needs of the command API."""

    log: EventLog


class Eraser:
    """Carries out the erasures of one instance's log."""

    def __init__(self, service: ErasingService) -> None:
        """Begin with nothing to do; `open` comes before the first fold."""
        self._service = service
        self._pending = ErasedRows()
        self._woken = asyncio.Event()

    def open(self, connection: sqlite3.Connection) -> None:
        """Take up what the store knows: a backup of keys may have brought somebody back."""
        self._erasures = Erasures(connection)
        for one in self._erasures.all():
            self._pending.add(one)

    def fold(self, fact: AnyFact) -> None:
        """Note whom a fact makes unreadable."""
        for erased in erased_rows(fact):
            self._erasures.add(erased)
            self._pending.add(erased)
            self._woken.set()

    async def run(self) -> None:
        """Delete keys until cancelled. What cannot be deleted now is tried again."""
        while True:
            self._woken.clear()
            try:
                await self.forget_all()
            except OperatingError as exc:
                logger.error("keys of erased contacts are not deleted yet: %s", exc)
                await asyncio.sleep(AGAIN_S)
            else:
                await self._woken.wait()

    async def forget_all(self) -> int:
        """Delete what is noted; return in how many lists something was still readable.

        Raises:
            OperatingError: a key is not deleted yet; what is left stays noted.

        """
        keys = self._service.log.list_keys
        if keys is None or not self._pending.by_key:
            return 0
        pending, self._pending = self._pending, ErasedRows()
        try:
            return len(await forget_again(keys, pending, _tell))
        except BaseException:
            self._pending.merge(pending)
            raise


def _tell(key_id: str) -> None:
    logger.warning(
        "keys of erased contacts were still there, and are deleted", extra={"key_id": key_id}
    )
