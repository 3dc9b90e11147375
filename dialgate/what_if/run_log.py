"""The log of one what-if run: in memory, and of it only what is still to be read."""

from collections.abc import Callable

from campaigns.audit.rulings import PartitionRuling
from campaigns.log.port import MemoryLog
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from dialgate.what_if.campaign_history import CampaignHistory

PARTITIONS = 1
_EVERY = 4_096  # Records between two looks at what was read.


class RunLog(MemoryLog):
    """Tells each accepted record to the run's history, and forgets what its dialer has read."""

    def __init__(self, partition: Partition, campaign_id: int) -> None:
        """`partition`: the campaign's."""
        super().__init__(PARTITIONS)
        self.history = CampaignHistory(campaign_id)
        self.read_to: Callable[[], int] = lambda: 0  # The position that the dialer has read.
        self._partition, self._ruling, self._forgotten = partition, PartitionRuling(), 0
        self._gone = Recorded(partition, 0, None, PARTITIONS)

    def _place(self, recorded: Recorded) -> Recorded:
        placed = super()._place(recorded)
        if placed.partition == self._partition:
            ruled = self._ruling.rule(placed)
            if ruled.accepted:
                self.history.take(placed)
            if not placed.position % _EVERY:
                self._forget()
        return placed

    def _forget(self) -> None:
        """Forget all records before the last one that was read: the reader compares that one."""
        records, through = self._records[self._partition], self.read_to() - 1
        for at in range(self._forgotten, through):
            records[at] = self._gone
        self._forgotten = max(self._forgotten, through)
