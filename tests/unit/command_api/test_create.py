"""Ids, keys and facts of a create, by example."""

from collections import Counter
from dataclasses import replace

import pytest

from campaigns.domain.facts import (
    CampaignCreated,
    CampaignType,
    ContactsAdded,
    CreateKeyed,
)
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.testing.sample_records import NOON
from command_api.commands.create import (
    CreateCampaign,
    decide,
    free_id,
    key_digest,
    keyed_stream,
    partition_number,
)

COMMAND = CreateCampaign(
    organization_id=7, assistant_id=1, name="March", description=None,
    campaign_type=CampaignType.CALL, welcome_message_template=None, agenda_template=None,
    end_call_message_template=None, sms_message_template=None, fallback_values={},
    variable_mappings={}, available_variables=("name",), settings=CampaignSettings(),
    phone_number_id=None, pending_import=None, now=NOON,
)  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 2, 12])
def test_free_ids_belong_in_their_partition_and_leave_no_gap(partitions: int) -> None:
    for number in range(partitions):
        highest, given = 0, []
        for _ in range(5):
            highest = free_id(highest, 1, number, partitions)
            given.append(highest)
        first = number or partitions
        assert given == [first + n * partitions for n in range(5)]


def test_creates_in_flight_take_the_next_free_ids() -> None:
    assert [free_id(0, kth, 0, 12) for kth in (1, 2, 3)] == [12, 24, 36]
    assert [free_id(24, kth, 0, 12) for kth in (1, 2, 3)] == [36, 48, 60]
    assert [free_id(0, kth, 5, 12) for kth in (1, 2)] == [5, 17]


def test_a_key_chooses_the_partition_evenly_and_everywhere_alike() -> None:
    numbers = [partition_number(key_digest(f"key {n}"), 12) for n in range(1200)]
    assert numbers == [partition_number(key_digest(f"key {n}"), 12) for n in range(1200)]
    assert all(70 < count < 130 for count in Counter(numbers).values())


def test_a_key_of_any_characters_names_a_stream() -> None:
    stream = keyed_stream(7, key_digest("höchst/seltsam\n"))
    kind, organization, digest = stream.split("/")
    assert (kind, organization, len(digest)) == ("create", "7", 64)


def test_a_create_is_one_fact() -> None:
    (created,) = decide(COMMAND, 24, keyed=None, import_id=None, rows=0, chunks=())
    assert isinstance(created, CampaignCreated)
    assert (created.campaign_id, created.organization_id, created.name) == (24, 7, "March")
    assert (created.import_id, created.rows, created.created_at) == (None, 0, NOON)


def test_a_key_and_a_short_list_count_with_it_or_not_at_all() -> None:
    chunk = ContactsAdded(import_id="list", first_row=1, rows=(Row(phone_number="+15551234567"),))
    facts = decide(
        COMMAND, 24, keyed=("digest", "request"), import_id="list", rows=1, chunks=[chunk]
    )
    added, created, keyed = facts
    assert added == chunk
    assert isinstance(created, CampaignCreated)
    assert (created.import_id, created.rows) == ("list", 1)
    assert keyed == CreateKeyed(
        organization_id=7, digest="digest", campaign_id=24, request_digest="request"
    )


def test_a_key_belongs_to_its_organization() -> None:
    other = replace(COMMAND, organization_id=8)
    for command in (COMMAND, other):
        keyed = decide(command, 1, keyed=("d", "r"), import_id=None, rows=0, chunks=())[-1]
        assert keyed.stream == keyed_stream(command.organization_id, "d")
    assert keyed_stream(7, "d") != keyed_stream(8, "d")
