"""THE RULE: which record counts. Pure; it looks at envelopes only.

Kafka orders a partition but has no conditional append (KAFKA-2260), so the order decides: the
first record wins (ADR-0002). Every reader folds its own ledger, and all of them agree.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from campaigns.domain.values.stream_names import Stream
from campaigns.records.record import AppendCondition, Envelope
from campaigns.records.streams import PLACES

_CONTACT = "contact/"
_BLOCK = 64  # Contacts a stored block: 256 bytes. A small campaign costs no more than it holds.
_AHEAD_MAX = 262_144  # A contact further ahead than this is kept apart: ids may be garbage.


@dataclass(slots=True)
class Ledger:
    """Stream → version of one partition, as one reader has ruled so far.

    Ids of contacts are dense, so the versions of a campaign's contacts are one array.
    """

    versions: dict[Stream, int] = field(default_factory=dict)
    contacts: "dict[int, array[int]]" = field(default_factory=dict)  # Campaign → by contact.
    _dirty: set[Stream] = field(default_factory=set)
    _dirty_blocks: set[tuple[int, int]] = field(default_factory=set)  # Campaign, block.

    def admit(self, envelope: Envelope) -> bool:
        """Rule on the partition's next record: accept it, or refuse it as decided too late.

        This is the whole concurrency control.
        """
        condition, entries = envelope.condition, envelope.entries
        if len(condition) == 1 and len(entries) == 1:  # Most records: of a call that is known.
            for stream, seen in condition.items():
                if (
                    (place := PLACES[stream])
                    and (contact := place[1])
                    and (block := self.contacts.get(place[0])) is not None
                    and contact < len(block)
                    and (version := block[contact])
                ):
                    if version != seen:
                        return False
                    block[contact] = seen + 1
                    self._dirty_blocks.add((place[0], contact // _BLOCK))
                    return True
        if not self.takes(envelope):
            return False
        if len(entries) > 1:
            for stream, facts in envelope.writes.items():
                self._set(stream, condition[stream] + facts)
            return True
        stream = entries[0].stream  # Nearly every record: what it writes, it rests on.
        place = PLACES[stream]
        if place is not None and (contact := place[1]):  # As `_set`, and faster.
            block = self.contacts.get(place[0])
            if block is not None and contact < len(block):
                block[contact] = condition[stream] + 1
                self._dirty_blocks.add((place[0], contact // _BLOCK))
                return True
        self._set(stream, condition[stream] + 1)
        return True

    def takes(self, envelope: Envelope) -> bool:
        """Say whether a record would be accepted now."""
        versions, contacts = self.versions, self.contacts
        for stream, seen in envelope.condition.items():
            place = PLACES[stream]  # As `version`: to call it costs a fold a twentieth.
            if (
                place
                and (contact := place[1])
                and (block := contacts.get(place[0])) is not None
                and contact < len(block)
                and (version := block[contact])
            ):
                if version != seen:
                    return False
            elif versions.get(stream, 0) != seen:
                return False
        return True

    def version(self, stream: Stream) -> int:
        """Return how many accepted facts a stream has."""
        if (place := PLACES[stream]) and (contact := place[1]):
            block = self.contacts.get(place[0])
            if block is not None and contact < len(block) and (version := block[contact]):
                return version
        return self.versions.get(stream, 0)

    def condition(self, streams: Iterable[Stream]) -> AppendCondition:
        """Return the condition of a decision that rests on these streams, as of now."""
        return {stream: self.version(stream) for stream in streams}

    def _set(self, stream: Stream, version: int) -> None:
        if (place := PLACES[stream]) and (contact := place[1]):
            campaign = place[0]
            if (block := self.contacts.get(campaign)) is None:
                block = self.contacts[campaign] = array("I")
            if contact < len(block) + _AHEAD_MAX:
                if contact >= len(block):
                    _grow(block, contact + 1)
                block[contact] = version
                self._dirty_blocks.add((campaign, contact // _BLOCK))
                return
        self.versions[stream] = version
        self._dirty.add(stream)

    @property
    def changed(self) -> int:
        """Return how many rows `changes` would yield."""
        return len(self._dirty) + len(self._dirty_blocks)

    def changes(self, rows_max: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield what changed and was not yielded yet, at most `rows_max`, as rows for `load`."""
        rows_left = self.changed if rows_max is None else rows_max
        dirty = [self._dirty.pop() for _ in range(min(rows_left, len(self._dirty)))]
        rows_left -= len(dirty)
        blocks = [self._dirty_blocks.pop() for _ in range(min(rows_left, len(self._dirty_blocks)))]
        for stream in dirty:
            yield stream, str(self.versions[stream]).encode()
        for campaign, number in blocks:
            first = number * _BLOCK
            block = self.contacts[campaign][first : first + _BLOCK]
            yield f"{_CONTACT}{campaign}#{number}", block.tobytes()

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Load rows that `changes` yielded; of several with one key, the last."""
        for key, value in rows:
            name, _, number = key.partition("#")
            if not number:
                self.versions[Stream(key)] = int(value)
                continue
            campaign = int(name.removeprefix(_CONTACT))
            block = self.contacts.setdefault(campaign, array("I"))
            first = int(number) * _BLOCK
            if len(block) < first + _BLOCK:
                _grow(block, first + _BLOCK)
            block[first : first + _BLOCK] = array("I", value)


def _grow(block: "array[int]", size: int) -> None:
    """Make room for `size` versions in whole blocks, an eighth ahead: growing costs little."""
    wanted = max(size, len(block) + len(block) // 8)
    block.frombytes(bytes(block.itemsize * (-(-wanted // _BLOCK) * _BLOCK - len(block))))
