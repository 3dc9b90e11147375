"""Deletes the keys of whoever the log says is forgotten, if they are still there (ADR-0041).

The verb that records the fact deletes the key itself. What it left undone, because it was killed or
because a backup of keys brought them back, is done here: when the fact is folded, and for all facts
at each start. All instances do this; it is repeatable.
"""

import asyncio
import logging
import sqlite3
from collections import defaultdict
from typing import Protocol

from campaigns.domain.facts import AnyFact
from campaigns.log.port import EventLog
from campaigns.personal.erasure import erased_rows, rows_to_forget
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
        self._pending: defaultdict[str, set[int]] = defaultdict(set)  # Rows by the list's key.
        self._woken = asyncio.Event()

    def open(self, connection: sqlite3.Connection) -> None:
        """Take up what the store knows: a backup of keys may have brought somebody back."""
        self._erasures = Erasures(connection)
        for key_id, row in self._erasures.all():
            self._pending[key_id].add(row)

    def fold(self, fact: AnyFact) -> None:
        """Note whom a fact makes unreadable."""
        for erased in erased_rows(fact):
            self._erasures.add(erased)
            self._pending[erased.key_id].add(erased.row)
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
        found, keys = 0, self._service.log.list_keys
        if keys is None or not self._pending:
            return found
        await keys.store.refresh()
        while self._pending:
            key_id = next(iter(self._pending))
            rows = self._pending.pop(key_id)
            try:
                still = await keys.forget(key_id, rows_to_forget(rows))
            except BaseException:
                self._pending[key_id] |= rows
                raise
            if still:
                found += 1
                logger.warning(
                    "keys of erased contacts were still there, and are deleted",
                    extra={"key_id": key_id, "contacts": len(rows)},
                )
        return found
