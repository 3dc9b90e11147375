"""Reads a campaign's own records out of the log, by the index in the store."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from campaigns.log.port import ReadableLog
from campaigns.log.selection import selected
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from projector.store import record_index
from projector.store.database import Database


async def records_of(
    store: Database, log: ReadableLog, campaign_id: int, *, after: int, through: int
) -> AsyncIterator[Sequence[Recorded]]:
    """Yield a campaign's own accepted records after `after`, up to `through`, in order.

    At most BATCH_MAX at a time; what lies far between them is not read. A record is a campaign's
    own if one of its facts names the campaign; the chunks of a long list do not. `through`: at
    most the position that the store has reached.

    Raises:
        LogCutError: the log has lost records that the store has.
        LogUnavailableError: the log does not answer.

    """

    def found() -> Sequence[int]:
        with store.reading() as tx:
            return record_index.positions(tx, campaign_id, after, through)

    positions = await asyncio.to_thread(found)
    partition = campaign_partition(campaign_id, log.partitions(CAMPAIGN_RECORDS))
    async for some in selected(log, partition, positions):
        yield some
