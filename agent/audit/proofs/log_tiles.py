"""Publishes a log as static files that any web server serves: C2SP tlog-tiles, and of each camera's
newest checkpoint in a city's log a tlog-proof with its words.

An entry is a leaf's commitment, SHA-256(salt ‖ details): it tells nothing by itself. What was
published is never changed; where it differs, nothing is written. Source: c2sp.org/tlog-tiles.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from agent.audit.checkpoint_files import opened
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.witnesses.witness_folder import file_name
from agent.core.log.checkpoint import MAX_NOTE_BYTES, Checkpoint, parse_note
from agent.core.log.leaf import LeafKind
from agent.core.log.merkle import HASH_BYTES, leaf_hash, root_of
from agent.core.log.tlog_proof import format_proof
from agent.core.reasons import Reason
from agent.disk.atomic_file import private_folder, read_bounded, write_atomic
from agent.errors import LogRefusedError, StorageError
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_reader import database_of, opening, streamed
from agent.storage.log_schema import CHECKPOINT_FILE, COSIGNED_FILE
from agent.values import dataclass

WIDTH = 256
MAX_TILE_BYTES = WIDTH * (2 + HASH_BYTES)
PROOFS, PROOF = "cameras", ".tlog-proof"
FITTING = ("first", "grown")  # of a leaf about a camera's checkpoint
_ANYBODY = 0o644


@dataclass(frozen=True, slots=True)
class Published:
    """`files`: how many were written; `proofs`: the logs whose newest checkpoint is proven."""

    signed: Checkpoint
    files: int
    proofs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    entries: Sequence[bytes]
    cameras: Mapping[str, int]  # a log's name → the leaf that tells its newest checkpoint


def publish_log(path: Path, keys: TrustedLogKeys, out: Path) -> Published:
    """Bring `out` up to the log's newest checkpoint, which is written last.

    Raises UsageError when no key fits, LogRefusedError when the log is not what was signed, a leaf
    of it is withheld, or `out` holds another history; StorageError.
    """
    maker = ProofMaker(path, keys)
    note, signed = maker.newest()
    read = _read(path, signed)
    hashes = [leaf_hash(entry) for entry in read.entries]
    if len(hashes) != signed.size or root_of(hashes) != signed.root:
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            "the leaves do not lead to the signed root",
            where=path,
            fix="run `platewarden audit verify`: it names what is wrong with the log",
        )
    _require_older(out / CHECKPOINT_FILE, hashes, signed)
    files = sum(
        _write(out / name, data) for name, data in (*_tiles(hashes), *_bundles(read.entries))
    )
    served = _cosigned(path, note)
    for origin, leaf in read.cameras.items():
        proof = format_proof(maker.inclusion_under(leaf, served, signed))
        _replace(out / PROOFS / f"{file_name(origin)}{PROOF}", proof)
    _replace(out / CHECKPOINT_FILE, served)
    return Published(signed, files, tuple(sorted(read.cameras)))


def tile_name(level: str, index: int, width: int) -> str:
    """`tile/<level>/<index in groups of three digits>[.p/<width>]`."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < WIDTH else "")


def _read(path: Path, signed: Checkpoint) -> _Read:
    entries: list[bytes] = []
    cameras: dict[str, int] = {}
    with streamed(database_of(path)) as log:
        for n, _, salt, details in log.leaves:
            if len(entries) == signed.size:
                break
            if not isinstance(salt, bytes) or not isinstance(details, bytes):
                raise LogRefusedError(
                    Reason.LEAF_WITHHELD,
                    f"what leaf {n} says is withheld, so its entry cannot be made",
                    where=path,
                    fix="ask who deleted it",
                )
            said = opening(details)
            camera = said.get("log")
            if said.get("kind") == LeafKind.CHECKPOINT and isinstance(camera, str):
                cameras |= {camera: len(entries)} if said.get("outcome") in FITTING else {}
            entries.append(sha256(salt + details).digest())
    return _Read(entries, cameras)


def _tiles(hashes: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Every tile of the tree: full ones, and the last of each level."""
    level = 0
    while hashes:
        full = []
        for at in range(0, len(hashes), WIDTH):
            tile = hashes[at : at + WIDTH]
            yield tile_name(str(level), at // WIDTH, len(tile)), b"".join(tile)
            if len(tile) == WIDTH:
                full.append(root_of(tile))
        level, hashes = level + 1, full


def _bundles(entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    for at in range(0, len(entries), WIDTH):
        bundle = entries[at : at + WIDTH]
        data = b"".join(len(one).to_bytes(2, "big") + one for one in bundle)
        yield tile_name("entries", at // WIDTH, len(bundle)), data


def _require_older(published: Path, hashes: Sequence[bytes], signed: Checkpoint) -> None:
    """What stands there must be the beginning of this log."""
    if not os.path.lexists(published):
        return
    found = opened(read_bounded(published, MAX_NOTE_BYTES))
    if found is None or found[1].origin != signed.origin:
        raise StorageError(
            "is no checkpoint of this log", where=published, fix="give another folder"
        )
    before = found[1]
    if before.size > signed.size or root_of(hashes[: before.size]) != before.root:
        what = (
            f"tells of {before.size} leaves (root {before.root.hex()}), and the log's "
            f"{signed.size} (root {signed.root.hex()}) do not grow out of them: an older copy, or "
            "another history"
        )
        reason = Reason.LOG_TRUNCATED if before.size > signed.size else Reason.ROOT_MISMATCH
        fix = "keep both, tell the auditor; publish from the log as it is now"
        raise LogRefusedError(reason, what, where=published, fix=fix)


def _write(path: Path, data: bytes) -> bool:
    """Was it new? A tile that stands there stays: the same leaves have the same bytes."""
    if not os.path.lexists(path):
        _replace(path, data)
        return True
    if read_bounded(path, MAX_TILE_BYTES) != data:
        raise LogRefusedError(
            Reason.ROOT_MISMATCH,
            "was published with other bytes",
            where=path,
            fix="keep it, tell the auditor",
        )
    return False


def _replace(path: Path, data: bytes) -> None:
    private_folder(path.parent, 0o755)
    write_atomic(path, data, _ANYBODY)


def _cosigned(path: Path, note: bytes) -> bytes:
    """With the witnesses' lines, where they cosigned this very tree."""
    file = database_of(path).with_name(COSIGNED_FILE)
    if os.path.lexists(file):
        data = read_bounded(file, MAX_NOTE_BYTES)
        found = opened(data)
        if found is not None and found[0].signed == parse_note(note).signed:
            return data
    return note
