"""Deletes the keys of whoever the log says is forgotten, if they are still there (ADR-0041).

For retention this is how keys are deleted; `dialgate erase` deletes them itself, and what it left
undone is done here. So it is when a fact is folded, and for all facts at each start: a backup of
keys may have brought somebody back, which is warned of. All instances do this; it is repeatable.
The key of a list that will never count is deleted too, without a warning: nobody is in it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, Protocol

from campaigns.domain.facts import AnyFact, CampaignErased, ContactErased
from campaigns.log.port import EventLog
from campaigns.personal.erasure import UNCOUNTED, ErasedRow, erased_rows
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.personal.list_keys import ListKeys
from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.process.observability import limit_repetitions
from campaigns.stores.erasures import Erasures

AGAIN_S = 10.0  # After a store of keys did not answer, or a master key is missing.
DONE_WITHIN_S = 60.0  # So long after its fact a key should be deleted.

_DONE_WITHIN = timedelta(seconds=DONE_WITHIN_S)

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class ErasingService(Protocol):
    """What the eraser needs of the command API."""

    log: EventLog
    clock: Clock


class Pending(NamedTuple):
    """Whose keys are to be deleted."""

    now: ErasedRows  # The fact is new.
    long_ago: ErasedRows
    uncounted: ErasedRows  # Lists that will never count.


class Eraser:
    """Carries out the erasures of one instance's log."""

    def __init__(self, service: ErasingService) -> None:
        """Begin with nothing to do; `open` comes before the first fold."""
        self._service = service
        self._pending = Pending(ErasedRows(), ErasedRows(), ErasedRows())
        self._woken = asyncio.Event()

    def open(self, connection: sqlite3.Connection) -> None:
        """Take up what the store knows: a backup of keys may have brought somebody back."""
        self._erasures = Erasures(connection)
        for one in self._erasures.all():
            pending = self._pending
            (pending.uncounted if one.row == UNCOUNTED else pending.long_ago).add(one)

    def fold(self, fact: AnyFact) -> None:
        """Note whom a fact makes unreadable."""
        if not isinstance(fact, ContactErased | CampaignErased):
            return
        erased, pending = tuple(erased_rows(fact)), self._pending
        self._erasures.add(erased)
        age = self._service.clock.now() - fact.erased_at
        noted = pending.long_ago if age > _DONE_WITHIN else pending.now
        for one in erased:
            noted.add(one)
        self._woken.set()

    def drop(self, key_id: str) -> None:
        """Note that a list will never count."""
        erased = ErasedRow(key_id, UNCOUNTED)
        self._erasures.add([erased])
        self._pending.uncounted.add(erased)
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
        if (keys := self._service.log.list_keys) is None:
            return 0
        found, failed = 0, list[OperatingError]()
        for noted, tell in zip(self._pending, (_tell, _warn, _drop), strict=True):
            try:
                found += await self._forget(keys, noted, tell)
            except OperatingError as exc:  # It keeps nobody else from being forgotten.
                failed.append(exc)
        if failed:
            raise failed[0]
        return found

    async def _forget(self, keys: ListKeys, noted: ErasedRows, tell: Callable[[str], None]) -> int:
        if not noted.by_key:
            return 0
        pending = ErasedRows(dict(noted.by_key))
        noted.by_key.clear()
        try:
            return len(await forget_again(keys, pending, tell))
        except BaseException:
            noted.merge(pending)
            raise


def _warn(key_id: str) -> None:
    logger.warning(
        "keys of erased contacts were still there, and are deleted", extra={"key_id": key_id}
    )


def _tell(key_id: str) -> None:
    logger.info("keys of contacts that were erased just now are deleted", extra={"key_id": key_id})


def _drop(key_id: str) -> None:
    logger.info("keys of a list that never counts are deleted", extra={"key_id": key_id})
