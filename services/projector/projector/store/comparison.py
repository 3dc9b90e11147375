"""Compares two stores row by row, in the order of their keys. Memory holds a row of each."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, String, Table, collate, select

from projector.store.tables import ABOUT, METADATA, OUTBOX, ROWS

VALUE_CHARS_MAX = 60  # Of a value that is shown.
_ROWS_AT_ONCE = 500

Row = tuple[Any, ...]  # Any: a column's own type.


class Difference(NamedTuple):
    """One row that is not the same in both stores. None: it is not there."""

    table: Table
    key: Row
    ours: Row | None
    theirs: Row | None

    def text(self, ours: str, theirs: str) -> str:
        """Say in one line what differs. `ours`, `theirs`: how the stores are called.

        Of contacts' details, which are personal, it shows nothing.
        """
        where = f"{self.table.name.removeprefix('projector_')} {'/'.join(map(str, self.key))}"
        if self.ours is None or self.theirs is None:
            return f"{where}: only in the {ours if self.theirs is None else theirs}"
        if self.table is ROWS:
            return f"{where}: details differ"
        found = [
            f"{name}: {ours} {_short(one)}, {theirs} {_short(other)}"
            for name, one, other in _unlike(self.table, self.ours, self.theirs)
        ]
        return f"{where}: {'; '.join(found)}"


def differences(ours: Connection, theirs: Connection, counted: list[int]) -> Iterator[Difference]:
    """Yield the rows that differ between two snapshots; `counted[0]` is how many were compared.

    Of the outbox only what is missing in `theirs` counts: it may hold events that the other has
    published since.
    """
    for table in METADATA.sorted_tables:
        if table is ABOUT:
            continue
        for key, one, other in _paired(table, in_order(ours, table), in_order(theirs, table)):
            counted[0] += 1
            if one != other and (table is not OUTBOX or one is not None):
                yield Difference(table, key, one, other)


def in_order(tx: Connection, table: Table) -> Iterator[Row]:
    """Yield a table's rows by their keys, texts as their bytes sort: the same in each database."""
    by = "C" if tx.dialect.name == "postgresql" else "BINARY"
    order = [collate(one, by) if isinstance(one.type, String) else one for one in table.primary_key]
    return in_order_of(tx, select(table).order_by(*order))


def in_order_of(tx: Connection, asked: Select[Any]) -> Iterator[Row]:
    """Yield the rows of a query, some in memory at once."""
    streaming = tx.execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE)
    for row in streaming.execute(asked):
        yield tuple(row)


def _paired(
    table: Table, ours: Iterator[Row], theirs: Iterator[Row]
) -> Iterator[tuple[Row, Row | None, Row | None]]:
    size = len(table.primary_key)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[:size] < other[:size]):
            assert one is not None, "one of them is there"
            yield one[:size], one, None
            one = next(ours, None)
        elif one is None or other[:size] < one[:size]:
            yield other[:size], None, other
            other = next(theirs, None)
        else:
            yield one[:size], one, other
            one, other = next(ours, None), next(theirs, None)


def _unlike(table: Table, ours: Row, theirs: Row) -> Iterable[tuple[str, object, object]]:
    """Yield what differs by column, and within JSON by its first level: name and both values."""
    for column, one, other in zip(table.columns, ours, theirs, strict=True):
        if one == other:
            continue
        mine, its = readable(one), readable(other)
        if isinstance(mine, dict) and isinstance(its, dict):
            for name in sorted(mine.keys() | its.keys()):
                if mine.get(name) != its.get(name):
                    yield f"{column.name}.{name}", mine.get(name), its.get(name)
        else:
            yield column.name, mine, its


def readable(value: object) -> object:
    """Return a stored value as JSON has it: blobs are JSON themselves, or shown as hex."""
    if not isinstance(value, bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.hex()


def _short(value: object) -> str:
    text = orjson.dumps(value).decode() if isinstance(value, dict | Sequence) else str(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 1]}…"
