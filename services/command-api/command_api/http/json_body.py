"""A large JSON body, read in steps: nothing of it holds the event loop. Pure.

The object of the body and its `contacts` array are walked here; each value is measured before the
scanner of json, which cannot be interrupted, reads it. Only the places of contacts are kept: each
is read once to validate its JSON, and again when it is used, so that few of them are in memory as
objects, however many there are. Errors are those of json.loads.
"""

import codecs
import json
import re
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from command_api.slices import Steps

LARGE_BYTES = 64 * 1024  # A body up to this size is read at once: some 5 ms at most.
BODY_BYTES_MAX = 192 * 1024  # As JSON, without contacts: a record holds all of it.
REST_CHARS_MAX = 3 * BODY_BYTES_MAX  # As received: a character of two bytes may be written \u00e9.
CONTACT_CHARS_MAX = 128 * 1024  # One contact as received: as long as a row of a file may be.
CONTAINERS_MAX = 20_000  # Objects and arrays, without contacts.
VALUES_MAX = 32_768  # Likewise.
CONTACT_VALUES_MAX = 10_000  # Of one contact, objects and arrays among them.
CONTACTS_MAX = 100_000  # The most that `contacts_max` may allow.
LISTED = "contacts"
_STEP_TOKENS = 4_000
_STEP_CHARS = 256 * 1024

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r'[^ \t\n\r,:"\[\]{}]*')
# A text whole, or whatever opens, closes or parts; a lone quotation mark begins a text without end.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_DECODER = json.JSONDecoder()
_TRAILING_COMMA_ITSELF = sys.version_info >= (3, 13)  # Where the error is said to be.


class TooLargeError(ValueError):
    """Something in a body exceeds a limit; `loc` says where."""

    def __init__(self, loc: tuple[str | int, ...], msg: str) -> None:
        super().__init__(msg)
        self.loc, self.msg = loc, msg


class Elements:
    """An array whose elements stay text until they are read."""

    def __init__(self, text: str) -> None:
        self._text, self._begins = text, array("Q")

    def add(self, begin: int) -> None:
        """Note where another element begins, that is known to be JSON."""
        self._begins.append(begin)

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[Any]:  # Any: JSON, not looked at yet.
        return (_DECODER.raw_decode(self._text, begin)[0] for begin in self._begins)


@dataclass
class Room:
    """What may still come of something that is read at once."""

    loc: tuple[str | int, ...]
    named: str
    chars: int
    chars_said: str
    containers: int
    values: int

    def too_large(self) -> NoReturn:
        """Refuse what is longer.

        Raises:
            TooLargeError: always.

        """
        raise TooLargeError(self.loc, f"{self.named} is larger than {self.chars_said}")

    def take(self, containers: int, values: int) -> None:
        """Count what has come.

        Raises:
            TooLargeError: there is no room for it.

        """
        self.containers -= containers
        self.values -= values
        if self.containers < 0 or self.values < 0:
            raise TooLargeError(self.loc, f"{self.named} has too many values in it")


def read(body: bytes) -> Steps[Any]:  # Any: JSON, not looked at yet.
    """Return what json.loads does, but `contacts` of an object as Elements, if they are an array.

    Raises:
        json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError: as json.loads.
        TooLargeError: something is more than one of the limits above.

    """
    text = yield from _decoded(body)
    return (yield from _Text(text).whole())


def _decoded(body: bytes) -> Steps[str]:
    decoder = codecs.getincrementaldecoder(json.detect_encoding(body))("surrogatepass")
    pieces = list[str]()
    for begin in range(0, len(body), _STEP_CHARS):
        end = begin + _STEP_CHARS
        pieces.append(decoder.decode(body[begin:end], end >= len(body)))
        yield
    text = "".join(pieces)
    yield
    return text


def _contact_room(index: int) -> Room:
    most, values = CONTACT_CHARS_MAX, CONTACT_VALUES_MAX
    return Room((LISTED, index), "the contact", most, f"{most} characters", values, values)


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text
        said = f"{BODY_BYTES_MAX} bytes"
        self._rest = Room((), "it", REST_CHARS_MAX, said, CONTAINERS_MAX, VALUES_MAX)

    def whole(self) -> Steps[Any]:
        begin = yield from self._space(0)
        if self._text[begin : begin + 1] == "{":
            found, end = yield from self._object(begin + 1)
        else:
            found, end = yield from self._value(begin, self._rest)
        end = yield from self._space(end)
        if end != len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, end)
        return found

    def _object(self, at: int) -> Steps[tuple[dict[str, Any], int]]:
        found = dict[str, Any]()
        at = yield from self._space(at)
        if self._text[at : at + 1] == "}":
            return found, at + 1
        while True:
            if self._text[at : at + 1] != '"':
                raise json.JSONDecodeError(
                    "Expecting property name enclosed in double quotes", self._text, at
                )
            name, at = yield from self._value(at, self._rest)
            at = yield from self._space(at)
            if self._text[at : at + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", self._text, at)
            at = yield from self._space(at + 1)
            if name == LISTED and self._text[at : at + 1] == "[":
                found[name], at = yield from self._array(at + 1)
            else:
                found[name], at = yield from self._value(at, self._rest)
            ended, at = yield from self._next(at, "}")
            if ended:
                return found, at

    def _array(self, at: int) -> Steps[tuple[Elements, int]]:
        found = Elements(self._text)
        at = yield from self._space(at)
        if self._text[at : at + 1] == "]":
            return found, at + 1
        while True:
            if len(found) == CONTACTS_MAX:
                raise TooLargeError((LISTED,), f"there are more than {CONTACTS_MAX} contacts")
            begin, (_, at) = at, (yield from self._value(at, _contact_room(len(found))))
            found.add(begin)
            yield
            ended, at = yield from self._next(at, "]")
            if ended:
                return found, at

    def _next(self, at: int, end: str) -> Steps[tuple[bool, int]]:
        """Pass over the delimiter: return whether the value was the last, and the next place."""
        at = yield from self._space(at)
        char = self._text[at : at + 1]
        if char == end:
            return True, at + 1
        if char != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", self._text, at)
        following = yield from self._space(at + 1)
        if _TRAILING_COMMA_ITSELF and self._text[following : following + 1] == end:
            raise json.JSONDecodeError("Illegal trailing comma", self._text, at)
        return False, following

    def _value(self, begin: int, room: Room) -> Steps[tuple[Any, int]]:
        """Read one value at once, when it is known to be small. Without an end: up to where."""
        room.chars -= (yield from self._end(begin, room)) - begin
        yield
        return _DECODER.raw_decode(self._text, begin)

    def _end(self, begin: int, room: Room) -> Steps[int]:
        """Return where the value ends that begins here, if it is JSON, and take its room.

        Raises:
            TooLargeError: it has no end within its room.
            RecursionError: it is nested too deep for json's scanner.

        """
        text, stop = self._text, begin + room.chars
        if text[begin : begin + 1] not in ('"', "[", "{"):
            found = _SCALAR.match(text, begin, stop)
            assert found is not None, "it matches nothing too"
            if found.end() == stop < len(text):
                room.too_large()
            return found.end()
        depth = opened = parted = 0
        for tokens, token in enumerate(_TOKEN.finditer(text, begin, stop), start=1):
            char = text[token.start()]
            if char in "[{":
                depth += 1
                opened += 1
                if depth > sys.getrecursionlimit():
                    raise RecursionError("the body is nested too deep")
            elif char in "]}":
                depth -= 1
            elif char == ",":
                parted += 1
            elif token.end() - token.start() == 1:
                break
            if depth == 0:
                room.take(opened, parted)
                return token.end()
            if tokens % _STEP_TOKENS == 0:
                room.take(opened, parted)
                opened = parted = 0
                yield
        if stop < len(text):
            room.too_large()
        room.take(opened, parted)
        return len(text)  # The scanner raises the error, with its place.

    def _space(self, at: int) -> Steps[int]:
        """Return the place of the next character that is not white space."""
        while True:
            found = _SPACE.match(self._text, at, at + _STEP_CHARS)
            assert found is not None, "it matches nothing too"
            if found.end() < at + _STEP_CHARS:
                return found.end()
            at = found.end()
            yield
