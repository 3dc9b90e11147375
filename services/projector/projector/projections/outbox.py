"""Projection: accepted facts as rows of the outbox, for campaign.events. Pure."""

from collections.abc import Iterator

from campaigns.records.cloud_event import events_of
from campaigns.records.log_entry import Recorded

# Of OUTBOX: partition, position, n, campaign id, event.
OutboxRow = tuple[int, int, int, int, bytes]


def project(recorded: Recorded) -> Iterator[OutboxRow]:
    """Yield a row of the outbox for each fact that is published."""
    for event in events_of(recorded):
        yield *event.id, event.campaign_id, event.body
