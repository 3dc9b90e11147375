"""Accepted facts as CloudEvents 1.0, JSON structured mode: the same bytes wherever they go. Pure.

On campaign.events, in webhooks, in a replay of history. Every accepted fact that names a campaign
is one event, calls and imports included. No events are facts about API keys, which belong to an
organization, and ContactsAdded and ListClosed: a list belongs to no campaign until it counts, and
only ContactsAdded holds personal data.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from campaigns.records.log_entry import Recorded
from campaigns.records.offer import whole
from campaigns.records.record import Envelope

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"

_ID = re.compile(r"(\d+)@(\d+)/(\d+)", re.ASCII)


class EventId(NamedTuple):
    """The place of an event's fact in the log: a partition's events are in this order."""

    partition: int
    position: int
    n: int  # The fact's index in its record, from 0.

    def __str__(self) -> str:
        return f"{self.partition}@{self.position}/{self.n}"


class CloudEvent(NamedTuple):
    """One event, as every subscriber gets it."""

    id: EventId  # The same in every reader and every rebuild.
    campaign_id: int
    type: str  # The fact's tag: "campaign-paused.v1".
    body: bytes  # The JSON object.


def events_of(recorded: Recorded) -> Iterator[CloudEvent]:
    """Yield the events of an accepted record, in order; none for a record without any.

    `type` is the fact's tag, `subject` its stream, `data` its recorded data with its aside fields.
    """
    envelope = recorded.envelope
    assert isinstance(envelope, Envelope), "only an accepted record has events"
    campaign_ids = [getattr(fact, "campaign_id", None) for fact in recorded.facts]
    if not any(campaign_ids):
        return  # Lists are heavy: to look at one as it is written costs a millisecond.
    for n, (offered, campaign_id) in enumerate(zip(recorded.offered, campaign_ids, strict=True)):
        if campaign_id is None:
            continue
        at = EventId(recorded.partition.number, recorded.position, n)
        written: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(at),
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
        yield CloudEvent(at, campaign_id, offered["type"], orjson.dumps(written))


def id_of(event: bytes) -> EventId | None:
    """Return the id of an event that was published. None: another producer wrote it."""
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return event_id(name) if isinstance(name, str) else None


def event_id(text: str) -> EventId | None:
    """Return the id that is written so, or None if it is none of ours."""
    match = _ID.fullmatch(text)
    return EventId(int(match[1]), int(match[2]), int(match[3])) if match else None


def unversioned(tag: str) -> str:
    """Return a type without its version: campaign-paused.v1 is a `campaign-paused`."""
    return tag.rpartition(".v")[0] or tag
