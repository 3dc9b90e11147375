"""One instance's connection to a log, which a test can break. Implements the EventLog port."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from campaigns.domain.facts import CampaignResumed
from campaigns.log.port import BATCH_MAX, EventLog, OnRefusal
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogUnavailableError, OutcomeUnknownError
from campaigns.records.home import LogPlace
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import Partition


@dataclass(eq=False)
class Way:
    """The log behind it is whole, and others may have ways of their own."""

    log: EventLog
    away: bool = False  # Every request fails at once.
    late_s: float = 0.0  # What was taken appears this much later.
    lost: bool = False  # What was taken never appears.
    refusing: bool = False  # What was taken never appears, and the log says so a moment later.
    hanging: bool = False  # An append is never answered, and never appears.
    unknown: bool = False  # An append appears, and is not acknowledged.
    overtaken: bool = False  # Somebody else is always first.
    reading: asyncio.Event = field(default_factory=asyncio.Event)  # Set: records come.
    appended: int = 0
    _later: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reading.set()

    @property
    def list_keys(self) -> ListKeys | None:
        """Return the log's keys."""
        return self.log.list_keys

    @property
    def id(self) -> str:
        return self.log.id

    @property
    def place(self) -> LogPlace:
        return self.log.place

    def partitions(self, topic: str) -> int:
        return self.log.partitions(topic)

    async def open(self) -> None:
        await self.log.open()

    async def close(self) -> None:
        await self.log.close()

    def troubles(self, writing: Collection[str], reading: Collection[str] = ()) -> Sequence[str]:
        return self.log.troubles(writing, reading)

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        if self.away:
            raise LogUnavailableError("no broker")
        self.appended += 1
        if self.hanging:
            await asyncio.Event().wait()
        if self.refusing:
            assert refused is not None, "the append expects no refusal"
            no = LogUnavailableError("refused")
            asyncio.get_running_loop().call_later(0.01, refused, no)
        if self.lost or self.refusing:
            return
        if self.overtaken:
            await asyncio.sleep(0.1)
            await self._overtake(partition, record, key)
        if self.late_s:
            self._later.append(asyncio.create_task(self._append_late(partition, record, key)))
            return
        await self.log.append(partition, record, key)
        if self.unknown:
            raise OutcomeUnknownError("the acknowledgement was lost")

    async def _overtake(self, partition: Partition, record: Record, key: int) -> None:
        """Pause and resume first, so that the same must be decided again."""
        at = {stream: version + 1 for stream, version in record.condition.items()}
        again = CampaignResumed(campaign_id=key, reason=None, resumed_at=record.time)
        for condition, facts in ((record.condition, record.facts), (at, (again,))):
            other = Record(
                uuid4().hex, record.time, "other", "other", "other", None, condition, facts
            )  # fmt: skip
            await self.log.append(partition, other, key)

    async def _append_late(self, partition: Partition, record: Record, key: int) -> None:
        await asyncio.sleep(self.late_s)
        await self.log.append(partition, record, key)

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        async for batch in self.log.batches(partition, after, batch_max=batch_max):
            await self.reading.wait()
            yield batch

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        return await self.log.read(partition, after, limit)

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        if self.away:
            raise LogUnavailableError("no broker")
        return await self.log.ends(partitions)
