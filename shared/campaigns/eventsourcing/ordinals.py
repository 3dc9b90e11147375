"""Where the n-th accepted fact of a partition stands: a sparse index, and the newest records. Pure.

Memory does not hold the log: a bit a record (was it accepted?), a byte a fact (of which streams,
roughly), a mark every few hundred facts, and a bounded number of the newest records, so that a
follower at the end reads nothing again.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from campaigns.domain.values.stream_names import Stream
from campaigns.records.record import Envelope, Recorded

STRIDE = 512  # Facts between two marks: 16 bytes each.
FILTER_BITS = 8 * STRIDE  # Of one stride: of streams that it lacks, one in twenty passes.
KEPT_MAX = 4_096  # The newest accepted records that stay in memory,
KEPT_BYTES_MAX = 8 * 1024 * 1024  # and what they may weigh.


@dataclass(slots=True)
class Ordinals:
    """The ordinals of a partition's accepted facts: 1, 2, 3 …, without gaps for what is refused."""

    facts: int = 0  # Accepted so far: the last ordinal.
    _accepted: bytearray = field(default_factory=bytearray)  # A bit a position.
    _places: "array[int]" = field(default_factory=lambda: array("Q"))  # The n-th mark: a position
    _before: "array[int]" = field(default_factory=lambda: array("Q"))  # and the facts up to it.
    _filters: bytearray = field(default_factory=bytearray)  # A Bloom filter of streams a stride.
    _kept: list[Recorded] = field(default_factory=list)
    _kept_before: list[int] = field(default_factory=list)  # The facts before each of them.
    _kept_bytes: int = 0

    def accept(self, recorded: Recorded) -> None:
        """Number the facts of the next accepted record."""
        assert isinstance(recorded.envelope, Envelope), "only records are accepted"
        facts = len(recorded.envelope.offered)
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
        """Let half of what is kept go: seldom, rather than one at each append."""
        half = (len(self._kept) + 1) // 2
        self._kept_bytes -= sum(len(one.raw or b"") for one in self._kept[:half])
        del self._kept[:half], self._kept_before[:half]

    def kept(self, ordinal: int, records_max: int) -> tuple[int, Sequence[Recorded]] | None:
        """Return the records from that of an ordinal on, and how many facts stand before them.

        None: it is not in memory any more.
        """
        at = bisect_right(self._kept_before, ordinal - 1) - 1
        if at < 0:
            return None
        return self._kept_before[at], self._kept[at : at + records_max]

    def place(self, ordinal: int) -> tuple[int, int]:
        """Return a position at or before an ordinal, and how many facts stand up to it."""
        assert 1 <= ordinal <= self.facts, "only what was accepted has an ordinal"
        mark = (ordinal - 1) // STRIDE
        return self._places[mark], self._before[mark]

    def holding(self, stream: Stream, ordinal: int) -> int | None:
        """Return the first ordinal from this one on that may be of a stream; None: none is."""
        for stride in range((ordinal - 1) // STRIDE, len(self._places)):
            if all(self._filters[octet] & mask for octet, mask in _bits(stream, stride)):
                return max(ordinal, stride * STRIDE + 1)
        return None

    def accepted(self, position: int) -> bool:
        """Say whether the record at a position was accepted."""
        octet, bit = divmod(position, 8)
        return octet < len(self._accepted) and bool(self._accepted[octet] >> bit & 1)

    def counting(self, records: Sequence[Recorded]) -> Iterator[Envelope]:
        """Yield the accepted ones of some records that were read again."""
        for recorded in records:
            if self.accepted(recorded.position):
                assert isinstance(recorded.envelope, Envelope), "the log never changes"
                yield recorded.envelope


def _bits(stream: Stream, stride: int) -> Iterator[tuple[int, int]]:
    """Yield where a stream stands in the filter of a stride: octet and mask."""
    digest = crc32(stream.encode())
    for bit in (digest % FILTER_BITS, (digest >> 16) % FILTER_BITS):
        octet, shift = divmod(stride * FILTER_BITS + bit, 8)
        yield octet, 1 << shift
