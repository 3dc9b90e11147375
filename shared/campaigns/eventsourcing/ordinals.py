"""Finds the n-th accepted fact of a partition: a sparse index, and the newest records. Pure.

Memory does not hold the log, only a bit per record (was it accepted?), a byte per fact (a Bloom
filter of streams), a mark every few hundred facts, and a bounded number of the newest records, so
that a follower at the end rereads nothing.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from campaigns.domain.values.stream_names import Stream
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope

STRIDE = 512  # Facts between two marks: 16 bytes each.
FILTER_BITS = 8 * STRIDE  # Per stride: of the streams that it lacks, one in twenty passes.
KEPT_MAX = 4_096  # The newest accepted records that stay in memory,
KEPT_BYTES_MAX = 8 * 1024 * 1024  # and their size in all.


@dataclass(slots=True)
class Ordinals:
    """The ordinals of a partition's accepted facts: 1, 2, 3 …; refused records make no gaps."""

    facts: int = 0  # Accepted so far: the last ordinal.
    _accepted: bytearray = field(default_factory=bytearray)  # A bit per position.
    _places: "array[int]" = field(default_factory=lambda: array("Q"))  # The n-th mark: a position
    _before: "array[int]" = field(default_factory=lambda: array("Q"))  # and the facts up to it.
    _filters: bytearray = field(default_factory=bytearray)  # A Bloom filter of streams per stride.
    _kept: list[Recorded] = field(default_factory=list)
    _kept_before: list[int] = field(default_factory=list)  # The facts before each of them.
    _kept_bytes: int = 0

    def accept(self, recorded: Recorded) -> None:
        """Number the facts of the next accepted record."""
        assert isinstance(recorded.envelope, Envelope), "only records are accepted"
        facts = len(recorded.envelope.entries)
        octet, bit = divmod(recorded.position, 8)
        self._accepted.extend(bytes(max(0, octet + 1 - len(self._accepted))))
        self._accepted[octet] |= 1 << bit
        while len(self._places) * STRIDE < self.facts + facts:
            self._places.append(recorded.position - 1)
            self._before.append(self.facts)
            self._filters.extend(bytes(FILTER_BITS // 8))
        for stride in range(self.facts // STRIDE, (self.facts + facts - 1) // STRIDE + 1):
            for stream in recorded.envelope.writes:
                for octet, mask in _bits(stream, stride):
                    self._filters[octet] |= mask
        self._kept.append(recorded)
        self._kept_before.append(self.facts)
        self._kept_bytes += len(recorded.raw or b"")
        self.facts += facts
        if self._kept_bytes > KEPT_BYTES_MAX or len(self._kept) > KEPT_MAX:
            self._trim()

    def _trim(self) -> None:
        """Drop half of the kept records: seldom, rather than one at each append."""
        half = (len(self._kept) + 1) // 2
        self._kept_bytes -= sum(len(one.raw or b"") for one in self._kept[:half])
        del self._kept[:half], self._kept_before[:half]

    def kept(self, ordinal: int, records_max: int) -> tuple[int, Sequence[Recorded]] | None:
        """Return the records from an ordinal on, and the number of facts before them.

        None: the ordinal's record is no longer in memory.
        """
        at = bisect_right(self._kept_before, ordinal - 1) - 1
        if at < 0:
            return None
        return self._kept_before[at], self._kept[at : at + records_max]

    def place(self, ordinal: int) -> tuple[int, int]:
        """Return a position before an ordinal's record, and the number of facts up to it."""
        assert 1 <= ordinal <= self.facts, "only accepted facts have ordinals"
        mark = (ordinal - 1) // STRIDE
        return self._places[mark], self._before[mark]

    def holding(self, stream: Stream, ordinal: int) -> int | None:
        """Return the first ordinal, from `ordinal` on, that may be of the stream, if any."""
        for stride in range((ordinal - 1) // STRIDE, len(self._places)):
            if all(self._filters[octet] & mask for octet, mask in _bits(stream, stride)):
                return max(ordinal, stride * STRIDE + 1)
        return None

    def accepted(self, position: int) -> bool:
        """Say whether the record at a position was accepted."""
        octet, bit = divmod(position, 8)
        return octet < len(self._accepted) and bool(self._accepted[octet] >> bit & 1)

    def counting(self, records: Sequence[Recorded]) -> Iterator[Recorded]:
        """Yield the accepted ones of reread records."""
        for recorded in records:
            if self.accepted(recorded.position):
                assert isinstance(recorded.envelope, Envelope), "the log never changes"
                yield recorded


def _bits(stream: Stream, stride: int) -> Iterator[tuple[int, int]]:
    """Yield a stream's bits in the filter of a stride: octet and mask."""
    digest = crc32(stream.encode())
    for bit in (digest % FILTER_BITS, (digest >> 16) % FILTER_BITS):
        octet, shift = divmod(stride * FILTER_BITS + bit, 8)
        yield octet, 1 << shift
