"""A list's keys: each row's can be forgotten, whatever was before, and no other goes with it."""

from hashlib import sha512
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.personal import key_tree
from campaigns.personal.key_tree import DEPTH, ROW_MAX, DamagedKeysError, KeyTree, Node

ROWS = st.one_of(st.integers(1, 40), st.integers(1, ROW_MAX))


@given(st.lists(ROWS, max_size=12), st.sets(st.integers(1, 60)), st.integers(1, 40))
def test_what_is_forgotten_has_no_key_and_all_others_have_theirs(
    forgotten: list[int], looked_at: set[int], first: int
) -> None:
    whole = left = KeyTree.new()
    for row in forgotten:
        left = left.without(row)
    left = KeyTree.load(left.dump())
    for row in looked_at | set(forgotten):
        assert left.key(row) == (None if row in forgotten else whole.key(row))
    found = list(left.keys(first, 40))
    assert found == [left.key(row) for row in range(first, first + 40)], "in order as alone"
    assert all(found) or set(forgotten) & set(range(first, first + 40))


@given(st.sets(ROWS, max_size=3), st.lists(ROWS, min_size=1, max_size=20))
def test_a_key_is_the_same_whatever_was_asked_before(forgotten: set[int], asked: list[int]) -> None:
    tree = KeyTree.new()
    for row in forgotten:
        tree = tree.without(row)
    for row in asked:
        assert tree.key(row) == KeyTree(tree.nodes).key(row)


def test_the_next_row_costs_no_whole_way_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialer goes through a list nearly in order, and finds a key for each call."""
    digests = 0

    def counted(seed: bytes) -> Any:
        nonlocal digests
        digests += 1
        return sha512(seed)

    monkeypatch.setattr(key_tree, "sha512", counted)
    tree = KeyTree.new()
    found = [tree.key(row ^ 1) for row in range(1024)]
    assert DEPTH <= digests < 2 * 1024 + DEPTH
    assert found == [KeyTree(tree.nodes).key(row ^ 1) for row in range(1024)]


@given(st.sets(ROWS, min_size=1, max_size=12))
def test_nothing_that_is_left_derives_a_forgotten_row(forgotten: set[int]) -> None:
    left = KeyTree.new()
    for row in forgotten:
        left = left.without(row)
    assert not [node for node in left.nodes for row in forgotten if node.first <= row <= node.last]
    assert len(left.nodes) <= DEPTH * len(forgotten)
    assert left.without(next(iter(forgotten))) is left, "once is enough"


def test_keys_differ_by_row_and_by_list() -> None:
    one, other = KeyTree.new(), KeyTree.new()
    assert len({*one.keys(1, 500), *other.keys(1, 500)}) == 1_000


@pytest.mark.parametrize(
    "nodes",
    [
        (Node(0, 0, bytes(32)), Node(32, 7, bytes(32))),  # One within another.
        (Node(32, 7, bytes(32)), Node(32, 7, bytes(32))),
        (Node(32, 8, bytes(32)), Node(32, 7, bytes(32))),
        (Node(DEPTH + 1, 7, bytes(32)),),
    ],
)
def test_what_is_no_tree_is_refused(nodes: tuple[Node, ...]) -> None:
    with pytest.raises(DamagedKeysError):
        KeyTree.load(KeyTree(nodes).dump())
    with pytest.raises(DamagedKeysError):
        KeyTree.load(KeyTree.new().dump() + b"x")
