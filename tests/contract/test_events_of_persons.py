"""Public events hold no person: no type of theirs has a field for one."""

from typing import Any

import msgspec
import pytest

from campaigns.domain.facts import TAGS, ContactsAdded
from campaigns.domain.values.rows import Row
from campaigns.events.event_types import EVENT_TYPES, schema
from campaigns.records.tags import current

# Of a contact as imported. A campaign has a `name` of its own.
PERSONAL = set(Row.__struct_fields__) - {"name"}


def names_in(found: Any) -> set[str]:  # Any: a JSON Schema.
    """Return the names of all fields that a schema describes, at any depth."""
    if isinstance(found, list):
        return set().union(*map(names_in, found))
    if not isinstance(found, dict):
        return set()
    return set(found.get("properties", ())).union(*map(names_in, found.values()))


def types_in(kind: Any) -> set[object]:  # Any: a description of msgspec's.
    """Return the classes that a type is made of."""
    if isinstance(kind, msgspec.inspect.StructType):
        return {kind.cls}.union(*(types_in(one.type) for one in kind.fields))
    inside = [getattr(kind, name, ()) for name in ("types", "item_types")]
    inside += [[one] for name in ("item_type", "key_type", "value_type", "type")
               if (one := getattr(kind, name, None)) is not None]  # fmt: skip
    return set().union(*(types_in(one) for some in inside for one in some))


@pytest.mark.parametrize("tag", EVENT_TYPES)
def test_no_type_of_events_has_a_field_for_a_person(tag: str) -> None:
    assert not names_in(schema(tag)["properties"]["data"]) & PERSONAL
    if (kind := TAGS.get(current(tag) or tag)) is not None:
        assert Row not in types_in(msgspec.inspect.type_info(kind))


def test_a_chunk_of_a_plain_list_has_them_and_is_no_event() -> None:
    (found,), defined = msgspec.json.schema_components([ContactsAdded])
    assert names_in(found) | names_in(list(defined.values())) >= PERSONAL
    assert Row in types_in(msgspec.inspect.type_info(ContactsAdded))
    assert ContactsAdded.TYPE not in EVENT_TYPES
