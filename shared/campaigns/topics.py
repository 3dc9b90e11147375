"""The one catalogue of topics: name, key, partitions, retention. Nothing else names a topic."""

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
    """One topic as it is made on first start."""

    name: str
    keyed_by: str
    partitions: int | None  # None: DIALGATE_PARTITIONS.


# Retention is unlimited on all: the log is the only truth.
CAMPAIGN_RECORDS = "campaign.records"
ORGANIZATION_RECORDS = "organization.records"
CAMPAIGN_EVENTS = "campaign.events"

TOPICS: tuple[Topic, ...] = (
    Topic(CAMPAIGN_RECORDS, keyed_by="campaign id", partitions=None),
    Topic(ORGANIZATION_RECORDS, keyed_by="organization id", partitions=1),
    Topic(CAMPAIGN_EVENTS, keyed_by="campaign id", partitions=None),
)
RECORD_TOPICS = (CAMPAIGN_RECORDS, ORGANIZATION_RECORDS)  # Ruled by the ledger.

ORGANIZATIONS = Partition(ORGANIZATION_RECORDS, 0)


def campaign_partition(campaign_id: int, partitions: int) -> Partition:
    """Return where a campaign's records live: `campaign_id % partitions`, in every client."""
    return Partition(CAMPAIGN_RECORDS, campaign_id % partitions)


def campaign_partitions(partitions: int) -> tuple[Partition, ...]:
    """Return all partitions of campaign.records."""
    return tuple(Partition(CAMPAIGN_RECORDS, number) for number in range(partitions))
