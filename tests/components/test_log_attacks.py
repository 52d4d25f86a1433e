"""P7 over random logs: every attack is found and named, no mistake is told as one, and one pass
over a log tells the same as looking leaf by leaf.
"""

import shutil
import threading
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.audit import log_pass, log_verify
from agent.audit.log_verify import Asked, verify
from agent.core.log.checkpoint import note as write_note
from agent.core.log.checkpoint import origin_of, parse_note
from agent.storage.log_key import TrustedLogKeys
from tests.support.audit_logs import (
    DEVICE,
    KEY,
    ORIGIN,
    OTHER_KEY,
    TRUSTED,
    forged,
    open_log,
    rows,
    tamper,
)

MOST = 40
search = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
sizes = st.integers(2, MOST)


@cache
def _files(size: int, copy: int) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        with open_log(Path(folder) / "watch") as log:
            log.append("start", {})
            log.append_all("release", [{"read": f"{n:032x}"} for n in range(1, size)])
        return {path.name: path.read_bytes() for path in (Path(folder) / "watch").iterdir()}


def a_log(folder, size, copy=0):
    """A log of `size` leaves; another `copy` of the same size is another history."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in _files(size, copy).items():
        (folder / name).write_bytes(data)
    return folder


def note_of(folder, size):
    [(note,)] = rows(folder, f"SELECT note FROM checkpoint WHERE size = {size}")
    return note


@dataclass
class Case:
    """`leaf`: which one the attack is on; `kept`: what the auditor holds from before it."""

    folder: Path
    size: int
    leaf: int
    kept: list[Path] = field(default_factory=list)

    def keep(self, size):
        path = self.folder.parent / f"kept-{size}"
        path.write_bytes(note_of(self.folder, size))
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


def fork(case):
    """After a witness cosigned: another history under the same key, as long or longer."""
    case.keep(case.size)
    a_log(case.folder, case.size, copy=1)
    return "root-mismatch", None


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
    put_back_an_older_copy,
    fork,
    forge_a_checkpoint,
    another_s_signature_on_the_newest,
    alter_peaks,
    add_a_leaf,
    take_the_newest_checkpoints,
)


def covers(fault, leaf):
    return fault.leaf is None if leaf is None else fault.leaf <= leaf <= fault.last


def both_ways(folder, keys, asked, monkeypatch):
    """The report, which is the same when no pass is tried."""
    quick = verify(folder, keys, asked=asked)
    with monkeypatch.context() as patched:
        patched.setattr(log_verify, "_in_one_pass", lambda *_: None)
        assert verify(folder, keys, asked=asked) == quick
    return quick


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@search
@given(data=st.data())
def test_every_attack_is_found_and_named(attack, tmp_path, monkeypatch, data):
    size = data.draw(sizes)
    leaf = data.draw(st.integers(0, size - 1))
    case = Case(a_log(tmp_path / "watch", size), size, leaf)
    reason, named = attack(case)
    report = both_ways(case.folder, TRUSTED, Asked(case.kept), monkeypatch)
    assert report.verdict.exit_code == 3
    assert report.verdict == ("withheld" if reason == "leaf-withheld" else "not-as-signed")
    assert any(fault.reason == reason and covers(fault, named) for fault in report.faults), (
        reason,
        named,
        report.faults,
    )


OTHER = TrustedLogKeys({ORIGIN: OTHER_KEY.public_key()}, "other.json")
ELSEWHERE = TrustedLogKeys({origin_of("cam-test-2", "watch"): KEY.public_key()}, "other.json")


@search
@given(size=sizes, first=st.integers(1, MOST), data=st.data())
def test_no_mistake_is_told_as_an_attack(tmp_path, monkeypatch, size, first, data):
    case = Case(a_log(tmp_path / "watch", size), size, 0)
    case.keep(min(first, size))
    [kept] = case.kept
    keys, code = TRUSTED, 2
    match data.draw(st.sampled_from(["none", "wrong key", "name", "CRLF", "cut", "other log"])):
        case "none":
            code = 0
        case "wrong key":
            keys = OTHER
        case "name":
            keys = ELSEWHERE
        case "CRLF":
            kept.write_bytes(kept.read_bytes().replace(b"\n", b"\r\n"))
            code = 0
        case "cut":
            kept.write_bytes(kept.read_bytes()[: data.draw(st.integers(0, 100))])
        case "other log":
            with open_log(tmp_path / "deliver", OTHER_KEY, origin_of(DEVICE, "deliver")) as log:
                log.append("start", {})
            shutil.copy(tmp_path / "deliver" / "checkpoint", kept)
            shutil.rmtree(tmp_path / "deliver")
    report = both_ways(case.folder, keys, Asked(case.kept), monkeypatch)
    assert (report.verdict.exit_code, report.faults) == (code, ())


def interior_signature_of_another(folder, size):
    note = parse_note(note_of(folder, size))
    [mine] = note.signatures
    altered = write_note(note.signed, [replace(mine, signature=OTHER_KEY.sign(note.signed))])
    tamper(folder, ("UPDATE checkpoint SET note = ? WHERE size = ?", (altered, size)))


def test_the_newest_signature_vouches_for_the_earlier_ones_unless_each_is_asked_for(tmp_path):
    """What is not checked without `--every-signature` (docs/design/proofs.md): the leaves and
    roots are proven all the same.
    """
    folder = a_log(tmp_path / "watch", 12)
    interior_signature_of_another(folder, 5)
    assert verify(folder, TRUSTED).verdict == "whole"
    report = verify(folder, TRUSTED, asked=Asked(every_signature=True))
    assert [(fault.reason, fault.leaf) for fault in report.faults] == [("checkpoint-invalid", 4)]


def test_an_earlier_checkpoint_with_another_root_is_named_though_its_key_signed_it(tmp_path):
    folder, other = a_log(tmp_path / "watch", 12), a_log(tmp_path / "other", 12, copy=1)
    [(note, peaks)] = rows(other, "SELECT note, peaks FROM checkpoint WHERE size = 5")
    tamper(folder, ("UPDATE checkpoint SET note = ?, peaks = ? WHERE size = 5", (note, peaks)))
    report = verify(folder, TRUSTED)
    assert report.verdict == "not-as-signed"
    assert any(covers(fault, 4) for fault in report.faults)


def test_a_whole_log_is_told_by_the_pass_alone(tmp_path, monkeypatch):
    """Else its memory grew with the log."""
    folder = a_log(tmp_path / "watch", MOST)
    monkeypatch.setattr(log_verify, "read_log", lambda _: pytest.fail("read whole"))
    tamper(folder, "UPDATE leaf SET details = NULL, salt = NULL WHERE n IN (3, 4, 9)")
    report = verify(folder, TRUSTED)
    assert [(fault.leaf, fault.last) for fault in report.faults] == [(3, 4), (9, 9)]
    assert report.log.withheld == 3


def test_the_pass_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(log_pass, "TELL_EVERY", 10)
    told = []
    verify(
        a_log(tmp_path / "watch", 25), TRUSTED, tell=lambda done, all_: told.append((done, all_))
    )
    assert told == [(10, 25), (20, 25)]


@pytest.mark.parametrize("quick", [True, False])
def test_a_log_that_grows_while_it_is_read_is_whole(tmp_path, monkeypatch, quick):
    """Leaves and checkpoints are of one moment: else what was logged between looks cut off."""
    if not quick:
        monkeypatch.setattr(log_verify, "_in_one_pass", lambda *_: None)
    ready, enough = threading.Event(), threading.Event()

    def grow():
        with open_log(tmp_path / "watch") as log:
            while not enough.is_set():
                log.append("release", {"read": "00"})
                ready.set()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert ready.wait(10)
        for _ in range(30):
            assert verify(tmp_path / "watch", TRUSTED).faults == ()
    finally:
        enough.set()
        writer.join()
