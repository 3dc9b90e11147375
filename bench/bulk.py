"""A long log, quickly: the records of bench/history.py, from templates, straight into the file.

Making and encoding a record costs more than reading it: for millions, more than the measurement.
So the records of one call are encoded once, as templates for all other calls.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path

import orjson

from bench.history import NOON, PAUSED_EVERY, ROWS_A_CHUNK, history
from campaigns.records.topics import CAMPAIGN_RECORDS
from campaigns.sqlite.file import prepare

CHECKED = 4_000  # Records compared with those of bench/history.py; they include pauses.
A_COMMIT = 20_000  # Records.
_ID = re.compile(rb'"id":"[0-9a-f]{32}"')


def raw_calls(contacts: int) -> Iterator[bytes]:
    """Yield what `history` yields, encoded; only the ids of records without a permission differ."""
    made = history(contacts)
    head = len(range(0, contacts, ROWS_A_CHUNK)) + 2  # The list, the creation, the start.
    yield from (record.encode() for record in islice(made, head))
    templates = [_template(record.encode()) for record in islice(made, 3)]  # Of contact 1.
    pausing = [r.encode() for r in islice(made, 3 * (PAUSED_EVERY - 1), 3 * PAUSED_EVERY - 1)]
    guard = 2  # The campaign's version: created and started.
    first_paused = _seconds((NOON + timedelta(seconds=PAUSED_EVERY)).isoformat())
    for contact in range(1, contacts + 1):
        at = NOON + timedelta(seconds=contact)
        now, later = (_seconds((at + timedelta(seconds=s)).isoformat()) for s in (0, 2))
        values: dict[bytes, bytes | int] = {
            b"contact": contact, b"call": b"%032x" % contact, b"at": now, b"later": later,
            b"guard": guard,
        }  # fmt: skip
        for number, template in enumerate(templates):
            values[b"id"] = b"%x%031x" % (number, contact)
            yield template % values
        if contact % PAUSED_EVERY == 0:
            for raw in pausing:
                again = re.sub(rb'"campaign/12":\d+', b'"campaign/12":%d' % guard, raw)
                yield again.replace(first_paused, now)
                guard += 1


def _seconds(instant: str) -> bytes:
    return instant[:19].encode()


def _template(raw: bytes) -> bytes:
    """Return contact 1's record as a template for all contacts."""
    raw = _ID.sub(b'"id":"@id"', raw.replace(b"%", b"%%"))
    for found, put in (
        (b"contact/12/1", b"contact/12/@contactd"),
        (b'"contact_id":1,', b'"contact_id":@contactd,'),
        (b"%032x" % 1, b"@call"),
        (_seconds((NOON + timedelta(seconds=1)).isoformat()), b"@at"),
        (_seconds((NOON + timedelta(seconds=3)).isoformat()), b"@later"),
        (b'"campaign/12":2', b'"campaign/12":@guardd'),
    ):
        raw = raw.replace(found, put)
    for name, kind in (
        (b"contact", b"d"), (b"guard", b"d"), (b"call", b"s"), (b"at", b"s"), (b"later", b"s"),
        (b"id", b"s"),
    ):  # fmt: skip
        raw = raw.replace(b"@" + name + (kind if kind == b"d" else b""), b"%(" + name + b")" + kind)
    return raw


def check(contacts: int) -> None:
    """Compare the first records with those that `history` makes."""
    for raw, record in islice(zip(raw_calls(contacts), history(contacts), strict=True), CHECKED):
        ours, theirs = orjson.loads(raw), orjson.loads(record.encode())
        ours["id"] = theirs["id"]
        assert ours == theirs, f"expected {theirs}, found {ours}"


def fill(path: Path, records: int) -> int:
    """Make a log of about this many records; return their exact number."""
    contacts = records // 3
    check(contacts)
    prepare(path, 1, read_only=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma synchronous = off")
        raws, position = raw_calls(contacts), 0
        while some := list(islice(raws, A_COMMIT)):
            db.execute("begin")
            db.executemany(
                "insert into records values (?, 0, ?, ?)",
                ((CAMPAIGN_RECORDS, n, raw) for n, raw in enumerate(some, position + 1)),
            )
            db.execute("commit")
            position += len(some)
        db.execute("pragma wal_checkpoint(truncate)")
    return position
