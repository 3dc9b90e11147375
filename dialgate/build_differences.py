"""Where two builds differ in what they make of one log: in rows of views, or in rulings. Pure."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from campaigns.audit.masks import masked_text
from campaigns.records.topics import Partition, partition_of

VALUE_CHARS_MAX = 60  # Of a value that is shown.

Line = dict[str, Any]  # Any: JSON.
Lines = AsyncIterator[Line]
_NO_TABLES: Line = {"tables": {}}


@dataclass
class Compared:
    """Where two builds differ."""

    what: str  # "rows", or "rulings" if the other build cannot print its views.
    shown_max: int
    compared: int = 0  # Rows, or records.
    differences: int = 0
    by_field: Counter[str] = field(default_factory=Counter)  # In how many rows each differs.
    by_campaign: Counter[int] = field(default_factory=Counter)  # In how many rows.
    shown: list[str] = field(default_factory=list)  # The first differences, in words.

    def note(self, kind: str, key: str, campaign_id: int | None, unlike: Mapping[str, str]) -> None:
        """Note one row that differs. `unlike`: in which fields, each in words."""
        self.differences += 1
        self.by_field.update(f"{kind}.{name}" if name else kind for name in unlike)
        if campaign_id is not None:
            self.by_campaign[campaign_id] += 1
        if len(self.shown) < self.shown_max:
            self.shown.append(f"{kind} {key}: {'; '.join(islice(unlike.values(), 10))}")


async def views(ours: Lines, theirs: Lines, shown_max: int) -> Compared:
    """Compare two streams of projector.view_lines: rows by table and key, both in that order.

    A table or column that only one build has is one difference, not one a row.
    """
    found = Compared("rows", shown_max)
    tables = (await anext(ours, _NO_TABLES))["tables"]
    columns = (await anext(theirs, _NO_TABLES))["tables"]
    both = tables.keys() & columns.keys()
    for name in sorted(tables.keys() ^ columns.keys()):
        where = "this" if name in tables else "the other"
        found.note("table", name, None, {"": f"only in {where} build"})
    for name in sorted(both):
        for column in sorted(set(tables[name]) ^ set(columns[name])):
            where = "this" if column in tables[name] else "the other"
            found.note("column", f"{name}.{column}", None, {"": f"only in {where} build"})
    shared = {name: sorted(set(tables[name]) & set(columns[name])) for name in both}
    async for one, other in _paired(ours, theirs):
        row = one or other
        assert row is not None, "one of them is there"
        if (names := shared.get(row["table"])) is None:
            continue
        found.compared += 1
        if unlike := dict(_unlike(one, other, names)):
            kind, key = row["table"].removeprefix("projector_"), "/".join(map(str, row["key"]))
            found.note(kind, key, row["row"].get("campaign_id"), unlike)
    return found


async def _paired(ours: Lines, theirs: Lines) -> AsyncIterator[tuple[Line | None, Line | None]]:
    one, other = await anext(ours, None), await anext(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _place(one) < _place(other)):
            yield one, None
            one = await anext(ours, None)
        elif one is None or _place(other) < _place(one):
            yield None, other
            other = await anext(theirs, None)
        else:
            yield one, other
            one, other = await anext(ours, None), await anext(theirs, None)


def _place(line: Line) -> tuple[str, list[Any]]:
    return line["table"], line["key"]


def _unlike(one: Line | None, other: Line | None, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the fields that differ, those of JSON by their first level, each in words."""
    if one is None or other is None:
        yield "", f"only in {'this' if other is None else 'the other'} build"
        return
    for name in names:
        mine, its = one["row"][name], other["row"][name]
        if mine == its:
            continue
        if isinstance(mine, dict) and isinstance(its, dict):
            for part in sorted(mine.keys() | its.keys()):
                if _written(mine.get(part)) != _written(its.get(part)):
                    yield f"{name}.{part}", _words(f"{name}.{part}", mine.get(part), its.get(part))
        elif name == "details":  # Of a contact: personal.
            yield name, "details differ"
        else:
            yield name, _words(name, mine, its)


def _written(value: object) -> object:
    """Return a value as every build writes it: some write UTC as +00:00, others as Z."""
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


def _words(name: str, mine: object, its: object) -> str:
    return f"{name} {_short(mine)} here, {_short(its)} there"


def _short(value: object) -> str:
    text = masked_text(str(value))  # What a carrier said of a call is in a contact's state.
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 1]}…"


async def rulings(
    ours: Lines, theirs: Lines, ends: Mapping[Partition, int], shown_max: int
) -> Compared:
    """Compare two streams of `dialgate replay --json`, up to `ends`: the log may grow meanwhile."""
    found = Compared("rulings", shown_max)
    mine, its = _within(ours, ends), _within(theirs, ends)
    while True:
        one, other = await anext(mine, None), await anext(its, None)
        if one is None and other is None:
            return found
        found.compared += 1
        at = (one or other or {})["at"]
        if one is None or other is None or one["at"] != other["at"]:
            found.note("record", at, None, {"": "only one build reads it"})
            return found  # What follows would be compared with something else.
        if one["ruling"] != other["ruling"]:
            unlike = {"ruling": f"{one['ruling']} here, {other['ruling']} there"}
            found.note("record", at, None, unlike)


async def _within(lines: Lines, ends: Mapping[Partition, int]) -> Lines:
    async for line in lines:
        name, _, position = line["at"].rpartition("@")
        if int(position) <= ends.get(partition_of(name), 0):
            yield line
