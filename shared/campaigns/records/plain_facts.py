"""The kinds of facts that consist of numbers, texts and instants, as those of all calls. Pure.

A JSON writer that has decoded such a fact writes it as it was, if it was spelt as usual: ADR-0034.
"""

from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from campaigns.domain.facts import TAGS, AnyFact
from campaigns.domain.levels import asides
from campaigns.domain.values.value import hints

FLOAT_MAX = 1e16  # From here on JSON writers differ in how they write an exponent.


def _parts(hint: Any) -> list[Any]:  # Any: a type, as Python spells it.
    """Return the types of which a value of a field is one."""
    if get_origin(hint) is Annotated:
        return _parts(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [part for one in get_args(hint) for part in _parts(one)]
    return [getattr(hint, "__supertype__", hint)]


def _simple(part: Any) -> bool:  # Any: as above.
    known = (NoneType, str, int, float, datetime, date)
    return isinstance(part, type) and issubclass(part, known)


class PlainKind(NamedTuple):
    """What is to be looked at in such a kind of facts."""

    unset: bytes  # Its fields aside, as a writer would put them last into the data.
    floats: list[str]  # Its fields that may be floats.


PLAIN = dict[type[AnyFact], PlainKind]()
for _kind in TAGS.values():
    _fields = {name: _parts(hint) for name, hint in hints(_kind).items()}
    if all(_simple(part) for parts in _fields.values() for part in parts):
        _beside = [name for name in _fields if name in asides(_kind)]
        assert list(_fields)[len(_fields) - len(_beside) :] == _beside, "they stand last"
        PLAIN[_kind] = PlainKind(
            "".join(f',"{name}":null' for name in _beside).encode(),
            [name for name, parts in _fields.items() if float in parts],
        )
