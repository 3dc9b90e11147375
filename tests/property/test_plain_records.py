"""A record that is copied into a line of `log --json` is one that would be written so (ADR-0034).

`FUZZED` is the number of byte strings that are tried; `make soak` tries a million.
"""

import os
import re
import struct
from collections import Counter
from random import Random

import msgspec
import orjson
import pytest
from msgspec import convert, to_builtins

from campaigns.audit.masks import masked, personal
from campaigns.audit.rulings import Ruled, RulingKind
from campaigns.domain.facts import TAGS
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.process.errors import ContractError
from campaigns.records.log_entry import Recorded
from campaigns.records.offer import offer
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition
from dialgate.pictures.record_lines import json_lines, masked_line, shape
from tests.support.mutations_of_records import mutated, records

FUZZED = int(os.environ.get("FUZZED", "10000"))
CALLS = ("call-requested", "call-started", "call-abandoned", "call-ended", "call-late")


def copied(raw: bytes, partition: Partition, partitions: int) -> str:
    """Hold the short way to the long one; return which one the line took."""
    recorded = Recorded(partition, 7, raw, partitions)
    try:
        if not isinstance(recorded.envelope, Envelope) or not recorded.facts:
            return "no record"
    except ContractError:
        return "no record"
    ruled = Ruled(recorded, RulingKind.ACCEPTED, None)
    for reveal in (True, False):
        line = shape(ruled, whole=True)
        expected = orjson.dumps(line if reveal else masked_line(line))
        assert json_lines([ruled], reveal=reveal) == [expected], raw
    return "short" if recorded.plain else "long"


def respelt(raw: bytes, random: Random) -> bytes:
    """Spell one place of a record in another way, which mostly means the same."""
    pattern, spellings = random.choice(
        [
            (rb"(?<=[,:{}\[\]])", [b" ", b"\n", b"\t"]),
            (rb"(?<=[0-9])(?=[,}])", [b".0", b"e0", b"E+0", b"0", b"e-7", b"e17", b"000000000000"]),
            (rb"(?<=\{)(?=\")", [b'"id":"x",', b'"campaign_id":12,', b'"type":"x",']),
            (rb"(?<=\")(?=,)", [b',"id":"x"', b',"stream":"contact/6/1"']),
            (rb"(?<=[a-z])(?=[a-z])", [b"\\/", b"\\n", b"\\u0041", b"\x7f", "é\u200b".encode()]),
            (rb"(?<=:)(?=[0-9])", [b"-", b"0", b"1"]),
        ]
    )
    places = [found.start() for found in re.finditer(pattern, raw)]
    if not places:
        return raw
    at = random.choice(places)
    return raw[:at] + random.choice(spellings) + raw[at:]


def test_lines_are_the_same_of_bytes_that_are_nearly_right() -> None:
    random, made, told = Random(int(os.environ.get("FUZZ_SEED", "0"))), records(), Counter[str]()
    for _ in range(FUZZED // 4):
        partition, partitions, record = random.choice(made)
        told[copied(mutated(record, random), partition, partitions)] += 1
    assert min(told["short"], told["long"]) > FUZZED / 200, told


def test_lines_are_the_same_however_a_record_is_spelt() -> None:
    random, told = Random(int(os.environ.get("FUZZ_SEED", "0"))), Counter[str]()
    raws = [(where, count, orjson.dumps(record)) for where, count, record in records()]
    for _ in range(FUZZED // 4):
        partition, partitions, raw = random.choice(raws)
        told[copied(respelt(raw, random), partition, partitions)] += 1
    assert min(told["short"], told["long"]) > FUZZED / 200, told


@pytest.mark.parametrize("name", CALLS)
def test_the_records_of_calls_take_the_short_way(name: str) -> None:
    """As this build writes them: some samples are of builds before a field was added."""
    of_calls = [one for one in records() if one[2]["facts"][0]["type"].startswith(name)]
    for partition, partitions, record in of_calls:
        facts = Recorded(partition, 1, orjson.dumps(record), partitions).facts
        written = [offer(fact, LEVEL_NEWEST) for fact in facts]
        assert copied(orjson.dumps(record | {"facts": written}), partition, partitions) == "short"
    assert of_calls


def test_a_permission_takes_the_short_way_with_its_carrier_and_without_one() -> None:
    (asked,) = [one for one in records() if one[2]["facts"][0]["type"] == "call-requested.v1"]
    partition, partitions, record = asked
    (fact,) = Recorded(partition, 1, orjson.dumps(record), partitions).facts
    for carrier in ("ours", None):
        written = offer(convert(to_builtins(fact) | {"carrier": carrier}, type(fact)), LEVEL_NEWEST)
        assert ("aside" in written) is (carrier is not None)
        raw = orjson.dumps(record | {"facts": [written]})
        assert copied(raw, partition, partitions) == "short", raw


def test_a_number_that_the_writers_spell_in_two_ways_is_not_copied() -> None:
    (asked,) = [one for one in records() if one[2]["facts"][0]["type"] == "call-requested.v1"]
    partition, partitions, record = asked
    for lease, way in ((2.5, "short"), (1e17, "long")):
        data = record["facts"][0]["data"] | {"lease_s": lease, "tried": False}
        fact = record["facts"][0] | {"data": data}
        raw = msgspec.json.encode(record | {"facts": [fact]})
        assert copied(raw, partition, partitions) == way


def test_numbers_are_written_by_both_writers_alike_as_far_as_they_are_trusted() -> None:
    random = Random(0)
    for _ in range(20_000):
        number = random.choice([-1, 1]) * random.random() * 10 ** random.randint(-300, 15)
        assert msgspec.json.encode(number) == orjson.dumps(number)
    assert msgspec.json.encode(1e16) != orjson.dumps(1e16), "beyond, they are not"
    (tiny,) = struct.unpack("d", (1).to_bytes(8, "little"))
    assert msgspec.json.encode(tiny) == orjson.dumps(tiny)


def test_what_a_mask_would_change_is_known_from_the_fact_alone() -> None:
    seen = set[bool]()
    for partition, partitions, record in records():
        recorded = Recorded(partition, 1, orjson.dumps(record), partitions)
        for fact, offered in zip(recorded.facts, recorded.offered, strict=True):
            assert TAGS[offered["type"]] is type(fact)
            changed = masked(offered["type"], offered["data"]) is not offered["data"]
            assert personal(fact) is changed, fact
            seen.add(changed)
    assert seen == {True, False}
