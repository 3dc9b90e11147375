"""Records as bytes that are nearly right: of every fact's stored sample, mutated in every way.

JSON is kept as pieces of text here, so that a name may stand twice and a number be spelled as no
writer of ours would.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson

from campaigns.domain.facts import TAGS
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATIONS,
    Partition,
)

SAMPLES = Path(__file__).parent.parent / "contract" / "samples"
PARTITIONS = 12

Node = bytes | list[Any]  # A JSON text; ["object", [name, node] …]; or ["array", node …].

VALUES = (
    *r"""
null true false 0 -0 1 -1 1.0 1.5 1e0 1E2 1e400 -1e400 1e-400 0.1e1 01 1. .5 +1 - NaN Infinity 16
9007199254740991 9007199254740992 9007199254740993 9007199254740994 9999999999999999
10000000000000000 9223372036854775807 9223372036854775808 18446744073709551615
18446744073709551616 -9223372036854775808 -9223372036854775809 -9007199254740993
123456789012345678901234567890 1.7976931348623157e308 1.7976931348623159e308 4.9e-324
0.30000000000000004 2.00000000000000000001 12.3456789 tru nul
"" "x" "1" "true" "call" "Call" "42" "09:00" "9:00" "24:00" "25:00" "09:00\n" "09:00\u000a"
"\ud800" "\ud83d\ude00" "\udc00" "\u0000" "\u0041" "\/" "\x" "é"
"campaign/42" "campaign/43" "contact/42/7" "campaign/042" "campaign/42/1" "campaign/4\u0032"
[] {} [1] [true] ["a"] {"a":1} {"a":"b"} {"a":null} [null] [[]] {"a":{"a":18446744073709551616}}
""".encode().split(),
    b"[" * 60 + b"]" * 60,
    b"[" * 1_030 + b"]" * 1_030,
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"a\tb"',
    b"\xef\xbb\xbf1",
)
TIMES = tuple(
    f'"{text}"'.encode()
    for text in """
2026-03-01T12:00:00Z
2026-03-01T12:00:00+00:00
2026-03-01T12:00:00-00:00
2026-03-01T12:00:00+0000
2026-03-01T12:00:00+00
2026-03-01T12:00:00+01:30
2026-03-01T12:00:00+23:59
2026-03-01T12:00:00+24:00
2026-03-01T12:00:00-23:59
2026-03-01T12:00:00+00:60
2026-03-01T12:00:00 Z
2026-03-01T12:00:00
2026-03-01 12:00:00Z
2026-03-01_12:00:00Z
2026-03-01t12:00:00z
2026-03-01T12:00Z
2026-03-01T12Z
2026-03-01T12:00:60Z
2026-03-01T24:00:00Z
2026-03-01T23:59:59.9999999Z
2026-03-01T12:00:00.1Z
2026-03-01T12:00:00.123456Z
2026-03-01T12:00:00.1234565Z
2026-03-01T12:00:00.123456\\u0037Z
2026-03-01T12:00:00.123456789Z
2026-03-01T12:00:00.Z
2026-03-01T12:00:00,5Z
2026-02-29T12:00:00Z
2026-13-01T12:00:00Z
0000-01-01T00:00:00Z
0001-01-01T00:00:00+23:59
9999-12-31T23:59:59.999999-23:59
9999-12-31T23:59:59.9999999Z
10000-01-01T00:00:00Z
2026-3-1T12:00:00Z
20260301T120000Z
2026-W10-1T12:00:00Z
1772366400
1772366400.5
2026-03-01
 2026-03-01T12:00:00Z
""".strip("\n").split("\n")
)  # fmt: skip


def parsed(found: object) -> Node:
    """Return JSON as pieces of text."""
    if isinstance(found, dict):
        return ["object", *([orjson.dumps(name), parsed(one)] for name, one in found.items())]
    if isinstance(found, list):
        return ["array", *map(parsed, found)]
    return orjson.dumps(found)


def written(node: Node) -> bytes:
    """Return the pieces as one text."""
    if isinstance(node, bytes):
        return node
    if node[0] == "object":
        return b"{" + b",".join(name + b":" + written(one) for name, one in node[1:]) + b"}"
    return b"[" + b",".join(map(written, node[1:])) + b"]"


HOURS = {"start": "09:00", "end": "24:00", "days": [1, 2], "time_zone": "Europe/Berlin"}


def _facts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each fact's stored sample; and what samples leave out."""
    for tag in TAGS:
        data = orjson.loads((SAMPLES / f"{tag}.json").read_bytes())
        yield tag, data
        if tag == "campaign-created.v1":
            settings = {"max_attempts": 2, "calling_hours": HOURS}
            yield tag, data | {"settings": settings, "pending_import": None}


def records() -> list[tuple[Partition, int, dict[str, Any]]]:
    """Return a record of each fact, where it belongs; and one of two facts."""
    found = []
    for tag, data in _facts():
        stream = TAGS[tag].validated(data).stream
        partition, partitions = Partition(CAMPAIGN_RECORDS, 42 % PARTITIONS), PARTITIONS
        if stream.startswith(("organization/", "installation/")):
            partition, partitions = (ORGANIZATIONS, 1) if stream[0] == "o" else (INSTALLATION, 1)
        elif "campaign_id" in data and stream.startswith("c"):
            partition = Partition(CAMPAIGN_RECORDS, data["campaign_id"] % PARTITIONS)
        offered = {"type": tag, "stream": stream, "data": data}
        if tag == "call-requested.v1":
            offered["aside"] = {"carrier": "simulated"}
        record: dict[str, Any] = {
            "dialgate": 2, "id": data.get("call_id", "r1"), "time": "2026-03-01T12:00:00+00:00",
            "source": "api/1", "actor": "dg", "correlation_id": "c1", "causation_id": None,
            "condition": {stream: 3}, "facts": [offered],
        }  # fmt: skip
        found.append((partition, partitions, record))
        if tag == "campaign-paused.v1":
            more = {"facts": [offered, offered], "idempotency": {"key": "k", "digest": "d"}}
            guarded = {"condition": {stream: 0, f"contact/{data['campaign_id']}/1": 2}}
            found.append((partition, partitions, record | more | guarded))
    return found


def spoilt(record: dict[str, Any]) -> Iterator[bytes]:
    """Yield a record's bytes with each of its values replaced by each that is strange."""
    root = parsed(record)
    for holder in [node for node in _nodes(root) if isinstance(node, list)]:
        for at in range(1, len(holder)):
            kept = holder[at]
            for value in VALUES + TIMES:
                holder[at] = value if holder[0] == "array" else [kept[0], value]
                yield written(root)
            holder[at] = kept


def mutated(record: dict[str, Any], random: Random) -> bytes:
    """Return a record's bytes with some things wrong, or spelled strangely; one in ten as it is."""
    root = parsed(record)
    for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2, 2, 3, 5))):
        _mutate(root, random)
    raw = written(root)
    if random.random() < 0.15:
        raw = _scratched(raw, random)
    return raw


def _mutate(root: Node, random: Random) -> None:
    holders = [node for node in _nodes(root) if isinstance(node, list) and len(node) > 1]
    if not holders:
        return
    holder = random.choice(holders)
    at = random.randrange(1, len(holder))
    value = random.choice(TIMES if random.random() < 0.3 else VALUES)
    if holder[0] == "array":
        holder[at] = value
        return
    name, now = holder[at]
    match random.randrange(8):
        case 0 | 1 | 2:
            holder[at] = [name, value]
        case 3:
            del holder[at]
        case 4:  # Twice: the last one counts.
            holder.insert(random.randrange(1, len(holder) + 1), [name, random.choice((now, value))])
        case 5:
            new = random.choice(
                (b'"new"', b'"carrier"', b'"aside"', b'"type"', b'"data"', b'""', name)
            )
            holder.insert(random.randrange(1, len(holder) + 1), [new, value])
        case 6:  # The same name in disguise.
            spelt = f'"\\u{name[1]:04x}'.encode() + name[2:] if len(name) > 2 else name
            holder[at] = [spelt, now]
        case 7:
            items = holder[1:]
            random.shuffle(items)
            holder[1:] = items


def _nodes(node: Node) -> list[Node]:
    found = [node]
    if isinstance(node, list):
        for one in node[1:]:
            found += _nodes(one[1] if node[0] == "object" else one)
    return found


def _scratched(raw: bytes, random: Random) -> bytes:
    at = random.randrange(len(raw))
    piece = random.choice((b"", b"\x00", *(bytes((one,)) for one in b' \n"\\,}0.9e-\xff\xc3')))
    match random.randrange(5):
        case 0:
            return raw[:at] + piece + raw[at:]
        case 1:
            return raw[:at] + piece + raw[at + 1 :]
        case 2:
            return raw[:at]
        case 3:
            return raw + piece
        case _:
            return piece + raw
