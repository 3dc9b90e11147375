"""The types of events, with a JSON Schema and an example of each: made from the facts. Pure."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import orjson

from campaigns.domain.facts import TAGS
from campaigns.records.tags import UPCASTS, current

Shape = dict[str, Any]  # Any: JSON.

EXAMPLES = "event_examples.json"  # Data by type: `make docs` copies it from the stored samples.
_TEXT = {"type": "string"}


def _types() -> Sequence[str]:
    now = {tag for tag, kind in TAGS.items() if "campaign_id" in kind.__struct_fields__}
    return sorted(now | {old for old in UPCASTS if current(old) in now})


# The tags of all facts that are events, older versions included.
EVENT_TYPES: Sequence[str] = _types()


def describe(tag: str) -> str:
    """Return what a type says, in a sentence."""
    return (TAGS[current(tag) or tag].__doc__ or "").partition("\n")[0].partition(" Made by:")[0]


@cache
def schema(tag: str) -> Shape:
    """Return the JSON Schema (2020-12) of a type's events. Consumers ignore what it does not name.

    Of an older version, `data` is any object: the log may hold it, and nobody writes it.
    """
    data = _data_schema(tag) if tag in TAGS else {"type": "object"}
    return {
        "type": "object",
        "required": [
            "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "actor",
            "correlationid", "data",
        ],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**_TEXT, "pattern": "^[0-9]+@[0-9]+/[0-9]+$"},
            "source": _TEXT,
            "type": {"const": tag},
            "subject": _TEXT,
            "time": {**_TEXT, "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "actor": _TEXT,
            "correlationid": _TEXT,
            "causationid": _TEXT,
            "data": data,
        },
    }  # fmt: skip


def _data_schema(tag: str) -> Shape:
    """Return the schema of a fact's fields, with those it refers to inside."""
    (found,), defined = msgspec.json.schema_components(
        [TAGS[tag]], ref_template="{name}", schema_hook=lambda _: {"title": "Any JSON"}
    )
    plain: Shape = _inside(found, defined)
    return plain


def _inside(found: Any, defined: Mapping[str, Any]) -> Any:  # Any: JSON.
    if isinstance(found, list):
        return [_inside(one, defined) for one in found]
    if not isinstance(found, dict):
        return found
    if "$ref" in found:
        return _inside({**defined[found["$ref"]]}, defined)
    properties = found.get("properties")
    kept = {
        name: _inside(one, defined)
        for name, one in found.items()
        if name != "properties"
        # A later build may write more fields; and what docstrings say is for our own readers.
        and not (found.get("type") == "object" and name == "additionalProperties" and one is False)
        and name not in ("title", "description")
    }
    if properties is not None:  # Their names are no words of JSON Schema.
        kept["properties"] = {name: _inside(one, defined) for name, one in properties.items()}
    return kept


def example(tag: str) -> Shape:
    """Return an event of a type, as it may stand anywhere."""
    data = _examples()[tag]
    kind = TAGS.get(tag)
    stream = kind.validated(data).stream if kind is not None else f"campaign/{data['campaign_id']}"
    return {
        "specversion": "1.0",
        "id": "6@812/0",
        "source": "command-api/host-1a2b3c",
        "type": tag,
        "subject": stream,
        "time": "2026-03-01T12:00:00.123456+00:00",
        "datacontenttype": "application/json",
        "actor": "organization/7 key 0123456789abcdef",
        "correlationid": "5f0c9b7e2d414b0f8a3e1c6d7b8a9f00",
        "data": data,
    }


@cache
def _examples() -> Mapping[str, Shape]:
    found: Mapping[str, Shape] = orjson.loads(
        files("campaigns.events").joinpath(EXAMPLES).read_bytes()
    )
    return found


@cache
def every_type() -> Sequence[Shape]:
    """Return each type with its schema and an example."""
    return [
        {"type": tag, "text": describe(tag), "schema": schema(tag), "example": example(tag)}
        for tag in EVENT_TYPES
    ]
