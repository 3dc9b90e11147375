"""A campaign's own records, for `why`: by the projector's index, or by reading its partition."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from msgspec import structs

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import CampaignFact, ContactsEncrypted
from campaigns.personal.key_presence import missing_key
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from campaigns.stores.contacts import Contacts
from dialgate.settings import ProcessSettings
from dialgate.verbs.inspection.views_at_hand import views_at_hand
from dialgate.verbs.progress import progress
from dialgate.verbs.verb import Source

# Why a campaign's contacts cannot be read. None: they can, or it is not known here.
UnreadOf = Callable[[Campaign, Contacts], str | None]


@asynccontextmanager
async def campaign_records(
    settings: ProcessSettings, read: Source, campaign_id: int, exported: Path | None
) -> AsyncIterator[tuple[AsyncIterator[Sequence[Recorded]], UnreadOf]]:
    """Yield the campaign's own accepted records, in order, and what says if a key is missing."""
    partition = campaign_partition(campaign_id, read.log.partitions(CAMPAIGN_RECORDS))
    end = (await read.log.ends([partition]))[partition]
    store = None if exported else await views_at_hand(settings, read, partition, end)
    keys = read.log.list_keys
    if store is None:

        def missing(campaign: Campaign, contacts: Contacts) -> str | None:
            if exported:
                return None
            needed = contacts.key_ids(campaign.campaign_id, after=campaign.erased_through)
            return missing_key(keys, needed)

        async with aclosing(_scanned(read, partition, end)) as records:
            yield records, missing
        return
    from projector.past.own_records import records_of
    from projector.queries.campaign_pages import unread_of

    def unread(campaign: Campaign, _: Contacts) -> str | None:
        with store.reading() as tx:
            return unread_of(tx, campaign, keys)

    try:
        yield records_of(store, read.log, campaign_id, after=0, through=end), unread
    finally:
        store.disconnect()


async def _scanned(
    read: Source, partition: Partition, end: int
) -> AsyncGenerator[Sequence[Recorded], None]:
    """Yield all accepted records of a partition, in order."""
    ruling = PartitionRuling(read.installation.skipped.get(partition, {}))
    with progress("records", end) as seen:
        async for batch in ruled_batches(read.log, partition, ruling, until=end):
            yield [one.recorded for one in batch if one.accepted]
            seen(len(batch))


def note_keys(contacts: Contacts, recorded: Recorded) -> None:
    """Note which key a list needs, and none of its rows: whose it is is said later."""
    for fact in recorded.facts:
        if isinstance(fact, ContactsEncrypted) and fact.first_row == 1:
            contacts.add(structs.replace(fact, rows=()))


def own(recorded: Recorded, campaign_id: int) -> bool:
    """Say whether a record has a fact of a campaign."""
    return any(
        isinstance(fact, CampaignFact) and fact.campaign_id == campaign_id
        for fact in recorded.facts
    )
