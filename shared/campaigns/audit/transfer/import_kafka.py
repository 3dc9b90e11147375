"""Imports an export into empty topics. Interrupted, it leaves topics on which no part starts.

They are marked until all of it was read back and compared; a repeated import goes on where the
first one ended (import_mark.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from campaigns.audit.rulings import PartitionRuling, partitions_of
from campaigns.audit.transfer.comparison import Comparison, PlanReader
from campaigns.audit.transfer.import_plan import Plan, Planned
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.lifecycle import start, stop_producer
from campaigns.kafka.topics.import_mark import make_marked, marked, unmark
from campaigns.kafka.topics.topic_setup import missing
from campaigns.log.installation_log import whole
from campaigns.process.errors import LogCutError, LogUnavailableError, TopicMisfitError
from campaigns.records.topics import INSTALLATION_RECORDS, RECORD_TOPICS, Partition, counts

_WAITING_MAX = 2_000  # Records that are not acknowledged yet.
Seen = Callable[[int], None]


async def import_kafka(
    plan: Plan, make_log: Callable[[], KafkaLog], replication: int | None, seen: Seen
) -> int:
    """Write the plan's records; return how many. `make_log`: of the target, to read it.

    Raises:
        TopicMisfitError: there are records already, of something else; nothing was written.
        LogUnavailableError: the brokers failed; the topics stay marked, a repetition goes on.
        LogCutError: somebody else has written to these topics; they stay marked.
        ExportUnreadableError: the export does not fit; nothing was written.

    """
    await plan.check()
    try:
        return await _imported(plan, make_log, replication, seen)
    except (KafkaError, TimeoutError) as exc:
        raise LogUnavailableError(
            f"the import was interrupted, repeat it to go on: {exc!r}"
        ) from exc


async def look_for_keys(log: KafkaLog, replication: int | None = None, *, make: bool) -> None:
    """Read the keys of contacts of a log that is not open, if there are any.

    `make`: a place for them, so that others can be added.

    Raises:
        LogUnavailableError: no broker answers.

    """
    admin = log.kafka.admin()
    try:
        await log.kafka.reach()
        await admin.start()
        if make:
            brokers = len((await admin.describe_cluster())["brokers"])
            await log.keys.make(admin, replication, brokers)
        await log.keys.look(admin)
    except (KafkaError, TimeoutError) as exc:
        raise LogUnavailableError(f"nothing was imported: {exc!r}") from exc
    finally:
        await admin.close()


async def _imported(
    plan: Plan, make_log: Callable[[], KafkaLog], replication: int | None, seen: Seen
) -> int:
    log, by_topic = make_log(), counts(plan.partitions)
    kafka = log.kafka
    topics = {kafka.topic(name): by_topic[name] for name in RECORD_TOPICS}
    installation = kafka.topic(INSTALLATION_RECORDS)
    await kafka.reach()
    admin = kafka.admin()
    try:
        await admin.start()
        resumed = not await missing(admin, topics) and await marked(admin, installation)
        if not resumed:
            await _refuse_used(admin, topics, make_log())
            brokers = len((await admin.describe_cluster())["brokers"])
            await make_marked(admin, topics, installation, replication, brokers)
        await log.open()
        try:
            if not resumed and await _used(log):  # A part has started meanwhile.
                await unmark(admin, installation)
                raise _not_empty(log)
            await plan.ready()
            await _write(plan, log, seen)
            written = await Comparison(plan, log, await whole(log)).check()
        finally:
            await log.close()
        await plan.done()
        await unmark(admin, installation)
    finally:
        await admin.close()
    return written


async def _refuse_used(
    admin: AIOKafkaAdminClient, topics: Mapping[str, int], log: KafkaLog
) -> None:
    """Refuse topics that have a record, before anything is changed."""
    if await missing(admin, topics):
        return  # Some of them: then no part has ever run on the others.
    try:
        await log.open()
        used = await _used(log)
    finally:
        await log.close()
    if used:
        raise _not_empty(log)


async def _used(log: KafkaLog) -> bool:
    return any((await log.ends(partitions_of(log))).values())


def _not_empty(log: KafkaLog) -> TopicMisfitError:
    where = log.kafka.topic("…")
    return TopicMisfitError(f"expected empty topics {where}, found a log with records")


async def _write(plan: Plan, log: KafkaLog, seen: Seen) -> None:
    ends = await log.ends(partitions_of(log))  # What an interrupted import has left.
    readers = {one: PlanReader(log, one, PartitionRuling()) for one in ends}
    producer = await start(log.kafka.producer(), stop_producer)
    sender, written = Sender(log, producer), dict.fromkeys(ends, 0)
    try:
        async for planned in plan.records():
            where = planned.partition
            written[where] += 1
            if written[where] > ends[where]:
                await sender.send(planned, written[where])
            else:
                found = await readers[where].next()
                if found is None or (found.raw or b"") != planned.raw:
                    raise LogCutError(
                        f"{where}@{written[where]}: expected the record of this export, found"
                        " another: delete the topics, or import the export that was begun"
                    )
            seen(1)
        await sender.finish()
    finally:
        await stop_producer(producer)


@dataclass
class Sender:
    """Sends records in order, and checks that each gets the place that it was meant for."""

    log: KafkaLog
    producer: AIOKafkaProducer
    _waiting: "deque[tuple[Partition, int, asyncio.Future[object]]]" = field(default_factory=deque)

    async def send(self, planned: Planned, position: int) -> None:
        """Hand a record over; waits while too many are not acknowledged."""
        where = planned.partition
        acknowledged = await self.producer.send(
            self.log.kafka.topic(where.topic),
            planned.raw,
            key=str(planned.key).encode(),
            partition=where.number,
        )
        self._waiting.append((where, position, acknowledged))
        while len(self._waiting) > _WAITING_MAX:
            await self._first()

    async def finish(self) -> None:
        """Wait until all of them are acknowledged."""
        while self._waiting:
            await self._first()

    async def _first(self) -> None:
        where, position, acknowledged = self._waiting.popleft()
        metadata = await acknowledged
        offset = getattr(metadata, "offset", -1)
        if offset >= 0 and offset + 1 != position:
            raise LogCutError(
                f"{where}@{offset + 1}: expected to write {position}: somebody else writes to these"
                " topics; delete them, and import again while nothing else runs on them"
            )
