"""Reads stretches of a partition on a separate consumer, and converts messages to `Recorded`."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.lifecycle import start, stop
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

PRIVATE_MAX = 2_048  # Records per read of a follower that has fallen behind the tail.
POLL_MAX = 256  # Records decoded before other tasks get their turn.
_FETCH_WAIT_MS = 10  # It reads records known to exist; a longer wait would only delay the next.
_POLL_MS = 250


async def assigned(
    kafka: Kafka, partitions: Iterable[TopicPartition], fetch_max_wait_ms: int
) -> AIOKafkaConsumer:
    """Return a consumer with these partitions assigned and paused: seek, then resume.

    Raises:
        KafkaError: the cluster did not answer.

    """
    held = list(partitions)
    consumer = await start(kafka.consumer(fetch_max_wait_ms=fetch_max_wait_ms), stop)
    consumer.assign(held)
    consumer.pause(*held)
    for at in held:
        consumer.seek(at, 0)  # Without a position it would fetch a committed one.
    return consumer


@dataclass(eq=False)
class Stretches:
    """One-shot reads, one at a time, on a consumer created at the first read."""

    kafka: Kafka
    at: Mapping[Partition, TopicPartition]
    counts: Mapping[str, int]  # Topic → its partitions.
    deadline_s: float
    _consumer: AIOKafkaConsumer | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(
        self, partition: Partition, after: int, wanted: int, *, moved: bool = False
    ) -> Sequence[Recorded]:
        """Return the `wanted` records after `after`, which the log is known to have.

        `moved`: the partition's leader may have changed since the last read.

        Raises:
            LogUnavailableError: no answer in time.
            LogCutError: the records after `after` are gone.

        """
        found: list[Recorded] = []
        if wanted <= 0:
            return found
        at, count = self.at[partition], self.counts[partition.topic]
        async with self._lock:
            try:
                async with asyncio.timeout(self.deadline_s):
                    if self._consumer is None:
                        self._consumer = await assigned(
                            self.kafka, self.at.values(), _FETCH_WAIT_MS
                        )
                    elif moved:
                        await self._consumer._client.force_metadata_update()
                    self._consumer.seek(at, after)
                    self._consumer.resume(at)
                    while len(found) < wanted:
                        got = await self._consumer.getmany(
                            at, timeout_ms=_POLL_MS, max_records=min(POLL_MAX, wanted - len(found))
                        )
                        end = None if got else await self._consumer.position(at)
                        head = after + len(found)
                        found.extend(consecutive(partition, head, got.get(at, ()), end, count))
                        await asyncio.sleep(0)
            except OffsetOutOfRangeError as exc:
                raise LogCutError(f"{partition}: the records after {after} are gone") from exc
            except TopicAuthorizationFailedError as exc:
                raise LogUnavailableError(
                    f"{partition}: cannot be read: this client has no right to (Read on the topic"
                    f" {self.kafka.topic(partition.topic)})"
                ) from exc
            except (KafkaError, OSError, TimeoutError) as exc:
                raise LogUnavailableError(f"{partition}: cannot be read now: {exc!r}") from exc
            finally:
                if self._consumer is not None:
                    self._consumer.pause(at)
        return found[:wanted]

    async def close(self) -> None:
        """Close the consumer."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)


@dataclass(eq=False, slots=True)
class Placed:
    """Our own records, delivered at their acknowledgement and not fetched yet: ADR-0013.

    The fetch must bring the same records, or brokers have lost what they acknowledged.
    """

    raws: dict[int, bytes] = field(default_factory=dict)  # By position.

    def check(self, partition: Partition, messages: Iterable[Any], end: int | None) -> None:
        """Compare them with fetched messages. `end`: the position fetched up to, if known.

        Raises:
            LogCutError: another record stands where ours was acknowledged, or none.

        """
        if not self.raws:
            return
        for message in messages:
            raw, end = self.raws.pop(message.offset + 1, None), message.offset + 1
            if raw is not None and raw != message.value:
                self._cut(partition, end, "another")
        if missing := [position for position in self.raws if position <= (end or 0)]:
            self._cut(partition, missing[0], "none")

    def _cut(self, partition: Partition, position: int, found: str) -> NoReturn:
        raise LogCutError(
            f"{partition}@{position}: expected the record that was acknowledged there, found"
            f" {found}: the log was cut"
        )


def consecutive(
    partition: Partition, head: int, messages: Iterable[Any], end: int | None, partitions: int
) -> Iterator[Recorded]:
    """Yield the entries after `head`, with an empty, foreign one for an offset without a record.

    Such offsets are control batches of a foreign transaction: without an entry, no reader would
    ever reach their positions. `end`: the position fetched up to, if known.
    """
    for message in messages:
        if message.offset < head:
            continue
        for gap in range(head, message.offset):
            yield Recorded(partition, gap + 1, None, partitions)
        yield Recorded(partition, message.offset + 1, message.value, partitions)
        head = message.offset + 1
    for gap in range(head, end or 0):
        yield Recorded(partition, gap + 1, None, partitions)
