"""How fast is a fold, compared with bare `json.loads` of the same records?

A record is decoded, ruled on, added to the digest and folded, as in the reader.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter

from bench.history import CAMPAIGN, raw_history
from bench.table import IN_MEMORY, Row, Setup, show
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignFact
from campaigns.log.digest import Chain
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Foreign
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

RECORDS, ROUNDS, PARTITIONS = 60_000, 5, 12


def folded(raw: Sequence[bytes]) -> Campaigns:
    """Return what the records of one partition say."""
    ledger, campaigns, partition = Ledger(), Campaigns(), Partition(CAMPAIGN_RECORDS, 0)
    chain = Chain()
    for position, value in enumerate(raw, 1):
        recorded = Recorded(partition, position, value, PARTITIONS)
        envelope = recorded.envelope
        if type(envelope) is not Foreign and ledger.admit(envelope):
            for fact in recorded.facts:
                if isinstance(fact, CampaignFact):
                    campaigns.fold(fact, recorded)
            chain.accept(position, value)
    assert chain.last > 0, "the digest was computed"
    return campaigns


def parsed(raw: Sequence[bytes]) -> None:
    """Parse all records."""
    for value in raw:
        json.loads(value)


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def rows() -> list[Row]:
    """Measure both in turn; return the medians of the rounds."""
    raw = raw_history(RECORDS)
    assert folded(raw).by_id[CAMPAIGN].ended > 0, "calls were folded"
    both = [(seconds(lambda: folded(raw)), seconds(lambda: parsed(raw))) for _ in range(ROUNDS)]
    ours, floor = (RECORDS / statistics.median(column) for column in zip(*both, strict=True))
    return [Row("fold, records a second", "1/s", ours, floor, "≥ 1", ours / floor >= 1)]


if __name__ == "__main__":
    show("fold", rows(), Setup("a fold, no part", IN_MEMORY, ""))
