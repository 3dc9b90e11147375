"""What was acknowledged is what the fetch brings: else the log was cut."""

from types import SimpleNamespace

import pytest

from campaigns.errors import LogCutError
from campaigns.kafka_reading import Placed
from campaigns.log_kafka import KafkaLog
from campaigns.record import Recorded
from campaigns.testing import FIRST


def fetched(*values: bytes, first: int = 0) -> list[SimpleNamespace]:
    """What Kafka's client gives: offset and value."""
    return [SimpleNamespace(offset=n, value=raw) for n, raw in enumerate(values, start=first)]


def placed(**at: bytes) -> Placed:
    return Placed({int(position.removeprefix("at")): raw for position, raw in at.items()})


def test_what_was_acknowledged_and_is_fetched_is_forgotten() -> None:
    ours = placed(at2=b"ours", at4=b"later")
    ours.check(FIRST, fetched(b"theirs", b"ours", b"theirs"), None)
    assert ours.raws == {4: b"later"}
    ours.check(FIRST, (), 3)
    ours.check(FIRST, fetched(b"later", b"more", first=3), None)
    assert not ours.raws


@pytest.mark.parametrize(
    ("messages", "end", "found"),
    [
        (fetched(b"theirs", b"another"), None, "another"),
        (fetched(b"theirs", first=5), None, "none"),
        ((), 2, "none"),
    ],
)
def test_what_was_acknowledged_and_is_gone_stops_the_followers(
    messages: list[SimpleNamespace], end: int | None, found: str
) -> None:
    """Brokers that lost it went on without it, and this process with it: two histories."""
    with pytest.raises(LogCutError, match=rf"campaign.records/0@2: .* found {found}: the log was"):
        placed(at2=b"ours").check(FIRST, messages, end)


async def test_a_follower_of_a_log_that_was_cut_is_stopped_behind_what_it_had() -> None:
    log = KafkaLog("127.0.0.1:1", 1)
    tail = log._tails[FIRST]
    follower, _ = tail.join(0)
    log._lines[FIRST] = log._lines_now(FIRST)  # As it is once something was read.
    log._placed(Recorded(FIRST, 0, b"ours", 1), 1)
    assert [one.raw for one in tail.take(follower, 9) or ()] == [b"ours"]
    tail.moved(follower, 1)
    log._deliver(FIRST, fetched(b"another"), None)
    with pytest.raises(LogCutError):
        tail.take(follower, 9)


async def test_an_acknowledgement_on_a_new_connection_places_nothing() -> None:
    """The broker was away: what stands before may be others' by now. The fetch finds out."""
    log = KafkaLog("127.0.0.1:1", 1)
    tail = log._tails[FIRST]
    tail.join(0)
    log._lines[FIRST] = ((1, "a connection"), (1, "a connection"))
    log._placed(Recorded(FIRST, 0, b"ours", 1), 1)
    assert tail.head == 0
    log._lines[FIRST] = log._lines_now(FIRST)
    log._placed(Recorded(FIRST, 0, b"ours", 1), 1)
    assert tail.head == 1, "on the one that was looked at"
