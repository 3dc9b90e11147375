"""What a log held when a dialer was opened: until it is folded, the dialer reacts to nothing."""

import contextlib

from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partitions


class Backlog(dict[Partition, int]):
    """Partition → where it ended, of those of which not all is folded."""

    async def look(self, log: EventLog, reader: Reader) -> None:
        """Note where the log ends now. If it does not answer, nothing is known to be behind."""
        with contextlib.suppress(LogUnavailableError):
            ends = await log.ends(campaign_partitions(log.partitions(CAMPAIGN_RECORDS)))
            self.update({one: e for one, e in ends.items() if reader.positions.get(one, 0) < e})

    def folded(self, partition: Partition, position: int) -> bool:
        """Note how far a partition is folded; say whether nothing is left."""
        if position >= self.get(partition, position + 1):
            del self[partition]
        return not self
