"""Lists of which chunks stand in the log, and which no fact counts: closed by who fails, or comes.

A list that is longer than a record goes before the fact that counts it. Both that fact's record and
a list's abandonment close its stream, at the version that its chunks left: so the first one wins,
and the other is refused, whoever wrote it and however late it comes (ADR-0022).
"""

import asyncio
import logging
from datetime import datetime
from typing import Protocol

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import ListClosed, import_stream
from campaigns.log.writer import Origin, Writer
from campaigns.process.errors import OperatingError
from campaigns.records.topics import Partition
from campaigns.stores.contacts import Contacts

STALE_S = 300.0  # No chunk of a list was folded for that long, and nothing counts it.
CHECK_S = 5.0

logger = logging.getLogger(__name__)


class Service(Protocol):
    """What closing lists needs of the command API."""

    campaigns: Campaigns
    contacts: Contacts
    writer: Writer[Campaigns]


class OpenLists:
    """The lists of one instance's store that do not count."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._given_up: set[str] = set()  # By who wrote them: there is nothing to wait for.
        self._seen: dict[str, tuple[int, float]] = {}  # Its stream's version, and since when.

    @property
    def closes(self) -> bool:
        """Say whether every process reads by now that a list is closed."""
        return self._service.writer.reader.installation.level >= ListClosed.SINCE

    def closed(self, import_id: str | None, now: datetime) -> ListClosed | None:
        """Return what stands beside the fact that counts a list; None: nothing, or not yet."""
        if import_id is None or not self.closes:
            return None
        return ListClosed(import_id=import_id, counts=True, closed_at=now)

    def give_up(self, import_id: str) -> None:
        """Have a list of ours closed at the next check: the request that brought it has failed."""
        self._given_up.add(import_id)

    async def run(self, *, stale_s: float = STALE_S, check_s: float = CHECK_S) -> None:
        """Close, for ever, the lists that were given up, and those that nothing has moved.

        All instances do this; one wins. Below the level of the fact nothing is written.
        """
        while True:
            await asyncio.sleep(check_s)
            if self.closes:
                await self.close_dead(stale_s)

    async def close_dead(self, stale_s: float) -> None:
        """Look once. What cannot be closed now is looked at again at the next check."""
        now = self._service.writer.clock.monotonic()
        campaigns = self._service.campaigns.by_id.values()
        under_way = {one.importing.import_id for one in campaigns if one.importing}
        before, self._seen = self._seen, {}
        dead: list[tuple[Partition, str]] = []
        for import_id in self._service.contacts.open_lists():
            if import_id in under_way:  # Announced: it fails by a fact of its own.
                continue
            place = self._place(import_id)
            if place is None:
                continue
            version, since = place[1], now
            if (seen := before.get(import_id)) and seen[0] == version:
                since = seen[1]
            self._seen[import_id] = version, since
            if import_id in self._given_up or now - since >= stale_s:
                dead.append((place[0], import_id))
        self._given_up.intersection_update(self._seen)
        for partition, import_id in dead:
            await self._close(partition, import_id)

    def _place(self, import_id: str) -> tuple[Partition, int] | None:
        """Return where a list's chunks stand, and how many they are."""
        reader, stream = self._service.writer.reader, import_stream(import_id)
        for partition in reader.positions:
            if version := reader.ledger(partition).version(stream):
                return partition, version
        return None

    async def _close(self, partition: Partition, import_id: str) -> None:
        """Close a list, unless it was counted, or moved, since. Nothing is awaited in between."""
        writer, stream = self._service.writer, import_stream(import_id)
        if not self._service.contacts.is_open(import_id):
            return
        condition = writer.reader.ledger(partition).condition([stream])
        fact = ListClosed(import_id=import_id, counts=False, closed_at=writer.clock.now())
        record = writer.record((fact,), condition, Origin("command-api", import_id))
        try:
            if (await writer.append(partition, record, partition.number)).accepted:
                logger.warning(
                    "list abandoned", extra={"import_id": import_id, "chunks": condition[stream]}
                )
        except OperatingError as exc:  # At the next check again.
            logger.warning(
                "list not abandoned yet", extra={"import_id": import_id, "reason": str(exc)}
            )
