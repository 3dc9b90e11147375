"""What the fast reader accepts, the deciding reader accepts as the same: on any bytes (ADR-0025).

`FUZZED` is the number of byte strings that are tried; `make soak` tries a million.
"""

import os
from collections import Counter
from random import Random
from typing import Annotated, Any, get_args, get_origin

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, to_builtins

from campaigns.domain.facts import FACTS, CallRequested
from campaigns.domain.values.value import Count, Value, hints
from campaigns.process.errors import ContractError, LevelBeyondError
from campaigns.records import fast_reader
from campaigns.records.json_reader import facts_of, read_envelope
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Foreign
from campaigns.records.topics import Partition
from tests.support.mutations_of_records import TIMES, mutated, records, spoilt

FUZZED = int(os.environ.get("FUZZED", "10000"))
NAMES = tuple(name for name in Envelope.__struct_fields__ if name != "entries")


def same(raw: bytes, partition: Partition, partitions: int) -> str:
    """Hold one reader to the other; return what the bytes are."""
    try:
        slow = read_envelope(raw, partition, partitions)
    except LevelBeyondError:
        slow = None
    fast = fast_reader.read(raw, partition, partitions)
    if fast is None:
        return "foreign" if isinstance(slow, Foreign) else "doubt"
    envelope, facts = fast
    assert isinstance(slow, Envelope), (raw, slow)
    for name in NAMES:
        assert shown(getattr(envelope, name)) == shown(getattr(slow, name)), (name, raw)
    assert [one.stream for one in envelope.entries] == [one.stream for one in slow.entries], raw
    try:
        meant = facts_of(slow)
    except ContractError as exc:
        raise AssertionError(f"{raw!r}: {exc}") from exc
    assert facts == meant, raw
    for one, other in zip(facts, meant, strict=True):
        assert type(one) is type(other)
        assert shown(one) == shown(other), raw
    return "fast"


def shown(value: object) -> str:
    """Return a value with the types of all that is in it: 1, 1.0 and true are equal."""
    return repr(to_builtins(value))


def test_both_readers_say_the_same_of_bytes_that_are_nearly_right() -> None:
    seed = int(os.environ.get("FUZZ_SEED", "0"))
    random, made, told = Random(seed), records(), Counter[str]()
    for _ in range(FUZZED):
        partition, partitions, record = random.choice(made)
        told[same(mutated(record, random), partition, partitions)] += 1
    assert min(told["fast"], told["foreign"], told["doubt"]) > FUZZED / 50, told


def test_both_readers_say_the_same_of_any_strange_value_in_any_place() -> None:
    told = Counter[str]()
    for partition, partitions, record in records():
        for raw in spoilt(record):
            told[same(raw, partition, partitions)] += 1
    assert min(told["fast"], told["foreign"], told["doubt"]) > 1_000, told


@pytest.mark.parametrize("inside", [None, "other"])
@pytest.mark.parametrize("aside", [None, "simulated"])
def test_what_stands_in_the_data_and_aside_counts_as_in_the_data(
    inside: str | None, aside: str | None
) -> None:
    (made,) = [one for one in records() if one[2]["facts"][0]["type"] == "call-requested.v1"]
    partition, partitions, record = made
    (offered,) = record["facts"]
    twice = offered | {"data": offered["data"] | {"carrier": inside}, "aside": {"carrier": aside}}
    raw = orjson.dumps(record | {"facts": [twice]})
    same(raw, partition, partitions)
    (fact,) = Recorded(partition, 1, raw, partitions).facts
    assert isinstance(fact, CallRequested)
    assert fact.carrier == inside
    (fact,) = Recorded(partition, 1, orjson.dumps(record), partitions).facts
    assert isinstance(fact, CallRequested)
    assert fact.carrier == "simulated", "and where it stands aside alone, it is that"


def test_every_sample_is_read_fast_but_for_what_may_be_any_json() -> None:
    slow = Counter[str]()
    for partition, partitions, record in records():
        if same(orjson.dumps(record), partition, partitions) != "fast":
            slow[record["facts"][0]["type"]] += 1
    assert set(slow) <= {"campaign-created.v1", "campaign-updated.v1"}


@given(st.binary(max_size=200))
def test_both_readers_say_the_same_of_any_bytes(raw: bytes) -> None:
    assert same(raw, Partition("campaign.records", 6), 12) != "fast"


@pytest.mark.parametrize("time", TIMES)
def test_both_readers_say_the_same_of_any_spelling_of_a_time(time: bytes) -> None:
    for partition, partitions, record in records():
        raw = orjson.dumps(record)
        for name, value in record["facts"][0]["data"].items():
            if name.endswith(("_at", "_by")) and isinstance(value, str):
                same(raw.replace(orjson.dumps(value), time), partition, partitions)


def test_a_recorded_entry_is_what_the_deciding_reader_makes_of_it() -> None:
    """The one who is asked in doubt is the one who decides: a stream that is misplaced, say."""
    partition, partitions, record = records()[0]
    elsewhere = Partition(partition.topic, (partition.number + 1) % partitions)
    raw = orjson.dumps(record)
    assert fast_reader.read(raw, elsewhere, partitions) is None
    found = Recorded(elsewhere, 1, raw, partitions).envelope
    assert isinstance(found, Foreign)
    assert found == read_envelope(raw, elsewhere, partitions)


def unbounded(hint: Any) -> bool:  # Any: a declaration.
    """Say whether a number is declared in which the parsers differ: of 2**64 one makes a float."""
    if get_origin(hint) is Annotated and get_args(hint)[0] is int:
        bounds = [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]
        low = any(one.ge is not None or one.gt is not None for one in bounds)
        return not (low and any(one.le is not None for one in bounds))
    if isinstance(hint, type) and issubclass(hint, Value):
        return any(map(unbounded, hints(hint).values()))
    return hint is int or any(map(unbounded, get_args(hint)))


def test_every_number_of_a_fact_has_bounds_that_both_parsers_keep_to() -> None:
    assert unbounded(int) and unbounded(tuple[int, ...]) and not unbounded(Count)
    for fact in FACTS:
        for name, hint in hints(fact).items():
            assert not unbounded(hint), f"{fact.__name__}.{name}: Int, Count or PositiveInt"
