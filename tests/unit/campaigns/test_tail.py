"""What followers of one partition are given, from where, and when they wait."""

import pytest
from aiokafka.structs import RecordMetadata, TopicPartition

from campaigns.kafka.producer import offset_of
from campaigns.log.tail import AHEAD_MAX, Tail
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

FIRST = Partition(CAMPAIGN_RECORDS, 0)


def entries(begin: int, end: int) -> list[Recorded]:
    return [Recorded(FIRST, position, b"no record", 1) for position in range(begin, end)]


def acknowledged(offset: int, begin: int | None) -> RecordMetadata:
    at = TopicPartition("campaign.records", 0)
    return RecordMetadata(at.topic, at.partition, at, offset, -1, 0, begin)


def test_only_what_stands_behind_all_that_was_read_is_next() -> None:
    tail = Tail()
    tail.join(5)
    tail.extend(entries(6, 9))
    assert tail.next_is(9)
    assert not tail.next_is(8), "it was read already"
    assert not tail.next_is(10), "another writer's record is in between"


def test_nothing_is_next_where_nobody_follows_or_all_are_behind_or_reading_has_failed() -> None:
    tail = Tail()
    assert not tail.next_is(1)
    follower, _ = tail.join(0)
    tail.extend(entries(1, AHEAD_MAX + 1))
    assert not tail.next_is(AHEAD_MAX + 1), "no reader has had the earlier records"
    tail.moved(follower, AHEAD_MAX)
    assert tail.next_is(AHEAD_MAX + 1)
    tail.fail(RuntimeError("a record of a later rule"))
    assert not tail.next_is(AHEAD_MAX + 1)


def test_a_follower_is_given_each_record_once_and_then_waits() -> None:
    tail = Tail()
    follower, begin = tail.join(2)
    assert begin == 2
    tail.extend(entries(3, 6))
    batch = tail.take(follower, 2)
    assert batch
    assert [one.position for one in batch] == [3, 4]
    tail.moved(follower, 4)
    assert [one.position for one in tail.take(follower, 10) or ()] == [5]
    tail.moved(follower, 5)
    assert tail.take(follower, 10) == []
    assert not follower.woken.is_set()


def test_who_joins_behind_what_is_kept_reads_by_himself() -> None:
    tail = Tail()
    follower, _ = tail.join(0)
    tail.extend(entries(1, 4))
    tail.moved(follower, 3)
    late, begin = tail.join(1)
    assert begin is None, "the others go on where they are"
    assert tail.take(late, 10) is None


@pytest.mark.parametrize(
    ("found", "offset"),
    [
        (acknowledged(7, 0), 7),
        (acknowledged(0, 0), 0),
        (acknowledged(-1, -1), None),  # A forgotten duplicate.
        (acknowledged(0, -1), None),  # The second record of a batch of those.
        (acknowledged(7, None), None),  # A broker too old to say.
    ],
)
def test_an_acknowledgement_is_a_place_only_if_the_broker_knows_it(
    found: RecordMetadata, offset: int | None
) -> None:
    assert offset_of(found) == offset
