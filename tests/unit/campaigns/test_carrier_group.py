"""Only members with the group's carrier share its work, whichever member leads."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as Assignment

from campaigns.kafka.carrier_group import Sharing

TOPIC = "records"
CLUSTER = SimpleNamespace(topics=lambda: {TOPIC}, partitions_for_topic=lambda _: {0, 1, 2, 3})


def member(carrier: str | None, *has: int) -> Sharing:
    made = Sharing(lambda: carrier)
    made.member_assignment = [TopicPartition(TOPIC, number) for number in has]
    return made


def shared(members: Mapping[str, Any], leader: str | None = None) -> dict[str, Any]:
    """Let one lead; return how many partitions each has, or the carrier it is refused for."""
    said = {name: one.metadata([TOPIC]) for name, one in members.items()}
    led = members[leader or next(iter(members))].assign(CLUSTER, said)
    found: dict[str, Any] = {}
    for name, assignment in led.items():
        one = members[name]
        again = Assignment.decode(assignment.encode())
        found[name] = len(again.partitions())
        if isinstance(one, Sharing):
            one.on_assignment(again)
            found[name] = one.refused_for or found[name]
    return found


@pytest.mark.parametrize("leader", ["a", "b"])
def test_who_works_already_says_the_carrier(leader: str) -> None:
    for mine, theirs in (("x", "y"), ("y", "x")):
        members = {"a": member(mine), "b": member(theirs, 0, 1, 2, 3)}
        assert shared(members, leader) == {"a": theirs, "b": 4}


def test_one_carrier_is_shared() -> None:
    assert shared({"a": member("x"), "b": member("x", 0, 1, 2, 3)}) == {"a": 2, "b": 2}


@pytest.mark.parametrize("leader", ["a", "b", "c"])
def test_none_works_yet_and_one_carrier_is_taken_by_all_alike(leader: str) -> None:
    members = {"a": member("y"), "b": member("x"), "c": member("x")}
    assert shared(members, leader) == {"a": "x", "b": 2, "c": 2}


def test_more_members_than_partitions_is_no_refusal() -> None:
    members = {name: member("x") for name in "abcde"}
    assert sorted(shared(members).values(), key=str) == [0, 1, 1, 1, 1]


def test_who_says_no_carrier_fits() -> None:
    assert shared({"a": member(None), "b": member("x", 0, 1, 2, 3)}) == {"a": 2, "b": 2}
    assert shared({"a": member("x"), "b": member(None, 0, 1, 2, 3)}) == {"a": 2, "b": 2}
    assert shared({"a": member(None), "b": member(None)}) == {"a": 2, "b": 2}


def test_the_older_build_shares_and_leads() -> None:
    class Older(StickyPartitionAssignor):  # type: ignore[misc]
        member_assignment = tuple(TopicPartition(TOPIC, number) for number in range(4))

    for leader in ("a", "old"):
        assert shared({"a": member("x"), "old": Older}, leader) == {"a": 2, "old": 2}
    held = {"a": member("x", 0, 1), "b": member("x", 2, 3), "old": Older}
    assert sum(shared(held, "old").values()) == 4


def test_an_exchange_that_one_notices_first_ends_with_both_at_work() -> None:
    now = {"a": "old", "b": "old"}
    members = {name: Sharing(lambda name=name: now[name]) for name in now}  # type: ignore[misc]
    assert shared(members) == {"a": 2, "b": 2}
    for first in ("a", "b"):
        new = f"exchanged-{first}"
        now[first] = new
        assert members[first].stale
        found = shared(members)
        assert 4 in found.values(), "one of them has all of it meanwhile"
        now.update(a=new, b=new)
        assert shared(members) == {"a": 2, "b": 2}
        assert not any(one.stale for one in members.values())


def test_a_carrier_that_is_not_known_for_a_while_is_the_one_it_was() -> None:
    now: list[str | None] = ["x"]
    one = Sharing(lambda: now[0])
    one.metadata([TOPIC])
    now[0] = None
    assert not one.stale
    one.metadata([TOPIC])
    assert one.said == "x"


def test_the_others_have_gone_and_it_starts() -> None:
    members = {"a": member("x"), "b": member("y", 0, 1, 2, 3)}
    assert shared(members) == {"a": "y", "b": 4}
    del members["b"]
    assert shared(members) == {"a": 4}
