"""What a fact needs of its readers: feature levels, and fields that may be ignored. Pure.

A level is what all processes of an installation can read. The facts themselves say what they need
(ADR-0014): a fact by `SINCE`, a field by `Since`, a value of an enumeration beside the value. What
is nested is looked at as well. A field marked `ASIDE` is written beside the fact's data at any
level: readers that do not know it pass over it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

LEVEL_OLDEST = 1  # Of every log that does not say otherwise.
LEVEL_NEWEST = 3  # What this build reads and, once it has been raised so far, writes.
LEVELS: Mapping[int, str] = {  # What each adds, for `dialgate upgrade`.
    1: "all that builds without levels read and wrote",
    2: "levels themselves, and calling hours over midnight: older builds are refused from here on",
    3: "lists of contacts are closed: what a create that failed has left behind is dropped",
}


class _Aside:
    """The type of ASIDE."""

    def __repr__(self) -> str:
        return "ASIDE"


ASIDE = _Aside()  # Marks a field that a reader may ignore; it is None when there is none.


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
Withheld = dict[str, Any]  # What pydantic leaves out: a field, or part of one. Any: nested.


@cache
def asides(kind: type[BaseModel]) -> frozenset[str]:
    """Return the names of a fact's fields that are written beside its data."""
    return frozenset(n for n, f in kind.model_fields.items() if ASIDE in f.metadata)


@cache
def withheld(kind: type[BaseModel], level: int) -> Withheld | None:
    """Return what is no part of a fact's data at a level, as pydantic's `exclude`; None: nothing.

    That is what stands aside, and what readers of this level do not know.
    """
    found: Withheld = {}
    for name, field in kind.model_fields.items():
        if ASIDE in field.metadata or _since(field) > level:
            found[name] = True
            continue
        for part in _parts(field.annotation):
            if issubclass(part, BaseModel) and (inner := withheld(part, level)):
                found[name] = {"__all__": inner} if _repeated(field.annotation) else inner
    return found or None


def needed(value: object) -> int:
    """Return the level that a fact, or a part of one, needs of its readers as it is.

    A model whose values need a level by what they say, not by their type, has a method `needs`.
    """
    if isinstance(value, BaseModel):
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
def _kind(kind: type[BaseModel]) -> tuple[int, Watched, bool]:
    """Return what a model needs by its type, what to look at, and if its values say more.

    Asked for each fact that is written, of which nearly all need nothing.
    """
    return getattr(kind, "SINCE", LEVEL_OLDEST), _watched(kind), hasattr(kind, "needs")


@cache
def _watched(kind: type[BaseModel]) -> Watched:
    """Return the fields that may need a level: name, level, default. Of most facts none."""
    return tuple(
        (name, since, field.get_default(call_default_factory=True))
        for name, field in kind.model_fields.items()
        if (since := _since(field)) > LEVEL_OLDEST or any(map(_leveled, _parts(field.annotation)))
    )


def _leveled(part: type) -> bool:
    if issubclass(part, Word):
        return any(member.since > LEVEL_OLDEST for member in part)
    return issubclass(part, BaseModel) and (
        getattr(part, "SINCE", LEVEL_OLDEST) > LEVEL_OLDEST
        or hasattr(part, "needs")
        or bool(_watched(part))
    )


def _since(field: FieldInfo) -> int:
    return max((m.level for m in field.metadata if isinstance(m, Since)), default=LEVEL_OLDEST)


def _parts(annotation: Any) -> Iterator[type]:  # Any: what a field may be declared as.
    """Yield the classes that a declaration names: of `tuple[Row, ...] | None` Row and None's."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _repeated(annotation: Any) -> bool:  # Any: as above.
    return any(
        isinstance(one, type) and issubclass(one, tuple | list) for one in _origins(annotation)
    )


def _origins(annotation: Any) -> Iterator[Any]:
    if (origin := getattr(annotation, "__origin__", None)) is not None:
        yield origin
    for part in get_args(annotation):
        yield from _origins(part)
