"""Knows a record whose bytes are what a JSON writer would make of them once they were parsed. Pure.

Such bytes can be shown as they are. Known are records of facts that consist of numbers, texts and
instants, as those of all calls; of any other record nothing is said. It is known without a look at
each byte in Python: what the fast reader has read is written again. Whatever was spelt in another
way (spaces, a name that stands twice, another order, 1e3) comes back as other bytes.
Source: ADR-0034; `tests/property/test_plain_records.py` compares it with orjson.
"""

from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from msgspec.json import Encoder

from campaigns.domain.facts import TAGS, AnyFact
from campaigns.domain.levels import LEVEL_NEWEST, asides
from campaigns.domain.values.value import hints
from campaigns.records.fast_reader import Whole
from campaigns.records.log_entry import Recorded

# A record begins with its level, and nothing shorter could stand there; the reader's struct ends
# with it. A level has one digit.
_HEAD, _TAIL = len('{"dialgate":1,'), len(',"dialgate":1}')
assert LEVEL_NEWEST < 10, "as above"
_FLOAT_MAX = 1e16  # From here on JSON writers differ in how they write an exponent.
_encode = Encoder().encode


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


class _Known(NamedTuple):
    """What is to be looked at in a kind of facts that consists of numbers, texts and instants."""

    asides: list[tuple[str, bytes]]  # Its fields aside, and how they would stand in the data.
    floats: list[str]  # Its fields that may be floats.


_KNOWN = dict[type[AnyFact], _Known]()
for _kind in TAGS.values():
    _fields = {name: _parts(hint) for name, hint in hints(_kind).items()}
    if all(_simple(part) for parts in _fields.values() for part in parts):
        _KNOWN[_kind] = _Known(
            [(name, f',"{name}":'.encode()) for name in sorted(asides(_kind))],
            [name for name, parts in _fields.items() if float in parts],
        )


def after_level(recorded: Recorded) -> bytes | None:
    """Return what follows the level of such a record: `"id":…,"facts":[…]}`; None: in doubt."""
    raw, envelope = recorded.raw, recorded.envelope
    if type(envelope) is not Whole or raw is None or envelope.idempotency is not None:
        return None
    written = _encode(envelope)
    for fact in recorded.facts:
        if (known := _KNOWN.get(type(fact))) is None:
            return None
        beside, floats = known
        for name in floats:
            value = getattr(fact, name)
            if value is not None and not -_FLOAT_MAX < value < _FLOAT_MAX:
                return None
        for name, quoted in beside:  # The reader has put it into the fact: it leaves again.
            written = written.replace(quoted + _encode(getattr(fact, name)), b"", 1)
    rest = raw[_HEAD:]
    return rest if written[1:-_TAIL] == rest[:-1] else None
