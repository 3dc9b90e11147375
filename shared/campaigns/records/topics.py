"""The catalogue of topics: name, key, partitions, retention. No other module names a topic."""

from dataclasses import dataclass
from typing import NamedTuple


class Partition(NamedTuple):
    """One ordered sequence of records."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is created at the first start."""

    name: str
    keyed_by: str
    partitions: int | None  # None: DIALGATE_PARTITIONS.


# Retention is unlimited on all: the log is the only truth.
CAMPAIGN_RECORDS = "campaign.records"
ORGANIZATION_RECORDS = "organization.records"
INSTALLATION_RECORDS = "installation.records"
CAMPAIGN_EVENTS = "campaign.events"
CONTACT_KEYS = "contact.keys"  # One partition, compacted: it can forget (campaigns.kafka.keys).

TOPICS: tuple[Topic, ...] = (
    Topic(CAMPAIGN_RECORDS, keyed_by="campaign id", partitions=None),
    Topic(ORGANIZATION_RECORDS, keyed_by="organization id", partitions=1),
    Topic(INSTALLATION_RECORDS, keyed_by="nothing: one key", partitions=1),
    Topic(CAMPAIGN_EVENTS, keyed_by="campaign id", partitions=None),
)
NAMING_TOPICS = (CAMPAIGN_RECORDS, ORGANIZATION_RECORDS)  # Recreated, they are another log.
RECORD_TOPICS = (*NAMING_TOPICS, INSTALLATION_RECORDS)  # Ruled by the ledger.

ORGANIZATIONS = Partition(ORGANIZATION_RECORDS, 0)
INSTALLATION = Partition(INSTALLATION_RECORDS, 0)  # Tens of records: read whole by every part.
INSTALLATION_KEY = 1  # Of all its records.


def partition_of(text: str) -> Partition:
    """Return the partition whose `str` is this text; for other text, one that does not exist."""
    topic, _, number = text.rpartition("/")
    return Partition(topic, int(number) if number.isdecimal() else 0)


def counts(partitions: int) -> dict[str, int]:
    """Return how many partitions each topic of records has. `partitions`: of campaign.records."""
    fixed = {topic.name: topic.partitions for topic in TOPICS if topic.name in RECORD_TOPICS}
    return {name: count or partitions for name, count in fixed.items()}


def campaign_partition(campaign_id: int, partitions: int) -> Partition:
    """Return the partition of a campaign's records: `campaign_id % partitions`, in every client."""
    return Partition(CAMPAIGN_RECORDS, campaign_id % partitions)


def campaign_partitions(partitions: int) -> tuple[Partition, ...]:
    """Return all partitions of campaign.records."""
    return tuple(Partition(CAMPAIGN_RECORDS, number) for number in range(partitions))
