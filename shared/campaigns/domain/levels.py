"""What a fact needs of its readers: feature levels, and fields that may be ignored. Pure.

A level is what all processes of an installation can read. The declarations of facts say which
level they need (ADR-0014): a fact by `SINCE`, a field by `Since`, a value of an enumeration beside
the value; nested values count too. A field marked `ASIDE` is written beside the fact's data at any
level: readers that do not know it ignore it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self, get_args

from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from campaigns.domain.values.value import Value, hints

LEVEL_OLDEST = 1  # Of every log that states no other.
LEVEL_NEWEST = 4  # What this build reads and, once the log's level is raised to it, writes.
LEVELS: Mapping[int, str] = {  # What each adds, for `dialgate upgrade`.
    1: "all that builds without levels read and wrote",
    2: "levels themselves, and calling hours over midnight: older builds are refused from here on",
    3: "lists of contacts are closed: what a create that failed has left behind is dropped",
    4: "copies do not dial; webhooks receive events; contacts are encrypted, can be forgotten",
}


class _Aside:
    """The type of ASIDE."""

    def __repr__(self) -> str:
        return "ASIDE"


ASIDE = _Aside()  # Marks a field that readers may ignore; its default is None.


@dataclass(frozen=True, slots=True)
class Since:
    """Marks a field that is written from this level on; below it has its default."""

    level: int


class Word(StrEnum):
    """An enumeration whose later values say which level they need: `RARE = "rare", 2`."""

    since: int

    def __new__(cls, value: str, since: int = LEVEL_OLDEST) -> Self:
        """Make a member of a text and the level that it needs."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.since = since
        return member


Watched = tuple[tuple[str, int, object], ...]  # Field, its level, its default.
# What is left out: field → True, or what of its value; of several values, of each. Any: nested.
Withheld = dict[str, Any]


@cache
def asides(kind: type[Value]) -> frozenset[str]:
    """Return the names of a fact's fields that are written beside its data."""
    return frozenset(name for name, hint in hints(kind).items() if ASIDE in _marks(hint))


@cache
def withheld(kind: type[Value], level: int) -> Withheld | None:
    """Return what is left out of a fact's data at a level; None: nothing.

    These are the fields aside, and what readers of this level do not know.
    """
    found: Withheld = {}
    for name, hint in hints(kind).items():
        if ASIDE in _marks(hint) or _since(hint) > level:
            found[name] = True
            continue
        for part in _parts(hint):
            if issubclass(part, Value) and (inner := withheld(part, level)):
                found[name] = inner
    return found or None


def leave_out(data: dict[str, Any], left_out: Withheld) -> None:  # Any: JSON.
    """Remove what is withheld from a fact's data, in place."""
    for name, inner in left_out.items():
        if inner is True:
            del data[name]
            continue
        value = data[name]
        for one in value if isinstance(value, tuple | list) else (value,):
            if one is not None:
                leave_out(one, inner)


def needed(value: object) -> int:
    """Return the level that a fact, or a part of one, needs of its readers as it is.

    A model whose level depends on its values, not on its type, has a method `needs`.
    """
    if isinstance(value, Value):
        kind = type(value)
        level, watched, says = _kind(kind)
        if says:
            level = max(level, value.needs())  # type: ignore[attr-defined]  # It has it.
        for name, since, default in watched:
            if (inner := getattr(value, name)) != default or since == LEVEL_OLDEST:
                level = max(level, since, needed(inner))
        return int(level)
    if isinstance(value, Word):
        return value.since
    if isinstance(value, tuple | list):
        return max(map(needed, value), default=LEVEL_OLDEST)
    if isinstance(value, dict):
        return max(map(needed, value.values()), default=LEVEL_OLDEST)
    return LEVEL_OLDEST


@cache
def _kind(kind: type[Value]) -> tuple[int, Watched, bool]:
    """Return the level that a type needs, the fields to check, and whether it has `needs`.

    It is needed for each written fact, and most facts need nothing.
    """
    return getattr(kind, "SINCE", LEVEL_OLDEST), _watched(kind), hasattr(kind, "needs")


@cache
def _watched(kind: type[Value]) -> Watched:
    """Return the fields that may need a level: name, level, default. Most facts have none."""
    return tuple(
        (field.name, since, _default(field))
        for field in fields(kind)
        if (since := _since(hint := hints(kind)[field.name])) > LEVEL_OLDEST
        or any(map(_leveled, _parts(hint)))
    )


def _default(field: FieldInfo) -> object:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _leveled(part: type) -> bool:
    if issubclass(part, Word):
        return any(member.since > LEVEL_OLDEST for member in part)
    return issubclass(part, Value) and (
        getattr(part, "SINCE", LEVEL_OLDEST) > LEVEL_OLDEST
        or hasattr(part, "needs")
        or bool(_watched(part))
    )


def _marks(hint: Any) -> tuple[object, ...]:  # Any: what a field may be declared as.
    return getattr(hint, "__metadata__", ())


def _since(hint: Any) -> int:  # Any: as above.
    return max((m.level for m in _marks(hint) if isinstance(m, Since)), default=LEVEL_OLDEST)


def _parts(annotation: Any) -> Iterator[type]:  # Any: what a field may be declared as.
    """Yield the classes that a declaration names: of `tuple[Row, ...] | None` Row and None's."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
