"""The AsyncAPI 3 document of everything that Dialgate sends: made from the facts. Pure.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from functools import cache
from typing import Any

from campaigns.events.event_types import EVENT_TYPES, describe, example, schema
from campaigns.records.cloud_event import CONTENT_TYPE
from campaigns.records.topics import CAMPAIGN_EVENTS

Shape = dict[str, Any]  # Any: JSON.

_ABOUT = (
    "The accepted facts of campaigns, each as one CloudEvent, the same bytes on every channel. Of"
    " one campaign they come in order; what a crash repeats has the same `id`. A consumer ignores"
    " fields and types that it does not know."
)
_TEXT = {"type": "string"}
_KEY = {**_TEXT, "pattern": "^[1-9][0-9]*$", "description": "The campaign's id, in decimal digits."}
_QUERY = {
    "type": "object",
    "properties": {
        "after": {**_TEXT, "description": "A cursor, or `now`. Without it: from the beginning."},
        "type": {"type": "array", "items": _TEXT, "description": "Only these types."},
    },
}


def _name(tag: str) -> str:
    """Return a type as a key of the document."""
    return tag.replace(".", "-")


def _ref(*path: str) -> Shape:
    steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return {"$ref": f"#/{'/'.join(steps)}"}


def _message(tag: str, trait: str | None) -> Shape:
    found = {
        "name": tag,
        "title": tag,
        "summary": describe(tag),
        "contentType": CONTENT_TYPE,
        "payload": _ref("components", "schemas", _name(tag)),
    }
    if trait is None:
        return {**found, "examples": [{"name": _name(tag), "payload": example(tag)}]}
    return {**found, "traits": [_ref("components", "messageTraits", trait)]}


def _channel(
    address: str | None, description: str, trait: str | None = None, **more: object
) -> Shape:
    messages = {_name(tag): _message(tag, trait) for tag in EVENT_TYPES}
    return {"address": address, "description": description, "messages": messages, **more}


def _operation(channel: str, summary: str, **more: object) -> Shape:
    return {"action": "send", "channel": _ref("channels", channel), "summary": summary, **more}


def _streamed() -> Shape:
    http = {"method": "GET", "query": _QUERY, "bindingVersion": "0.3.0"}
    return {"bindings": {"http": http}, "security": [_ref("components", "securitySchemes", "key")]}


@cache
def document(version: str) -> Shape:
    """Return the document. `version`: of this build."""
    topic = {"topic": CAMPAIGN_EVENTS, "bindingVersion": "0.5.0"}
    keyed = {"kafka": {"key": _KEY, "bindingVersion": "0.5.0"}}
    signed = {
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
        "properties": {
            "webhook-id": {**_TEXT, "description": "The event's id: the same when it is repeated."},
            "webhook-timestamp": {**_TEXT, "description": "Of this try: Unix seconds."},
            "webhook-signature": {**_TEXT, "description": "Standard Webhooks, `v1,…`."},
        },
    }
    stream = "Server-sent events: `id` is the cursor after the event, `event` its type."
    campaign = {"campaign_id": {"description": "The campaign's id."}}
    headers = {
        "type": "object",
        "properties": {"content-type": {"type": "string", "const": CONTENT_TYPE}},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Dialgate", "version": version, "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "topic": _channel(
                CAMPAIGN_EVENTS,
                "A topic of Kafka with the partitions of the log, keyed by campaign.",
                "keyed",
                bindings={"kafka": topic},
            ),
            "campaign": _channel(
                "/api/v1/campaigns/{campaign_id}/events", stream, parameters=campaign
            ),
            "organization": _channel("/api/v1/events", stream),
            "webhook": _channel(None, "The subscriber's own address, by POST.", "signed"),
        },
        "operations": {
            "publish": _operation(
                "topic",
                "Each accepted fact.",
                traits=[_ref("components", "operationTraits", "once")],
            ),
            "streamCampaign": _operation("campaign", "Those of one campaign.", **_streamed()),
            "streamOrganization": _operation(
                "organization", "Those of all campaigns of the organization.", **_streamed()
            ),
            "post": _operation(
                "webhook",
                "At least once, in order within a campaign.",
                bindings={"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            ),
        },
        "components": {
            "schemas": {_name(tag): schema(tag) for tag in EVENT_TYPES},
            "messageTraits": {
                "keyed": {"headers": headers, "bindings": keyed},
                "signed": {"headers": signed},
            },
            "operationTraits": {
                "once": {"description": "At least once: drop what has an `id` that you have seen."}
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
