"""Compares a partition's leader with the previous one, and after a change rereads the last record.

A leader that returned, or a new one, may have lost acknowledged records and accepted others in
their place (ADR-0016).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup

from campaigns.kafka.consumer import Stretches
from campaigns.log.port import refuse_other
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

Leader = tuple[int | None, object]  # A broker's id, and a client's connection to it.


def leader_of(client: AIOKafkaClient | None, at: TopicPartition) -> Leader | None:
    """Return the partition's leader and the client's current connection to it, if any.

    A different one means that the leader was away or has changed. Brokers number leaders (leader
    epochs), but this client neither exposes a record's epoch nor asks OffsetForLeaderEpoch.
    """
    if client is None:
        return None
    leader = client.cluster.leader_for_partition(at)
    return leader, client._conns.get((leader, ConnectionGroup.DEFAULT))


@dataclass(eq=False)
class Leaders:
    """The leader of each partition, as the reading and the appending client see it."""

    at: Mapping[Partition, TopicPartition]
    once: Stretches
    reading: Callable[[TopicPartition], Leader | None]
    appending: Callable[[TopicPartition], Leader | None]
    _verified: dict[Partition, tuple[Leader | None, Leader | None]] = field(default_factory=dict)

    def unchanged(self, partition: Partition) -> bool:
        """Say whether both clients have the leaders that were verified last."""
        return self._verified.get(partition) == self.now(partition)

    async def verify(self, partition: Partition, last: Recorded | None) -> None:
        """Reread `last`, the last record that was read, if a leader has changed.

        Raises:
            LogCutError: another record stands in its place, or none.
            LogUnavailableError: no answer in time.

        """
        now = self.now(partition)
        if now == self._verified.get(partition):
            return
        if last is not None:
            found = await self.once.read(partition, last.position - 1, 1, moved=True)
            refuse_other(partition, last, found)
        self._verified[partition] = now

    def now(self, partition: Partition) -> tuple[Leader | None, Leader | None]:
        """Return the current leader of both clients."""
        at = self.at[partition]
        return self.reading(at), self.appending(at)
