"""Logs of every kind, and every attack that is tried on them: what an attacker does with the file,
and what must be told of it.
"""

import shutil
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.audit.witnesses.cosigner import cosign, witness_key_of
from agent.core.log.checkpoint import note as write_note
from agent.core.log.checkpoint import origin_of, parse_note
from agent.core.log.witness_policy import Witness, WitnessPolicy, k_of
from tests.support.audit_logs import ORIGIN, OTHER_KEY, forged, open_log, rows, tamper

CITY_DOMAIN = "exampleville.gov"
LOGS = {
    "a camera's": (ORIGIN, "release"),
    "a camera's, named by a domain": (f"{CITY_DOMAIN}/{ORIGIN}", "release"),
    "the city's": (origin_of("exampleville", "city", CITY_DOMAIN), "checkpoint"),
    "a receiver's": (origin_of("exampleville-pd.2", "access"), "access"),
}
WITNESS = ("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes([9] * 32)))
ASKED = k_of(1, [Witness("W", witness_key_of(*WITNESS))])
COSIGNED_S = 1_800_000_000


@cache
def _files(size: int, copy: int, which: str) -> dict[str, bytes]:
    origin, kind = LOGS[which]
    with TemporaryDirectory() as folder:
        with open_log(Path(folder) / "watch", origin=origin) as log:
            log.append("start", {})
            log.append_all(kind, [{"read": f"{n:032x}"} for n in range(1, size)])
        return {path.name: path.read_bytes() for path in (Path(folder) / "watch").iterdir()}


def a_log(folder, size, copy=0, which="a camera's"):
    """A log of `size` leaves; another `copy` of the same size is another history."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in _files(size, copy, which).items():
        (folder / name).write_bytes(data)
    return folder


def note_of(folder, size):
    [(note,)] = rows(folder, f"SELECT note FROM checkpoint WHERE size = {size}")
    return note


def cosigned_by_witness(note):
    taken = parse_note(note)
    return write_note(taken.signed, [*taken.signatures, cosign(taken, *WITNESS, COSIGNED_S)])


@dataclass
class Case:
    """`leaf`: which one the attack is on; `kept`: what the auditor holds from before it, and
    `witnesses`: who he asks for.
    """

    folder: Path
    size: int
    leaf: int
    which: str = "a camera's"
    kept: list[Path] = field(default_factory=list)
    witnesses: WitnessPolicy | None = None

    def keep(self, size, *, cosigned=False):
        path, note = self.folder.parent / f"kept-{size}", note_of(self.folder, size)
        path.write_bytes(cosigned_by_witness(note) if cosigned else note)
        self.kept.append(path)


def delete(case):
    tamper(case.folder, f"DELETE FROM leaf WHERE n = {case.leaf}")
    last = case.leaf == case.size - 1
    return "log-truncated" if last else "leaf-missing", case.leaf


def delete_and_close_the_gap(case):
    case.leaf = min(case.leaf, case.size - 2)
    delete(case)
    tamper(
        case.folder,
        f"UPDATE leaf SET n = -n WHERE n > {case.leaf}",
        "UPDATE leaf SET n = -n - 1 WHERE n < 0",
    )
    return "leaf-missing", case.leaf


def edit(case):
    tamper(
        case.folder,
        f"UPDATE leaf SET details = CAST(replace(details, 'a', 'b') AS BLOB) WHERE n = {case.leaf}",
    )
    return "leaf-changed", case.leaf


def edit_and_hash_again(case):
    values = forged(case.leaf, read="x")
    tamper(
        case.folder,
        ("UPDATE leaf SET hash = ?, salt = ?, details = ? WHERE n = ?", (*values, case.leaf)),
    )
    return "leaf-changed", case.leaf


def reorder(case):
    other = (case.leaf + 1) % case.size
    tamper(
        case.folder,
        f"UPDATE leaf SET n = -1 WHERE n = {case.leaf}",
        f"UPDATE leaf SET n = {case.leaf} WHERE n = {other}",
        f"UPDATE leaf SET n = {other} WHERE n = -1",
    )
    return "leaf-reordered", case.leaf


def wipe(case):
    tamper(case.folder, f"UPDATE leaf SET details = NULL, salt = NULL WHERE n = {case.leaf}")
    return "leaf-withheld", case.leaf


def wipe_many(case):
    """All that was said from here on: the tree still stands."""
    tamper(case.folder, f"UPDATE leaf SET details = NULL, salt = NULL WHERE n >= {case.leaf}")
    return "leaf-withheld", case.leaf


def wipe_half(case):
    tamper(case.folder, f"UPDATE leaf SET details = NULL WHERE n = {case.leaf}")
    return "leaf-changed", case.leaf


def put_back_an_older_copy(case):
    """All of it, with its own checkpoint: below what the auditor holds."""
    case.keep(case.size)
    case.leaf = max(1, min(case.leaf, case.size - 1))
    older = note_of(case.folder, case.leaf)
    tamper(
        case.folder,
        f"DELETE FROM leaf WHERE n >= {case.leaf}",
        f"DELETE FROM checkpoint WHERE size > {case.leaf}",
    )
    (case.folder / "checkpoint").write_bytes(older)
    return "log-truncated", case.leaf


def truncate_below_a_kept_checkpoint(case):
    """Leaves, checkpoints and the file: nothing beside the log tells."""
    case.keep(case.size)
    case.leaf = max(1, case.leaf)
    tamper(
        case.folder,
        f"DELETE FROM leaf WHERE n >= {case.leaf}",
        f"DELETE FROM checkpoint WHERE size > {case.leaf}",
    )
    (case.folder / "checkpoint").unlink()
    return "log-truncated", case.leaf


def cut_off_and_forget_the_file(case):
    """The file beside the log is left to tell."""
    case.leaf = max(1, case.leaf)
    tamper(
        case.folder,
        f"DELETE FROM leaf WHERE n >= {case.leaf}",
        f"DELETE FROM checkpoint WHERE size > {case.leaf}",
    )
    return "log-truncated", case.leaf


def fork(case):
    """Another history under the same key, as long as the one that the auditor has seen."""
    case.keep(case.size)
    a_log(case.folder, case.size, copy=1, which=case.which)
    return "root-mismatch", None


def fork_after_a_cosignature(case):
    """Another history under the same key, longer than the one that a witness has cosigned."""
    case.keep(case.size, cosigned=True)
    case.witnesses = ASKED
    a_log(case.folder, case.size + 3, copy=1, which=case.which)
    return "root-mismatch", None


def put_back_an_older_copy_after_a_cosignature(case):
    """Whole by itself, and older than what a witness has cosigned."""
    case.witnesses = ASKED
    told = put_back_an_older_copy(case)
    [newest] = case.kept
    newest.write_bytes(cosigned_by_witness(newest.read_bytes()))
    return told


def forge_a_checkpoint(case):
    """Another root under a signature that is not good."""
    size = case.leaf + 1
    note = parse_note(note_of(case.folder, size))
    text = note.signed.replace(f"\n{size}\n".encode(), f"\n{size}\nA".encode())
    altered = write_note(text[:-3] + b"=\n", note.signatures)
    tamper(case.folder, ("UPDATE checkpoint SET note = ? WHERE size = ?", (altered, size)))
    return "checkpoint-invalid", case.leaf


def another_s_signature_on_the_newest(case):
    note = parse_note(note_of(case.folder, case.size))
    [mine] = note.signatures
    altered = write_note(note.signed, [replace(mine, signature=OTHER_KEY.sign(note.signed))])
    tamper(case.folder, ("UPDATE checkpoint SET note = ? WHERE size = ?", (altered, case.size)))
    return "checkpoint-invalid", case.size - 1


def alter_peaks(case):
    tamper(
        case.folder,
        f"UPDATE checkpoint SET peaks = zeroblob(length(peaks)) WHERE size = {case.leaf + 1}",
    )
    return "checkpoint-invalid", case.leaf


def add_a_leaf(case):
    values = (case.size, *forged(case.size))
    tamper(case.folder, ("INSERT INTO leaf VALUES (?, ?, ?, ?)", values))
    return "checkpoint-invalid", case.size


def take_the_newest_checkpoints(case):
    beyond = f"size > {case.leaf}"
    tamper(case.folder, f"DELETE FROM checkpoint WHERE {beyond}")
    (case.folder / "checkpoint").unlink()
    return "checkpoint-invalid", case.leaf or None


def delete_the_end_and_the_copy(case):
    """The database's own checkpoints are left to tell."""
    (case.folder / "checkpoint").unlink()
    tamper(case.folder, f"DELETE FROM leaf WHERE n >= {case.leaf}")
    return "log-truncated", case.leaf


ATTACKS = (
    delete,
    delete_the_end_and_the_copy,
    delete_and_close_the_gap,
    edit,
    edit_and_hash_again,
    reorder,
    wipe,
    wipe_half,
    wipe_many,
    put_back_an_older_copy,
    put_back_an_older_copy_after_a_cosignature,
    truncate_below_a_kept_checkpoint,
    cut_off_and_forget_the_file,
    fork,
    fork_after_a_cosignature,
    forge_a_checkpoint,
    another_s_signature_on_the_newest,
    alter_peaks,
    add_a_leaf,
    take_the_newest_checkpoints,
)
