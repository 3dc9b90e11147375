"""The schemas of events, and of their types, in the OpenAPI document. Pure."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from campaigns.http.schemas import MISSING


class EventObject(BaseModel):
    """A CloudEvent 1.0, byte for byte as campaign.events carries it."""

    specversion: Literal["1.0"]
    id: str  # partition@position/n.
    source: str
    type: str  # A fact's tag.
    subject: str  # Its stream.
    time: str
    datacontenttype: Literal["application/json"]
    actor: str
    correlationid: str
    causationid: str = MISSING
    data: dict[str, Any]  # Any: as `GET /api/v1/event-types` describes each type.


class EventPage(BaseModel):
    """Some events in order, and the cursor to go on at, which is always there."""

    events: list[EventObject]
    next: str
    more: bool


class EventType(BaseModel):
    """A type of events."""

    type: str
    text: str
    json_schema: dict[str, Any] = Field(serialization_alias="schema")  # Any: JSON Schema.
    example: EventObject


class EventTypes(BaseModel):
    """All types of events."""

    items: list[EventType]
    total: int
    next: None
