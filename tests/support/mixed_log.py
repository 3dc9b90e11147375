"""A small log with everything that may stand in one, for tests of exports and seals."""

from campaigns.domain.facts import (
    CampaignPaused,
    ContactsAdded,
    CreateKeyed,
    ImportFailed,
    RecordSkipped,
)
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.rows import Row
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog
from campaigns.records.installation import digest_of, raise_level
from campaigns.records.record import Record
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
)
from campaigns.testing.sample_records import NOON, offered, some_record

PARTITIONS = 3
NUMBER = "+14155550123"
KEY = "ab" * 32
FOREIGN = (b"not JSON", b"\xff\xfe invalid UTF-8", b'{"a":\n1}', b"", b'{"partition":"x"}')


def keyed(campaign_id: int) -> Record:
    """Return a record of a campaign that also takes the Idempotency-Key."""
    paused = CampaignPaused(campaign_id=campaign_id, reason="keyed", paused_at=NOON)
    one = CreateKeyed(
        organization_id=1, digest=KEY, campaign_id=campaign_id, request_digest="0" * 64
    )
    record = offered(paused)
    return Record(
        record.id, NOON, "test/1", "test", "test", None,
        {paused.stream: 0, one.stream: 0}, (paused, one),
    )  # fmt: skip


async def mixed_log(*, skips: bool = True) -> MemoryLog:
    """Return a log of three partitions: accepted, refused, foreign and skipped records; lists."""
    log = MemoryLog(PARTITIONS)
    level = raise_level(await whole(log), LEVEL_NEWEST, NOON)
    assert level is not None
    await log.append(INSTALLATION, offered(level), 1)
    await log.append(ORGANIZATIONS, *some_record(ORGANIZATIONS))
    for campaign in (1, 2, 3, 4, 7):
        where = campaign_partition(campaign, PARTITIONS)
        for version in range(4):
            paused = CampaignPaused(campaign_id=campaign, reason=f"{version}", paused_at=NOON)
            await log.append(where, offered(paused, condition_version=version), campaign)
        await log.append(where, offered(paused, condition_version=1), campaign)  # Refused.
    one = Partition(CAMPAIGN_RECORDS, 1)
    for raw in FOREIGN:
        log.append_bytes(one, raw)
    rows = (Row(phone_number=NUMBER, name="Ada"), Row(phone_number="+14155550124"))
    for number, chunk in enumerate((rows, rows[1:])):  # A list that names no campaign yet.
        added = ContactsAdded(import_id="lst", first_row=1 + 2 * number, rows=chunk)
        await log.append(one, offered(added, condition_version=number), 4)
    failed = ImportFailed(campaign_id=4, import_id="lst", number=1, reason="test", failed_at=NOON)
    await log.append(one, offered(failed), 4)
    await log.append(one, keyed(10), 10)
    await log.append(one, keyed(13), 13)  # Refused: the key is taken, and only for that.
    if skips:
        late = log.append_bytes(one, b'{"dialgate":99}')
        skipped = RecordSkipped(
            topic=one.topic, partition=one.number, position=late.position,
            digest=digest_of(late), reason="of a later level", skipped_at=NOON,
        )  # fmt: skip
        await log.append(INSTALLATION, offered(skipped, condition_version=1), 1)
    return log
