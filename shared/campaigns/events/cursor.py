"""The cursor of a feed of events: how far a reader has come in each partition. Pure.

A place in the log, so it is the same on every instance, after restarts and rebuilds. As text it is
opaque, but no secret.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import crc_hqx
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.records.cloud_event import EventId

_FORM = 1  # The first byte of the only form so far.
_CHECK_BYTES = 2
_NUMBER_MAX = 2**63 - 1
TEXT_MAX = 4_096  # Characters: of more than 150 partitions.


class CursorError(ValueError):
    """A text that is no cursor of ours, or one that lies behind the log's end."""


class Passed(NamedTuple):
    """How far a reader has come in one partition. They are ordered as the events are."""

    position: int = 0  # Every record up to here was passed; 0: none.
    facts: int = 0  # Of the record after it, as many facts were passed as well.

    def has(self, event: EventId) -> bool:
        """Say whether an event of this partition was passed."""
        return event.position <= self.position or (
            event.position == self.position + 1 and event.n < self.facts
        )


def passed(event: EventId, *, last: bool) -> Passed:
    """Return where a reader is after an event. `last`: its record has no later one."""
    return Passed(event.position) if last else Passed(event.position - 1, event.n + 1)


_START = Passed()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come. A partition that is not in it is at its beginning."""

    by_partition: Mapping[int, Passed] = field(default_factory=dict)

    def __getitem__(self, partition: int) -> Passed:
        return self.by_partition.get(partition, _START)

    def moved(self, partition: int, to: Passed) -> "Cursor":
        """Return this cursor, moved in one partition."""
        return Cursor({**self.by_partition, partition: to})

    def __str__(self) -> str:
        """Return it as readers keep it: characters that a URL and a header take as they are."""
        written = bytearray([_FORM])
        for partition in sorted(self.by_partition):
            position, facts = self.by_partition[partition]
            if position or facts:
                for number in (partition, position, facts):
                    _write(written, number)
        written += crc_hqx(written, 0).to_bytes(_CHECK_BYTES, "big")
        return urlsafe_b64encode(written).rstrip(b"=").decode()


START = Cursor()  # Before the first event.


def cursor(text: str) -> Cursor:
    """Return the cursor that is written so.

    Raises:
        CursorError: it is none of ours.

    """
    no = CursorError("expected a cursor that this API has given, unchanged")
    if len(text) > TEXT_MAX:
        raise no
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        written, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
        if written[:1] != bytes([_FORM]) or check != crc_hqx(written, 0).to_bytes(2, "big"):
            raise no
        numbers = list(_numbers(written[1:]))
    except ValueError as exc:  # Also what base64 does not know; CursorError is one.
        raise no from exc
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=False)
    found = Cursor({number: Passed(position, facts) for number, position, facts in triples})
    if str(found) != text:  # Only one text is a cursor's.
        raise no
    return found


def _write(written: bytearray, number: int) -> None:
    """Append a number, seven bits a byte, the lowest first."""
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)


def _numbers(written: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in written:
        number |= (byte & 0x7F) << shift
        shift += 7
        if number > _NUMBER_MAX:
            raise ValueError
        if byte < 0x80:
            yield number
            number = shift = 0
