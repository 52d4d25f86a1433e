"""The RFC 6962 Merkle tree: leaf hashes, roots, appending with a frontier, inclusion and
consistency proofs.

A tree of n leaves is known by its peaks: the roots of its full subtrees, largest first (one per set
bit of n). The proofs take all leaf hashes; an auditor's machine has them at hand. Source: RFC 6962
section 2.1, RFC 9162 section 2.1.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import reduce

from agent.values import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf_data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data). The prefix keeps a node from passing as a leaf (second preimage)."""
    return hashlib.sha256(b"\x00" + leaf_data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree's size and peaks: all that appending and the root need.

    Raises ValueError when the two do not fit.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if (
            self.size < 0
            or len(self.peaks) != self.size.bit_count()
            or any(len(peak) != HASH_BYTES for peak in self.peaks)
        ):
            msg = "a frontier has one 32-byte peak for each set bit of its size"
            raise ValueError(msg)

    def append(self, leaf: bytes) -> "Frontier":
        """The tree with one more leaf (given by its leaf hash)."""
        peaks = [*self.peaks, leaf]
        merges = self.size
        while merges & 1:  # every trailing set bit is a full subtree of the size just completed
            right = peaks.pop()
            peaks.append(node_hash(peaks.pop(), right))
            merges >>= 1
        return Frontier(self.size + 1, tuple(peaks))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """The tree with these leaf hashes added in order."""
        return reduce(Frontier.append, leaves, self)

    def root(self) -> bytes:
        """The Merkle tree hash, 32 bytes."""
        if not self.peaks:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.peaks))

    def encode(self) -> bytes:
        """The peaks one after another; with the size, all of the frontier."""
        return b"".join(self.peaks)

    @classmethod
    def decode(cls, size: int, untrusted_peaks: bytes) -> "Frontier":
        """The inverse of `encode`.

        Raises ValueError. Whoever decodes compares `root()` with a signed one.
        """
        return cls(
            size,
            tuple(
                untrusted_peaks[at : at + HASH_BYTES]
                for at in range(0, len(untrusted_peaks), HASH_BYTES)
            ),
        )


def frontier_of(leaves: Iterable[bytes]) -> Frontier:
    """The frontier of a tree with these leaf hashes."""
    return Frontier().extend(leaves)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree with these leaf hashes."""
    return frontier_of(leaves).root()


def inclusion_ranges(index: int, size: int) -> tuple[tuple[int, int], ...]:
    """The audit path of leaf `index` in a tree of `size` leaves, lowest node first, each node as
    the leaves below it: from the first of a pair up to, and without, the second.

    Raises ValueError.
    """
    if not 0 <= index < size:
        msg = f"no leaf {index} in a tree of {size}"
        raise ValueError(msg)
    path: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return tuple(reversed(path))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `leaves`, lowest node first.

    Raises ValueError.
    """
    return tuple(root_of(leaves[low:high]) for low, high in inclusion_ranges(index, len(leaves)))


def verify_inclusion(
    leaf: bytes, index: int, size: int, untrusted_path: Sequence[bytes], root: bytes
) -> bool:
    """Does the path prove that `leaf` (a leaf hash) stands at `index` in the tree of `size` leaves
    with this root?

    (RFC 9162, 2.1.3.2)
    """
    if not 0 <= index < size:
        return False
    node, last, current = index, size - 1, leaf
    for sibling in untrusted_path:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and current == root


def consistency_ranges(old_size: int, size: int) -> tuple[tuple[int, int], ...]:
    """The nodes that prove the first `old_size` leaves to be a prefix of a tree of `size` leaves,
    each as in `inclusion_ranges`.

    Raises ValueError.
    """
    if not 0 < old_size <= size:
        msg = f"no older tree of {old_size} leaves in one of {size}"
        raise ValueError(msg)
    proof: list[tuple[int, int]] = []
    # `whole`: is this subtree the old tree itself, whose root the reader knows?
    low, high, whole = 0, size, True
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            proof.append((middle, high))
            high = middle
        else:
            proof.append((low, middle))
            low, whole = middle, False
    if not whole:
        proof.append((low, high))
    return tuple(reversed(proof))


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Proves that the first `old_size` leaves are a prefix of the tree of `leaves`.

    Raises ValueError.
    """
    ranges = consistency_ranges(old_size, len(leaves))
    return tuple(root_of(leaves[low:high]) for low, high in ranges)


def range_root(peaks_before_last: Frontier, low: int, last: bytes) -> bytes:
    """The node over the leaves from `low` to the end of a tree: by the tree without its last leaf,
    and that leaf's hash. `low` begins one of the ranges above, so that a peak begins there.
    """
    start, root = peaks_before_last.size, last
    for peak, bit in zip(
        reversed(peaks_before_last.peaks), _bits(peaks_before_last.size), strict=True
    ):
        start -= bit
        if start < low:
            break
        root = node_hash(peak, root)
    return root


def verify_consistency(
    old_size: int, new_size: int, untrusted_proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Is the tree with `old_root` a prefix of the one with `new_root`? (RFC 9162, 2.1.4.2)"""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not untrusted_proof and old_root == new_root
    path = list(untrusted_proof)
    # The old tree is one full subtree: its root is the first node.
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old, new = path[0], path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _bits(size: int) -> Iterable[int]:
    """The powers of two that make up `size`, smallest first."""
    while size:
        lowest = size & -size
        yield lowest
        size -= lowest


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (size ≥ 2): where RFC 6962 divides a tree."""
    return 1 << (size - 1).bit_length() - 1
