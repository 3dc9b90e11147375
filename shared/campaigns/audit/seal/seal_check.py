"""Compares a log with what was sealed of it, and says where they first differ. Streaming."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.audit.rulings import VERB_BATCH_MAX, PartitionRuling, RulingKind
from campaigns.audit.seal.merkle import BLOCK, MARK_BYTES, Tree, leaf
from campaigns.audit.seal.seal_format import Known, SealedPartition, Seals
from campaigns.log.port import ReadableLog
from campaigns.process.errors import ContractError, LogCutError
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition, partition_of

_WINDOW = 64  # Records looked at behind a difference, to say of what kind it is.


class SealDifference(NamedTuple):
    """Where a partition first differs from what was sealed, and how."""

    at: str  # `topic/partition@position`.
    what: str


@dataclass
class Walk:
    """One reading of a partition beside what is known of it: `known` None for a new log."""

    log: ReadableLog
    installation: Installation
    partition: Partition
    known: Known | None
    keep_marks: bool = True  # Off to check a log: memory stays as it is.
    seen: Callable[[int], None] = lambda _: None
    tree: Tree = field(default_factory=Tree)
    marks: bytearray = field(default_factory=bytearray)
    accepted: int = 0

    def __post_init__(self) -> None:
        self.ruling = PartitionRuling(self.installation.skipped.get(self.partition, {}))

    async def until(self, end: int) -> SealDifference | None:
        """Read up to a position; stop where the log first differs from what is known.

        Raises:
            ContractError: a record that does not differ stops every reader.
            LogUnavailableError: the log does not answer.

        """
        while self.tree.size < end:
            after = self.tree.size
            try:
                limit = min(VERB_BATCH_MAX, end - after)
                batch = await self.log.read(self.partition, after, limit)
            except LogCutError as exc:
                return SealDifference(self._at(after + 1), f"a record is missing: {exc}")
            if not batch:
                what = f"the log ends at {after}: expected records up to {end}"
                return SealDifference(self._at(after + 1), what)
            for recorded in batch:
                if recorded.position != self.tree.size + 1:
                    return SealDifference(self._at(self.tree.size + 1), "a record is missing")
                if self.known is None:  # A new log: there is nothing to compare.
                    self._add(recorded)
                elif found := await self._next(recorded):
                    return found
            self.seen(len(batch))
        return None

    def _sealed_end(self) -> int:
        assert self.known is not None, "asked only then"
        return len(self.known.marks) // MARK_BYTES

    async def _next(self, recorded: Recorded) -> SealDifference | None:
        if len(self.tree.leaves) == BLOCK and (found := self._block()):
            return found
        mark = self._add(recorded)
        if self.known and _mark(self.known, recorded.position) not in (b"", mark):
            return await self._difference(recorded.position)
        if self.known and self.tree.size == self._sealed_end() and (found := self._block()):
            return found
        return None

    def _add(self, recorded: Recorded) -> bytes:
        """Take the next record in, and rule on it; return its mark."""
        mark = self.tree.add(recorded.raw)[:MARK_BYTES]
        if self.keep_marks:
            self.marks += mark
        if self.ruling.rule(recorded).ruling is RulingKind.ACCEPTED:
            self.accepted += 1
        return mark

    def _block(self) -> SealDifference | None:
        """Compare the block that was just filled with its sealed root."""
        number = len(self.tree.blocks)
        if self.known is None or number >= len(self.known.blocks):
            return None
        if (number + 1) * BLOCK > self._sealed_end() and self.tree.size != self._sealed_end():
            return None  # It was sealed before it was full.
        *_, root = self.tree.roots()
        if root == self.known.blocks[number]:
            return None
        first, last = number * BLOCK + 1, self.tree.size
        return SealDifference(self._at(first), f"a record from {first} to {last} is another one")

    async def _difference(self, position: int) -> SealDifference:
        assert self.known is not None, "it differs from something"
        found = [leaf(one.raw)[:MARK_BYTES] for one in await self._window(position)]
        return SealDifference(self._at(position), _kind(self.known, position, found))

    async def _window(self, position: int) -> Sequence[Recorded]:
        try:
            return await self.log.read(self.partition, position - 1, _WINDOW)
        except ContractError:
            return ()

    def _at(self, position: int) -> str:
        return f"{self.partition}@{position}"


def _mark(known: Known, position: int) -> bytes:
    return bytes(known.marks[(position - 1) * MARK_BYTES : position * MARK_BYTES])


def _kind(known: Known, position: int, found: Sequence[bytes]) -> str:
    """Say what has happened at a place, by what stands there and behind it now."""
    sealed = [_mark(known, position + n) for n in range(_WINDOW)]
    if found and sealed[0] in found[1:]:
        moved = found.index(sealed[0], 1)
        if found[0] in sealed[1:]:
            return f"records were moved: what was sealed here stands at {position + moved} now"
        if position > 1 and found[0] == _mark(known, position - 1):
            return "a record was repeated: the one before stands here again"
        return "a record was put in, or repeated, that was not sealed here"
    if found and found[0] in sealed[1:]:
        return "a record was dropped: what was sealed later stands here"
    return "the record was altered or replaced"


@dataclass
class SealCheck:
    """Compares all partitions of a log with the last of its seals."""

    log: ReadableLog
    installation: Installation
    seals: Seals
    seen: Callable[[int], None] = lambda _: None

    async def differences(self) -> list[SealDifference]:
        """Return where each partition first differs from what was sealed; none: all is the same.

        Raises:
            ContractError: a record that is as it was sealed stops every reader.
            LogUnavailableError: the log does not answer.

        """
        assert self.seals.last is not None, "there is a seal"
        found = list[SealDifference]()
        for name, sealed in self.seals.last.head.partitions.items():
            partition = partition_of(name)
            if partition.number >= self.log.partitions(partition.topic):
                what = f"the log has no such partition: expected {sealed.position} records"
                found.append(SealDifference(f"{name}@1", what))
                continue
            found.extend(await self._partition(name, partition, sealed))
        return found

    async def _partition(
        self, name: str, partition: Partition, sealed: SealedPartition
    ) -> Sequence[SealDifference]:
        known = None if name in self.seals.inexact else self.seals.known[name]
        walk = Walk(self.log, self.installation, partition, known, keep_marks=False, seen=self.seen)
        if difference := await walk.until(sealed.position):
            return [difference]
        if walk.tree.root().hex() != sealed.root:
            what = "a record up to here is another one; the seal's own detail was altered"
            return [SealDifference(f"{name}@{sealed.position}", what)]
        if str(walk.ruling.chain) == sealed.digest:
            return []
        if any(position <= sealed.position for position in walk.ruling.skipped):
            return []  # By a decision that the log holds: the records themselves are the same.
        what = f"the records are as sealed, and this build accepts others: {walk.ruling.chain}"
        return [SealDifference(f"{name}@{sealed.position}", what)]


def sealed_positions(partitions: Mapping[str, SealedPartition]) -> Iterator[str]:
    """Yield each partition's place, as people read it."""
    for name, sealed in partitions.items():
        yield f"{name}@{sealed.position}"
