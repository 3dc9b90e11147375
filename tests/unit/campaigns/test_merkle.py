"""The Merkle tree is that of certificate transparency, however it is divided into blocks."""

from hashlib import sha256

import pytest

from campaigns.audit.seal import merkle
from campaigns.audit.seal.merkle import Tree, leaf, path_of, root_by, root_of

# Source: the test vectors of RFC 6962's reference implementation (google/certificate-transparency).
INPUTS = [bytes.fromhex(one) for one in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_the_book(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162, section 2.1.1, defines it."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + by_the_book(leaves[:half]) + by_the_book(leaves[half:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert root_of([leaf(one) for one in INPUTS[:size]]).hex() == ROOTS[size]


def test_blocks_make_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merkle, "BLOCK", 4)
    leaves, tree = list[bytes](), Tree()
    for number in range(70):
        assert tree.root() == by_the_book(leaves)
        leaves.append(tree.add(b"%d" % number))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 33])
def test_a_path_leads_from_its_leaf_to_the_root_and_no_other(size: int) -> None:
    leaves = [leaf(b"%d" % number) for number in range(size)]
    root = root_of(leaves)
    for index in range(size):
        path = path_of(leaves, index)
        assert root_by(path, index, size, leaves[index]) == root
        assert root_by(path, index, size, leaf(b"another")) != root
        assert root_by([*path, root], index, size, leaves[index]) is None
        assert not path or root_by(path[1:], index, size, leaves[index]) != root
        for other in range(size):
            assert other == index or root_by(path, other, size, leaves[index]) != root
