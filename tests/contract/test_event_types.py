"""The types of events and the AsyncAPI document: made from the facts, and what is sent is so."""

import re
from typing import Any

import jsonschema_rs
import orjson
import pytest

from campaigns.events.asyncapi import document
from campaigns.events.event_types import EVENT_TYPES, every_type, example, schema
from campaigns.records.cloud_event import events_of
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from docs.generate import EVENT_EXAMPLES, event_examples
from tests.contract.test_answers import Checked
from tests.support.race import everything
from tests.support.whole_api import whole_api

VALIDATOR = jsonschema_rs.Draft202012Validator
DOCUMENT = document("1")


def references(found: Any) -> set[str]:  # Any: JSON.
    """Return what a document refers to, anywhere in it."""
    if isinstance(found, list):
        return {one for inner in found for one in references(inner)}
    if isinstance(found, dict):
        own = {found["$ref"]} if isinstance(found.get("$ref"), str) else set()
        return own | {one for inner in found.values() for one in references(inner)}
    return set()


def at(path: str) -> Any:
    """Return what a reference names."""
    found: Any = DOCUMENT
    for step in path.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_examples_are_the_stored_samples() -> None:
    assert EVENT_EXAMPLES.read_bytes() == event_examples(), "make docs"


@pytest.mark.parametrize("tag", EVENT_TYPES)
def test_each_example_is_as_its_schema_says_and_another_is_not(tag: str) -> None:
    check = VALIDATOR(schema(tag))
    check.validate(example(tag))
    assert not check.is_valid({**example(tag), "data": {}})
    assert not check.is_valid({**example(tag), "type": "another.v1"})
    later = {**example(tag), "data": {**example(tag)["data"], "a_later_field": 1}}
    check.validate(later)


def test_each_type_says_what_it_means() -> None:
    assert all(re.fullmatch(r"[A-Z].*\.", one["text"]) for one in every_type())


async def test_what_is_sent_is_as_its_types_say() -> None:
    async with whole_api() as api:
        checked = Checked(api)
        await checked.lives()
        seen = set[str]()
        for number in range(api.log.partitions(CAMPAIGN_RECORDS)):
            for recorded in await everything(api.log, Partition(CAMPAIGN_RECORDS, number)):
                for event in events_of(recorded):
                    VALIDATOR(schema(event.type)).validate(orjson.loads(event.body))
                    seen.add(event.type)
        listed = await api.client.get("/api/v1/event-types")
    assert len(seen) > 12
    assert [one["type"] for one in listed.json()["items"]] == list(EVENT_TYPES)


def test_the_document_refers_to_what_it_has() -> None:
    assert all(at(one) is not None for one in references(DOCUMENT))


def test_each_channel_has_every_type() -> None:
    for name, channel in DOCUMENT["channels"].items():
        found = {one["name"] for one in channel["messages"].values()}
        assert found == set(EVENT_TYPES), name
    assert DOCUMENT["channels"]["topic"]["address"] == "campaign.events"
    assert {
        one["channel"]["$ref"].rpartition("/")[2] for one in DOCUMENT["operations"].values()
    } == (set(DOCUMENT["channels"]))
