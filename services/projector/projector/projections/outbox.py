"""Projection: accepted facts as CloudEvents 1.0, JSON structured mode, for campaign.events. Pure.

Every accepted fact that names a campaign becomes one event, calls and imports included. Not
published are facts about API keys, which belong to an organization, and ContactsAdded and
ListClosed: a list belongs to no campaign until it counts, and only ContactsAdded holds personal
data.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from campaigns.records.log_entry import Recorded
from campaigns.records.offer import whole
from campaigns.records.record import Envelope

_ID = re.compile(r"(\d+)@(\d+)/(\d+)", re.ASCII)

# Of OUTBOX: partition, position, n, campaign id, event.
OutboxRow = tuple[int, int, int, int, bytes]


def project(recorded: Recorded) -> Iterator[OutboxRow]:
    """Yield a row of the outbox for each fact that is published.

    The id is `partition@position/n`, n the fact's index in its record from 0: the same in every
    rebuild. `type` is the fact's tag, `subject` its stream, `data` its recorded data with
    its aside fields.
    """
    envelope, partition = recorded.envelope, recorded.partition.number
    assert isinstance(envelope, Envelope), "only an accepted record is projected"
    campaign_ids = [getattr(fact, "campaign_id", None) for fact in recorded.facts]
    if not any(campaign_ids):
        return  # Lists are heavy: to look at one as it is written costs a millisecond.
    for n, (offered, campaign_id) in enumerate(zip(recorded.offered, campaign_ids, strict=True)):
        if campaign_id is None:
            continue
        written: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{partition}@{recorded.position}/{n}",
            "source": envelope.source,
            "type": offered["type"],
            "subject": offered["stream"],
            "time": envelope.time,
            "datacontenttype": "application/json",
            "actor": envelope.actor,
            "correlationid": envelope.correlation_id,
        }
        if envelope.causation_id:
            written["causationid"] = envelope.causation_id
        written["data"] = whole(offered)
        yield partition, recorded.position, n, campaign_id, orjson.dumps(written)


def event_place_of(event: bytes) -> tuple[int, int, int] | None:
    """Return an event's partition, position and n, by which events are ordered.

    None: another producer wrote the event.
    """
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    match = _ID.fullmatch(name) if isinstance(name, str) else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
