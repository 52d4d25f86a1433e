"""The Merkle tree against pymerkle as an oracle, RFC 6962's own vectors, and proofs that must
fail.
"""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from agent.core.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    consistency_ranges,
    frontier_of,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    range_root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves of the test vectors of certificate-transparency, and the roots of their first 1
# to 8.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes(count):
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def test_roots_of_the_certificate_transparency_vectors():
    leaves = [leaf_hash(data) for data in CT_LEAVES]
    assert [root_of(leaves[:size]).hex() for size in range(1, 9)] == CT_ROOTS


def test_the_empty_tree_is_the_hash_of_nothing():
    assert Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_roots_equal_pymerkle_at_every_size():
    oracle, frontier = InmemoryTree(algorithm="sha256"), Frontier()
    for number in range(140):
        data = number.to_bytes(4, "big")
        oracle.append_entry(data)
        frontier = frontier.append(leaf_hash(data))
        assert frontier.root() == oracle.get_root()


def test_every_inclusion_and_every_consistency_up_to_33_leaves():
    leaves = hashes(33)
    roots = [root_of(leaves[:size]) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            path = inclusion_proof(leaves[:size], index)
            assert verify_inclusion(leaves[index], index, size, path, roots[size]) is True
        for old in range(1, size + 1):
            proof = consistency_proof(leaves[:size], old)
            assert verify_consistency(old, size, proof, roots[old], roots[size]) is True


X = leaf_hash(b"x")


class TestProofsThatAreTooShortOrTooLong:
    """Each leads to the root that is claimed, by a way that no tree of that size has."""

    LEAVES = hashes(4)

    @pytest.mark.parametrize(
        ("index", "size", "path", "root"),
        [
            (0, 2, [], LEAVES[0]),
            (0, 1, [X], node_hash(X, LEAVES[0])),
            (0, 2, [LEAVES[1], X], node_hash(X, root_of(LEAVES[:2]))),
            (1, 1, [], LEAVES[0]),
            (-1, 1, [], LEAVES[0]),
        ],
    )
    def test_of_inclusion(self, index, size, path, root):
        assert verify_inclusion(self.LEAVES[0], index, size, path, root) is False

    ROOT_3, ROOT_4 = root_of(LEAVES[:3]), root_of(LEAVES)
    PROOF = consistency_proof(LEAVES, 3)

    @pytest.mark.parametrize(
        ("old", "new", "proof", "old_root", "new_root"),
        [
            (3, 8, PROOF, ROOT_3, ROOT_4),
            (3, 4, (*PROOF, X), node_hash(X, ROOT_3), node_hash(X, ROOT_4)),
            (3, 4, (), ROOT_3, ROOT_4),
            (4, 4, (X,), ROOT_4, ROOT_4),
            (0, 4, PROOF, ROOT_3, ROOT_4),
            (5, 4, PROOF, ROOT_3, ROOT_4),
        ],
    )
    def test_of_consistency(self, old, new, proof, old_root, new_root):
        assert verify_consistency(old, new, proof, old_root, new_root) is False


@settings(max_examples=30)  # pymerkle is slow
@given(st.integers(1, 80), st.data())
def test_inclusion_is_proven_and_equals_pymerkle(size, data):
    leaves, index = hashes(size), data.draw(st.integers(0, size - 1))
    path = inclusion_proof(leaves, index)
    assert verify_inclusion(leaves[index], index, size, path, root_of(leaves))
    oracle = InmemoryTree(algorithm="sha256")
    for number in range(size):
        oracle.append_entry(number.to_bytes(4, "big"))
    theirs = [
        bytes.fromhex(node) for node in oracle.prove_inclusion(index + 1, size).serialize()["path"]
    ]
    # The path of pymerkle starts with the leaf itself.
    assert [node for node in theirs if node != leaves[index]] == list(path)


@given(st.integers(1, 40), st.data())
def test_another_leaf_place_size_or_path_proves_nothing(size, data):
    leaves, index = hashes(size), data.draw(st.integers(0, size - 1))
    path, root = inclusion_proof(leaves, index), root_of(leaves)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    assert not verify_inclusion(leaves[index], index + 1, size, path, root)
    assert not verify_inclusion(leaves[index], -1, size, path, root)
    assert not verify_inclusion(leaves[index], index, size, (*path, root), root)
    assert not verify_inclusion(leaves[index], index, 0, path, root)
    if path:
        assert not verify_inclusion(leaves[index], index, size, path[:-1], root)
        assert not verify_inclusion(leaves[index], index, size, (root, *path[1:]), root)


@given(st.integers(1, 80), st.data())
def test_a_prefix_is_proven_consistent(size, data):
    leaves, old = hashes(size), data.draw(st.integers(1, size))
    proof = consistency_proof(leaves, old)
    assert verify_consistency(old, size, proof, root_of(leaves[:old]), root_of(leaves))


@given(st.integers(2, 40), st.data())
def test_a_rewritten_past_is_not_consistent(size, data):
    leaves, old = hashes(size), data.draw(st.integers(1, size - 1))
    old_root, proof = root_of(leaves[:old]), consistency_proof(leaves, old)
    rewritten = [leaf_hash(b"rewritten"), *leaves[1:]]
    assert not verify_consistency(
        old, size, consistency_proof(rewritten, old), old_root, root_of(rewritten)
    )
    assert not verify_consistency(old, size, (*proof, old_root), old_root, root_of(leaves))
    assert not verify_consistency(old, size, proof[:-1], old_root, root_of(leaves))
    assert not verify_consistency(0, size, proof, old_root, root_of(leaves))
    assert not verify_consistency(size + 1, size, proof, old_root, root_of(leaves))


def test_equal_trees_need_no_proof():
    root = root_of(hashes(5))
    assert verify_consistency(5, 5, (), root, root)
    assert not verify_consistency(5, 5, (), root, root_of(hashes(4)))


@given(st.integers(0, 300))
def test_a_frontier_survives_being_stored(size):
    frontier = frontier_of(hashes(size))
    assert Frontier.decode(size, frontier.encode()) == frontier
    assert frontier.extend([leaf_hash(b"x")]) == frontier.append(leaf_hash(b"x"))


@pytest.mark.parametrize(
    ("size", "peaks"),
    [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (-1, b""), (-1, bytes(32))],
)
def test_a_frontier_that_fits_no_size_is_refused(size, peaks):
    with pytest.raises(ValueError):
        Frontier.decode(size, peaks)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_for_a_leaf_that_is_not_there(index):
    with pytest.raises(ValueError):
        inclusion_proof(hashes(3), index)


@pytest.mark.parametrize("old", [0, 4])
def test_no_proof_for_a_tree_that_never_was(old):
    with pytest.raises(ValueError, match=f"no older tree of {old} leaves in one of 3"):
        consistency_proof(hashes(3), old)


def test_the_node_at_a_trees_end_comes_of_the_tree_before_its_last_leaf():
    """Of every tree of up to 33 leaves, every range of a proof that reaches its end, and all."""
    for size in range(1, 34):
        leaves = hashes(size)
        before = frontier_of(leaves[:-1])
        proofs = (
            *(inclusion_ranges(index, size) for index in range(size)),
            *(consistency_ranges(old, size) for old in range(1, size + 1)),
        )
        starts = {low for ranges in proofs for low, high in ranges if high == size} | {0}
        for low in starts:
            assert range_root(before, low, leaves[-1]) == root_of(leaves[low:]), (size, low)
