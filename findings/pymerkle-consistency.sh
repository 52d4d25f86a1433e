#!/usr/bin/env bash
# pymerkle's roots and inclusion paths are RFC 9162's, its consistency proofs are a format of its own.
#
# Needs python3 with venv. About 15 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: pymerkle==7.0.0
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import hashlib
import sys
import warnings
from importlib.metadata import version

from pymerkle import InmemoryTree

warnings.simplefilter("ignore")
SIZE = 20


def sha(data):
    return hashlib.sha256(data).digest()


def half(leaves):
    return 1 << ((len(leaves) - 1).bit_length() - 1)


def root(leaves):  # RFC 9162, 2.1.1
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = half(leaves)
    return sha(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def inclusion(m, leaves):  # 2.1.3.1
    if len(leaves) == 1:
        return []
    k = half(leaves)
    if m < k:
        return [*inclusion(m, leaves[:k]), root(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), root(leaves[:k])]


def consistency(m, leaves, whole=True):  # 2.1.4.1
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = half(leaves)
    if m <= k:
        return [*consistency(m, leaves[:k], whole), root(leaves[k:])]
    return [*consistency(m - k, leaves[k:], False), root(leaves[:k])]


def path(proof):
    return [bytes.fromhex(one) for one in proof.serialize()["path"]]


leaves = [bytes([n]) for n in range(SIZE)]
tree = InmemoryTree(algorithm="sha256")
for leaf in leaves:
    tree.append_entry(leaf)
sizes = range(1, SIZE + 1)
roots = sum(tree.get_root(n) == root(leaves[:n]) for n in sizes)
pairs = [(m, n) for n in sizes for m in range(1, n + 1)]
included = sum(path(tree.prove_inclusion(m, n))[1:] == inclusion(m - 1, leaves[:n]) for m, n in pairs)
consistent = sum(path(tree.prove_consistency(m, n)) == consistency(m, leaves[:n]) for m, n in pairs)

print(f"pymerkle {version('pymerkle')}")
print("One would guess: a tree with RFC 9162's roots gives RFC 9162's proofs.")
print(f"Seen: {roots} of {SIZE} roots equal, {included} of {len(pairs)} inclusion paths equal")
print(f"once the leaf at their head is cut off, {consistent} of {len(pairs)} consistency proofs equal.")
sys.exit(None if (roots, included, consistent) == (SIZE, len(pairs), 0) else "This has changed.")
EOF
