"""Every accepted fact is found again by its ordinal, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from campaigns.domain.facts import CampaignPaused
from campaigns.domain.values.stream_names import Stream
from campaigns.eventsourcing import ordinals
from campaigns.eventsourcing.ordinals import STRIDE, Ordinals
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.testing.sample_records import FIRST, NOON

PAUSED = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)


def recorded(position: int, facts: int, weight: int = 0, campaign_id: int = 1) -> Recorded:
    """A record of this many facts; 0: foreign bytes."""
    fact = replace(PAUSED, campaign_id=campaign_id)
    record = Record(
        f"r{position}", NOON, "x" * weight or "x", "t", "t", None, {fact.stream: 0}, (fact,) * facts
    )
    return Recorded(FIRST, position, record.encode() if facts else b"garbage", 1)


def numbered(log: list[Recorded], accepted: set[int]) -> tuple[Ordinals, list[int]]:
    """Return the ordinals of a log, and each fact's position, by ordinal - 1."""
    found, positions = Ordinals(), list[int]()
    for one in log:
        if one.position in accepted:
            found.accept(one)
            assert isinstance(one.envelope, Envelope)
            positions += [one.position] * len(one.envelope.entries)
    return found, positions


def found_again(log: list[Recorded], index: Ordinals, ordinal: int) -> int:
    """Return the position of a fact, found by reading the log from the index on."""
    position, before = index.place(ordinal)
    for one in log[position:]:
        for counted in index.counting([one]):
            before += len(counted.offered)
        if before >= ordinal:
            return one.position
    raise AssertionError(f"no fact has the ordinal {ordinal}")


@given(st.lists(st.tuples(st.sampled_from([0, 1, 1, 2, 700]), st.booleans()), max_size=30))
def test_every_accepted_fact_is_found_again_and_nothing_else_has_an_ordinal(
    entries: list[tuple[int, bool]],
) -> None:
    log = [recorded(position, facts) for position, (facts, _) in enumerate(entries, start=1)]
    accepted = {n for n, (facts, ok) in enumerate(entries, start=1) if facts and ok}
    index, positions = numbered(log, accepted)
    assert index.facts == len(positions)
    assert {one.position for one in log if index.accepted(one.position)} == accepted
    for ordinal in {1, 2, STRIDE, STRIDE + 1, len(positions) // 2, len(positions)}:
        if 1 <= ordinal <= len(positions):
            assert found_again(log, index, ordinal) == positions[ordinal - 1]
            kept = index.kept(ordinal, 1)
            assert kept is not None, "as few as these stay in memory"
            before, (one,) = kept
            assert one.position == positions[ordinal - 1]
            assert before == positions.index(one.position)


def test_what_is_read_on_begins_close_by() -> None:
    log = [recorded(position, 1) for position in range(1, 5 * STRIDE)]
    index, _ = numbered(log, set(range(1, 5 * STRIDE)))
    for ordinal in range(1, index.facts + 1):
        position, before = index.place(ordinal)
        assert position == before <= ordinal - 1 < position + STRIDE


def test_a_stream_is_looked_for_where_it_may_be() -> None:
    """Its facts are never passed over, and few stretches that lack it are read."""
    log = [recorded(n, 1, campaign_id=1 + n % 97) for n in range(1, 40 * STRIDE)]
    places = [7, 20 * STRIDE, 20 * STRIDE + 1, 40 * STRIDE - 1]
    for n in places:
        log[n - 1] = recorded(n, 1, campaign_id=1_000)
    index, _ = numbered(log, set(range(1, 40 * STRIDE)))
    looked_at, ordinal = set[int](), 1
    while (found := index.holding(Stream("campaign/1000"), ordinal)) is not None:
        looked_at.add((found - 1) // STRIDE)
        ordinal = (found - 1) // STRIDE * STRIDE + STRIDE + 1
    assert {(n - 1) // STRIDE for n in places} <= looked_at
    assert len(looked_at) <= 10
    assert index.holding(Stream("campaign/1000"), 20 * STRIDE + 1) == 20 * STRIDE + 1


def test_only_the_newest_records_stay_in_memory() -> None:
    count = ordinals.KEPT_MAX + 100
    index, _ = numbered(
        [recorded(position, 1) for position in range(1, count + 1)], set(range(1, count + 1))
    )
    assert index.kept(1, 1) is None
    before, newest = index.kept(index.facts, 10) or (0, ())
    assert (before, [one.position for one in newest]) == (count - 1, [count])


def test_large_records_do_not_fill_the_memory() -> None:
    index = Ordinals()
    for position in range(1, 101):
        index.accept(recorded(position, 1, weight=200_000))
    first = next(n for n in range(1, 101) if index.kept(n, 1))
    _, kept = index.kept(first, 100) or (0, ())
    assert 1 < len(kept) <= ordinals.KEPT_BYTES_MAX / 200_000
