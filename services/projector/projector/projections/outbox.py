"""Projection: accepted facts as rows of the outbox, for campaign.events. Pure."""

from collections.abc import Iterable, Iterator

from campaigns.records.cloud_event import CloudEvent

# Of OUTBOX: partition, position, n, campaign id, event.
OutboxRow = tuple[int, int, int, int, bytes]


def project(events: Iterable[CloudEvent]) -> Iterator[OutboxRow]:
    """Yield a row of the outbox for each event."""
    for event in events:
        yield *event.id, event.campaign_id, event.body
