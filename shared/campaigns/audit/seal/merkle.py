"""The Merkle tree over a partition's records, and inclusion paths. Pure.

Hashes are those of certificate transparency: a leaf is SHA-256(0x00 ‖ the record's bytes), a node
SHA-256(0x01 ‖ left ‖ right), and of an odd number the last one moves up as it is. A leaf's place
in the tree is its position in the partition: leaf 0 is position 1.
Source: RFC 9162, sections 2.1.1 and 2.1.3.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

BLOCK = 1_024  # Records under one block root. A power of two, so that blocks are subtrees.
_LEAF = sha256(b"\x00")
MARK_BYTES = 3  # Of each record's leaf: enough to say where two logs first differ.


def leaf(raw: bytes | None) -> bytes:
    """Return the hash of a record."""
    hashed = _LEAF.copy()  # Takes less time than a new one.
    hashed.update(raw or b"")
    return hashed.digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree with these leaves, or over these roots of whole blocks."""
    if not hashes:
        return sha256(b"").digest()
    while len(hashes) > 1:
        hashes = _above(hashes)
    return hashes[0]


def _above(hashes: Sequence[bytes]) -> list[bytes]:
    paired = [_node(hashes[n], hashes[n + 1]) for n in range(0, len(hashes) - 1, 2)]
    return [*paired, hashes[-1]] if len(hashes) % 2 else paired


def path_of(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings of a leaf, from the bottom up."""
    path = list[bytes]()
    while len(hashes) > 1:
        if (beside := index ^ 1) < len(hashes):
            path.append(hashes[beside])
        hashes, index = _above(hashes), index // 2
    return path


def root_by(path: Iterable[bytes], index: int, size: int, found: bytes) -> bytes | None:
    """Return the root that a leaf's path leads to in a tree of `size`; None: no such path."""
    siblings = iter(path)
    while size > 1:
        if (index ^ 1) < size:
            if (beside := next(siblings, None)) is None:
                return None
            found = _node(beside, found) if index % 2 else _node(found, beside)
        index, size = index // 2, (size + 1) // 2
    return found if next(siblings, None) is None else None


@dataclass(slots=True)
class Tree:
    """A tree that grows: the roots of its whole blocks, and the leaves of the last one."""

    blocks: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, raw: bytes | None) -> bytes:
        """Add the next record; return its leaf."""
        if len(self.leaves) == BLOCK:
            self.blocks.append(root_of(self.leaves))
            self.leaves = []
        found = leaf(raw)
        self.leaves.append(found)
        self.size += 1
        return found

    def roots(self) -> Iterator[bytes]:
        """Yield the roots of all blocks, the last one maybe not full."""
        yield from self.blocks
        if self.leaves:
            yield root_of(self.leaves)

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return root_of(list(self.roots()))
