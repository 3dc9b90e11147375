"""Lists whose chunks stand in the log without a fact that counts them: closed once they are dead.

A list that is longer than a record is appended before the fact that counts it. The record of that
fact and the abandonment of the list both close its stream, at the version that its chunks left: the
first one wins, and the other is refused, from whichever instance and however late (ADR-0022).
"""

import asyncio
import logging
from datetime import datetime
from typing import Protocol

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import ListClosed
from campaigns.domain.values.stream_names import import_stream
from campaigns.log.writer import Origin, Writer
from campaigns.process.errors import OperatingError
from campaigns.records.topics import Partition
from campaigns.stores.contacts import Contacts

CHECK_S = 5.0

logger = logging.getLogger(__name__)


class ListService(Protocol):
    """What open lists need of the command API."""

    campaigns: Campaigns
    contacts: Contacts
    writer: Writer[Campaigns]


class OpenLists:
    """The lists of one instance's store that do not count."""

    def __init__(self, service: ListService, stale_s: float) -> None:
        """Close lists of which no chunk was folded for `stale_s`, and that nothing counts."""
        self._service, self.stale_s = service, stale_s
        self._given_up: set[str] = set()  # By their own instance: no need to wait.
        self._seen: dict[str, tuple[int, float]] = {}  # Its stream's version, since when.

    @property
    def closes(self) -> bool:
        """Say whether every process can read that a list is closed."""
        return self._service.writer.reader.installation.level >= ListClosed.SINCE

    def closed(self, import_id: str | None, now: datetime) -> ListClosed | None:
        """Return the fact that closes a list which counts; None below its level."""
        if import_id is None or not self.closes:
            return None
        return ListClosed(import_id=import_id, counts=True, closed_at=now)

    def give_up(self, import_id: str) -> None:
        """Have a list of this instance closed at the next check: its request has failed."""
        self._given_up.add(import_id)

    async def run(self, *, check_s: float = CHECK_S) -> None:
        """Close, until cancelled, the lists that were given up, and those that stopped growing.

        All instances do this, and the first one wins. Below the level of the fact none is closed.
        """
        while True:
            await asyncio.sleep(check_s)
            if self.closes:
                await self.close_dead(self.stale_s)

    async def close_dead(self, stale_s: float) -> None:
        """Check once. What cannot be closed now is tried again at the next check."""
        now = self._service.writer.clock.monotonic()
        announced = {
            campaign.importing.import_id
            for campaign in self._service.campaigns.importing()
            if campaign.importing
        }
        before, self._seen = self._seen, {}
        dead: list[tuple[Partition, str]] = []
        for import_id in self._service.contacts.open_lists():
            if import_id in announced:  # It fails by a fact of its own.
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
        """Return the partition of a list, and the number of its chunks."""
        reader, stream = self._service.writer.reader, import_stream(import_id)
        for partition in reader.positions:
            if version := reader.ledger(partition).version(stream):
                return partition, version
        return None

    async def _close(self, partition: Partition, import_id: str) -> None:
        """Close a list, unless it was counted or has grown meanwhile. Awaits nothing between."""
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
        except OperatingError as exc:  # Tried again at the next check.
            logger.warning(
                "list not abandoned yet", extra={"import_id": import_id, "reason": str(exc)}
            )
