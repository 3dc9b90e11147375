"""The keys of one list's rows, of which each can be forgotten by itself. Pure.

All keys follow from one seed, by a binary tree: the SHA-512 digest of a node is its two children,
and the leaves are the rows' keys. To forget a row, the nodes on the way to it are replaced by
their siblings: every other row's key still follows, this one's does not.

Source: ADR-0041.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha512
from os import urandom
from struct import Struct
from typing import NamedTuple, Self

DEPTH = 32  # A row's number has at most so many bits.
ROW_MAX = 2**DEPTH - 1
SEED_BYTES = 32
_NODE = Struct(f">BI{SEED_BYTES}s")  # In `dump`.


class Node(NamedTuple):
    """A node of which all leaves can be derived. `first`: its first row; 0 is none."""

    depth: int
    first: int
    seed: bytes

    @property
    def last(self) -> int:
        """Return its last row."""
        return self.first + (1 << (DEPTH - self.depth)) - 1

    def children(self) -> tuple["Node", "Node"]:
        """Return both halves."""
        digest, depth = sha512(self.seed).digest(), self.depth + 1
        middle = self.first + (1 << (DEPTH - depth))
        return (
            Node(depth, self.first, digest[:SEED_BYTES]),
            Node(depth, middle, digest[SEED_BYTES:]),
        )


class DamagedKeysError(Exception):
    """These bytes are no key tree."""


@dataclass(frozen=True, slots=True)
class KeyTree:
    """What is left of a list's keys: the nodes, in the order of their rows."""

    nodes: tuple[Node, ...]
    # The last way down to one row, as (first row, rows, seed): calls go through a list in order.
    _way: list[tuple[int, int, bytes]] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def new(cls) -> Self:
        """Return a tree from a new random seed."""
        return cls((Node(0, 0, urandom(SEED_BYTES)),))

    @classmethod
    def load(cls, found: bytes) -> Self:
        """Return the tree that `dump` wrote. Raises: DamagedKeysError.

        Each call that is placed loads one; a forgotten row leaves up to DEPTH nodes.
        """
        if len(found) % _NODE.size:
            raise DamagedKeysError(f"{len(found)} bytes are no list of nodes")
        nodes, end = tuple(map(Node._make, _NODE.iter_unpack(found))), 0
        for depth, first, _ in nodes:
            if depth > DEPTH or first < end:
                raise DamagedKeysError("its nodes are not in order")
            end = first + (1 << (DEPTH - depth))
        return cls(nodes)

    def dump(self) -> bytes:
        """Return it as bytes: 37 a node."""
        return b"".join(_NODE.pack(*node) for node in self.nodes)

    def key(self, row: int) -> bytes | None:
        """Return a row's key; None: it was forgotten.

        Up to DEPTH digests, about two for the row after the last one. From any thread.
        """
        way = self._way.copy()  # Queries read from threads.
        while way and not way[-1][0] <= row < way[-1][0] + way[-1][1]:
            way.pop()
        if not way:
            at = self._index(row)
            if at < 0 or self.nodes[at].last < row:
                return None
            depth, first, seed = self.nodes[at]
            way.append((first, 1 << (DEPTH - depth), seed))
        first, size, seed = way[-1]
        while size > 1:
            digest, size = sha512(seed).digest(), size >> 1
            if row < first + size:
                seed = digest[:SEED_BYTES]
            else:
                first, seed = first + size, digest[SEED_BYTES:]
            way.append((first, size, seed))
        self._way[:] = way
        return seed

    def keys(self, first: int, many: int) -> Iterator[bytes | None]:
        """Yield the keys of rows in order; None for each that was forgotten.

        A whole list costs one digest a row.
        """
        # What is still to come of nodes that were begun, the next part last; then whole nodes.
        following, waiting = max(0, self._index(first)), list[tuple[int, int, bytes]]()
        for row in range(first, first + many):
            while waiting and waiting[-1][0] + waiting[-1][1] <= row:
                waiting.pop()
            while not waiting and following < len(self.nodes):
                depth, begin, seed = self.nodes[following]
                if begin > row:
                    break
                following, size = following + 1, 1 << (DEPTH - depth)
                if begin + size > row:
                    waiting.append((begin, size, seed))
            if not waiting or waiting[-1][0] > row:
                yield None
                continue
            begin, size, seed = waiting.pop()
            while size > 1:
                digest, size = sha512(seed).digest(), size >> 1
                if row < begin + size:
                    waiting.append((begin + size, size, digest[SEED_BYTES:]))
                    seed = digest[:SEED_BYTES]
                else:
                    begin, seed = begin + size, digest[SEED_BYTES:]
            yield seed

    def without(self, row: int) -> "KeyTree":
        """Return the tree from which this row's key, and no other, cannot be derived."""
        at = self._index(row)
        if at < 0 or self.nodes[at].last < row:
            return self
        kept, node = list[Node](), self.nodes[at]
        while node.depth < DEPTH:
            left, right = node.children()
            node, other = (left, right) if row <= left.last else (right, left)
            kept.append(other)
        kept.sort(key=lambda one: one.first)
        return KeyTree(self.nodes[:at] + tuple(kept) + self.nodes[at + 1 :])

    def _index(self, row: int) -> int:
        """Return the index of the last node that begins at a row or before it; -1: none does."""
        return bisect_right(self.nodes, row, key=lambda node: node.first) - 1
