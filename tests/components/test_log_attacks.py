"""P7 over random logs, a camera's, the city's and a receiver's: every attack is found and named, no
mistake is told as one, and one pass over a log tells the same as looking leaf by leaf.
"""

import shutil
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.audit import log_pass, log_verify
from agent.audit.log_verify import Asked, verify
from agent.core.log.checkpoint import note as write_note
from agent.core.log.checkpoint import origin_of, parse_note
from agent.storage.log_key import TrustedLogKeys, without_domain
from tests.support.audit_logs import DEVICE, KEY, OTHER_KEY, TRUSTED, open_log, rows, tamper
from tests.support.log_attacks import ASKED, ATTACKS, LOGS, Case, a_log, note_of

__all__ = ["a_log", "note_of"]
MOST = 40
KEYS = TrustedLogKeys({origin: KEY.public_key() for origin, _ in LOGS.values()}, "keys.json")
search = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
few = settings(search, max_examples=3)  # of each kind of log
sizes = st.integers(2, MOST)


def covers(fault, leaf):
    return fault.leaf is None if leaf is None else fault.leaf <= leaf <= fault.last


def both_ways(folder, keys, asked, monkeypatch):
    """The report, which is the same when no pass is tried."""
    quick = verify(folder, keys, asked=asked)
    with monkeypatch.context() as patched:
        patched.setattr(log_verify, "_in_one_pass", lambda *_: None)
        assert verify(folder, keys, asked=asked) == quick
    return quick


@pytest.mark.parametrize("which", LOGS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@few
@given(data=st.data())
def test_every_attack_is_found_and_named(attack, which, tmp_path, monkeypatch, data):
    size = data.draw(sizes)
    leaf = data.draw(st.integers(0, size - 1))
    case = Case(a_log(tmp_path / "watch", size, which=which), size, leaf, which)
    reason, named = attack(case)
    asked = Asked(case.kept, witnesses=case.witnesses)
    report = both_ways(case.folder, KEYS, asked, monkeypatch)
    assert report.origin in {LOGS[which][0], ""}, '"": nothing was left that names it'
    if case.witnesses is not None:
        assert any("is cosigned by W" in one for one in report.warnings), report.warnings
    assert report.verdict.exit_code == 3
    assert report.verdict == ("withheld" if reason == "leaf-withheld" else "not-as-signed")
    assert any(fault.reason == reason and covers(fault, named) for fault in report.faults), (
        reason,
        named,
        report.faults,
    )


ELSEWHERE = TrustedLogKeys({origin_of("cam-test-2", "watch"): KEY.public_key()}, "other.json")


def another_key(case, _data):
    return TrustedLogKeys({LOGS[case.which][0]: OTHER_KEY.public_key()}, "other.json")


def another_name(_case, _data):
    return ELSEWHERE


def another_city_s_name(case, _data):
    named = f"elsewhere.gov/{without_domain(LOGS[case.which][0])}"
    return TrustedLogKeys({named: KEY.public_key()}, "other.json")


def crlf(case, _data):
    [kept] = case.kept
    kept.write_bytes(kept.read_bytes().replace(b"\n", b"\r\n"))


def crlf_and_a_mark(case, _data):
    crlf(case, _data)
    [kept] = case.kept
    kept.write_bytes(b"\xef\xbb\xbf" + kept.read_bytes())


def cut_short(case, data):
    [kept] = case.kept
    kept.write_bytes(kept.read_bytes()[: data.draw(st.integers(0, 60))])


def an_older_copy_beside_the_log(case, _data):
    """As `checkpoint` is after a power cut: the database is ahead of it."""
    [kept] = case.kept
    (case.folder / "checkpoint").write_bytes(kept.read_bytes())


def a_witness_who_never_signed(case, _data):
    case.witnesses = ASKED


def another_log_s_checkpoint(case, _data):
    [kept] = case.kept
    other = case.folder.parent / "other"
    with open_log(other, OTHER_KEY, origin_of(DEVICE, "deliver")) as log:
        log.append("start", {})
    shutil.copy(other / "checkpoint", kept)
    shutil.rmtree(other)


NO_FAULT, NOT_CHECKED = 0, 2
MISTAKES = {
    lambda _case, _data: None: NO_FAULT,
    crlf: NO_FAULT,
    crlf_and_a_mark: NO_FAULT,
    an_older_copy_beside_the_log: NO_FAULT,
    another_key: NOT_CHECKED,
    another_name: NOT_CHECKED,
    another_city_s_name: NOT_CHECKED,
    cut_short: NOT_CHECKED,
    a_witness_who_never_signed: NOT_CHECKED,
    another_log_s_checkpoint: NOT_CHECKED,
}


@pytest.mark.parametrize("which", LOGS)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
@few
@given(size=sizes, first=st.integers(1, MOST), data=st.data())
def test_no_mistake_is_told_as_an_attack(mistake, which, tmp_path, monkeypatch, size, first, data):
    case = Case(a_log(tmp_path / "watch", size, which=which), size, 0, which)
    case.keep(min(first, size))
    keys = mistake(case, data) or KEYS
    asked = Asked(case.kept, witnesses=case.witnesses)
    report = both_ways(case.folder, keys, asked, monkeypatch)
    assert (report.verdict.exit_code, report.faults) == (MISTAKES[mistake], ())


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


EACH_LOOK = 60  # leaves that are logged during one


@pytest.mark.parametrize("quick", [True, False])
def test_a_log_that_grows_while_it_is_read_is_whole(tmp_path, monkeypatch, quick):
    """Leaves and checkpoints are of one moment: else what was logged between looks cut off."""
    if not quick:
        monkeypatch.setattr(log_verify, "_in_one_pass", lambda *_: None)
    ready, enough = threading.Event(), threading.Event()
    # On a busy machine a writer without bounds is so far ahead that no look ever ends.
    room = threading.Semaphore(EACH_LOOK)

    def grow():
        with open_log(tmp_path / "watch") as log:
            while not enough.is_set():
                if room.acquire(timeout=0.1):
                    log.append("release", {"read": "00"})
                    ready.set()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert ready.wait(10)
        for _ in range(30):
            room.release(EACH_LOOK)
            assert verify(tmp_path / "watch", TRUSTED).faults == ()
    finally:
        enough.set()
        writer.join()
