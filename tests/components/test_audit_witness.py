"""`audit witness`: cosigns a log that has only grown, refuses every other, and never takes a
mistake for an attack.
"""

import fcntl
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audit.witnesses.log_witness import witness_all
from agent.audit.witnesses.witness_folder import open_witness
from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.cosignature import parse_witness_key
from agent.errors import LogRefusedError, StorageError, UsageError
from agent.storage.log_notes import cosignatures
from tests.components.test_log_attacks import note_of, search
from tests.support.audit_logs import OTHER_KEY, TRUSTED, tamper, write_public_keys
from tests.support.witness_logs import (
    NOW_S,
    a_witness,
    cosigned_file,
    log_of,
    run,
    witnessed,
)


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


@pytest.fixture
def state(tmp_path):
    return a_witness(tmp_path / "witness")[0]


def stored(state):
    """Size, and the time of the witness's one line, of the one log that it knows."""
    taken = parse_note(cosigned_file(state).read_bytes())
    vkey = parse_witness_key((state / "witness.vkey").read_text())
    [one] = cosignatures(taken.signatures, taken, [vkey])
    return parse_body(taken.signed).size, one.at_s


class TestCosigned:
    def test_a_log_seen_for_the_first_time(self, tmp_path, state, key):
        log = log_of(tmp_path / "watch", 9)
        result = run("witness", log, "--state", state, "--key", key)
        assert result.exit_code == 0, result.exception
        assert "cosigned    9 leaves (seen for the first time)" in result.output
        size, at_s = stored(state)
        assert size == 9
        assert abs(at_s - time.time()) < 60
        note = cosigned_file(state).read_bytes()
        assert note.startswith(note_of(log, 9)), "the log's own lines stand as they were"

    def test_one_that_has_grown(self, tmp_path, state, key):
        witnessed(state, key, log_of(tmp_path / "watch", 9))
        told, code = witnessed(state, key, log_of(tmp_path / "watch", 21))
        [log] = told["logs"]
        assert (code, told["ok"], log["cosigned"]) == (0, True, True)
        assert (log["before"]["size"], log["size"]) == (9, 21)
        assert stored(state)[0] == 21

    def test_one_that_has_not_grown_gets_a_newer_time(self, tmp_path, state):
        log = log_of(tmp_path / "watch", 9)
        for now_s in (NOW_S, NOW_S + 86_400):
            with open_witness(state) as folder:
                [looked] = witness_all([log], folder, TRUSTED, lambda: now_s)  # noqa: B023
            assert looked.error is None
        assert stored(state) == (9, NOW_S + 86_400), "and no second line"

    def test_by_a_proof_without_the_log(self, tmp_path, state, key):
        log = log_of(tmp_path / "watch", 9)
        first = tmp_path / "first.checkpoint"
        first.write_bytes(note_of(log, 9))
        assert witnessed(state, key, first)[1] == 0
        log_of(tmp_path / "watch", 21)
        proof = tmp_path / "grown"
        kept = ("--checkpoint", cosigned_file(state))
        result = run("prove", log, "--key", key, "--grown", *kept, "--out", proof)
        assert result.exit_code == 0, result.exception
        assert witnessed(state, key, proof)[1] == 0
        assert stored(state)[0] == 21

    def test_one_bad_log_costs_one(self, tmp_path, state, key):
        log_of(tmp_path / "logs/a", 9)
        (tmp_path / "logs/b").mkdir()
        (tmp_path / "logs/b/log.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
        told, code = witnessed(state, key, tmp_path / "logs")
        assert (code, [log["cosigned"] for log in told["logs"]]) == (1, [True, False])

    def test_all_logs_below_a_folder(self, tmp_path, state, key):
        log_of(tmp_path / "logs/a/watch", 9)
        told, code = witnessed(state, key, tmp_path / "logs")
        assert (code, len(told["logs"])) == (0, 1)


def outcome(path, state, keys=TRUSTED):
    with open_witness(state) as folder:
        [looked] = witness_all([path], folder, keys, lambda: NOW_S)
    return looked


def growth(tmp_path, key, log, kept, name="proof"):
    out = tmp_path / name
    out.unlink(missing_ok=True)
    result = run("prove", log, "--key", key, "--grown", "--checkpoint", kept, "--out", out)
    assert result.exit_code == 0, result.exception
    return out


class TestRefused:
    """Exit 3, with both sizes and roots; the memory stays as it was."""

    @search
    @given(seen=st.integers(1, 21), data=st.data())
    def test_a_fork_after_the_cosignature(self, tmp_path, seen, data):
        state = a_witness(tmp_path / f"w-{os.urandom(4).hex()}")[0]
        first = outcome(log_of(tmp_path / "watch", seen), state)
        before = cosigned_file(state).read_bytes()
        size = data.draw(st.integers(seen, 21))
        looked = outcome(log_of(tmp_path / "watch", size, copy=1), state)
        assert isinstance(looked.error, LogRefusedError)
        assert (looked.error.reason, looked.error.exit_code) == ("root-mismatch", 3)
        assert "signed two histories" in str(looked.error)
        for one in (first.signed, looked.signed):
            assert f"{one.size} leaves (root {one.root.hex()})" in str(looked.error)
        assert cosigned_file(state).read_bytes() == before
        [evidence] = state.glob("*.refused")
        assert parse_body(parse_note(evidence.read_bytes()).signed) == looked.signed

    @search
    @given(seen=st.integers(2, 21), data=st.data())
    def test_a_rollback_and_an_older_copy_put_back(self, tmp_path, seen, data):
        state = a_witness(tmp_path / f"w-{os.urandom(4).hex()}")[0]
        first = outcome(log_of(tmp_path / "watch", seen), state)
        copy = data.draw(st.integers(0, 1))
        size = data.draw(st.integers(1, seen - 1))
        looked = outcome(log_of(tmp_path / "watch", size, copy=copy), state)
        assert isinstance(looked.error, LogRefusedError)
        assert (looked.error.reason, looked.error.exit_code) == ("log-truncated", 3)
        assert "older copy" in str(looked.error)
        for one in (first.signed, looked.signed):
            assert f"{one.size} leaves (root {one.root.hex()})" in str(looked.error)
        assert stored(state) == (seen, NOW_S)

    def test_ends_with_3_and_says_both(self, tmp_path, state, key):
        witnessed(state, key, log_of(tmp_path / "watch", 9))
        told, code = witnessed(state, key, log_of(tmp_path / "watch", 5))
        [log] = told["logs"]
        assert (code, log["reason"], log["cosigned"]) == (3, "log-truncated", False)
        assert (log["size"], log["before"]["size"]) == (5, 9)
        assert len(log["root"]) == len(log["before"]["root"]) == 64

    def test_a_forked_proof_without_the_log(self, tmp_path, state, key):
        outcome(log_of(tmp_path / "watch", 9), state)
        other = log_of(tmp_path / "other", 21, copy=1)
        (tmp_path / "kept").write_bytes(note_of(other, 9))
        looked = outcome(growth(tmp_path, key, other, tmp_path / "kept"), state)
        assert looked.error.exit_code == 3
        assert "damaged on its way, or the log's key signed two histories" in str(looked.error)

    def test_a_log_that_was_changed_is_not_told_as_signed_twice(self, tmp_path, state):
        outcome(log_of(tmp_path / "watch", 9), state)
        log = log_of(tmp_path / "watch", 21)
        tamper(log, "UPDATE leaf SET hash = zeroblob(32) WHERE n = 3")
        tamper(log, "DELETE FROM checkpoint WHERE size < 21")
        looked = outcome(log, state)
        assert looked.error.exit_code == 3
        assert "changed after it was signed" in str(looked.error)
        assert not list(state.glob("*.refused"))

    def test_a_signature_that_is_not_good(self, tmp_path, state):
        note = note_of(log_of(tmp_path / "watch", 9), 9)
        (tmp_path / "c").write_bytes(note.replace(b"\n9\n", b"\n8\n"))
        looked = outcome(tmp_path / "c", state)
        assert (looked.error.reason, looked.error.exit_code) == ("checkpoint-invalid", 3)


class TestMistakes:
    """Exit 2: nothing could be verified, and nobody is accused."""

    def mistaken(self, looked, told):
        assert isinstance(looked.error, UsageError)
        assert told in str(looked.error)
        assert "two histories" not in str(looked.error)

    def test_a_wrong_key(self, tmp_path, state, key):
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        _, code = witnessed(state, other, log_of(tmp_path / "watch", 9))
        assert code == 2
        assert not list(state.glob("*.checkpoint"))

    def test_the_key_of_another_log(self, tmp_path, state):
        other = write_public_keys(tmp_path / "other.json", device="cam-test-2")
        told, code = witnessed(state, other, log_of(tmp_path / "watch", 9))
        assert code == 2
        assert "cam-test-2" in told["logs"][0]["error"]

    def test_line_ends_that_were_changed(self, tmp_path, state, key):
        """Nothing is lost by CRLF: what is cosigned is what the log signed."""
        log = log_of(tmp_path / "watch", 9)
        (tmp_path / "c").write_bytes(b"\xef\xbb\xbf" + note_of(log, 9).replace(b"\n", b"\r\n"))
        assert outcome(tmp_path / "c", state).error is None
        assert b"\r" not in cosigned_file(state).read_bytes()
        log_of(tmp_path / "watch", 21)
        proof = growth(tmp_path, key, log, cosigned_file(state))
        proof.write_bytes(proof.read_bytes().replace(b"\n", b"\r\n"))
        assert outcome(proof, state).error is None
        assert stored(state)[0] == 21

    def test_a_larger_checkpoint_without_a_proof(self, tmp_path, state):
        outcome(log_of(tmp_path / "watch", 9), state)
        (tmp_path / "c").write_bytes(note_of(log_of(tmp_path / "watch", 21), 21))
        self.mistaken(outcome(tmp_path / "c", state), "ask for a proof since then")

    def test_a_proof_since_another_size(self, tmp_path, state, key):
        outcome(log_of(tmp_path / "watch", 9), state)
        log = log_of(tmp_path / "watch", 21)
        (tmp_path / "kept").write_bytes(note_of(log, 7))
        proof = growth(tmp_path, key, log, tmp_path / "kept")
        self.mistaken(outcome(proof, state), "proves since 7")

    @pytest.mark.parametrize("data", [b"", b"old x\n\n", b"hello\n", b"\xff" * 300])
    def test_a_file_that_is_none(self, tmp_path, state, data):
        (tmp_path / "c").write_bytes(data)
        assert isinstance(outcome(tmp_path / "c", state).error, UsageError)

    def test_a_clock_that_went_back(self, tmp_path, state):
        log = log_of(tmp_path / "watch", 9)
        outcome(log, state)
        with open_witness(state) as folder:
            [looked] = witness_all([log], folder, TRUSTED, lambda: NOW_S - 1)
        self.mistaken(looked, "clock")
        assert stored(state) == (9, NOW_S)


class TestMemory:
    def test_one_that_somebody_touched_signs_nothing(self, tmp_path, state):
        log = log_of(tmp_path / "watch", 9)
        outcome(log, state)
        file = cosigned_file(state)
        whole = file.read_bytes()
        for spoiled in (b"", whole.replace(b"\n9\n", b"\n8\n"), note_of(log, 9)):
            file.write_bytes(spoiled)
            looked = outcome(log, state)
            assert isinstance(looked.error, StorageError)
            assert file.read_bytes() == spoiled

    def test_another_log_s_file_is_not_taken_for_it(self, tmp_path, state):
        log = log_of(tmp_path / "watch", 9)
        outcome(log, state)
        with open_witness(state) as folder:
            folder.keep("another.example/log", cosigned_file(state).read_bytes())
            with pytest.raises(StorageError, match="not what this witness cosigned"):
                folder.last("another.example/log")

    def test_a_disk_that_is_full_leaves_the_old_one(self, tmp_path, state, monkeypatch):
        log = log_of(tmp_path / "watch", 9)
        outcome(log, state)
        before = cosigned_file(state).read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        log_of(tmp_path / "watch", 21)
        with monkeypatch.context() as patched:
            patched.setattr("agent.disk.atomic_file.os.write", full)
            assert isinstance(outcome(log, state).error, StorageError)
        assert cosigned_file(state).read_bytes() == before

    def test_two_at_once_are_one(self, state):
        descriptor = os.open(state, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            with pytest.raises(StorageError, match="at work already"), open_witness(state):
                pass
        finally:
            os.close(descriptor)

    def test_origins_that_look_alike_have_files_of_their_own(self, tmp_path, state):
        with open_witness(state) as folder:
            names = ["a/b", "a_b", "a//b", "../b", "." * 200, "x" * 200, "x" * 199]
            files = {folder.keep(name, b"x") for name in names}
        assert len(files) == len(names)
        assert {file.parent for file in files} == {state}


class TestNew:
    def test_a_folder_and_a_key_are_made_once(self, tmp_path):
        result = run("witness", "--new", "example.org/w1", "--state", tmp_path / "w")
        assert result.exit_code == 0, result.exception
        vkey = (tmp_path / "w/witness.vkey").read_text().strip()
        assert f"vkey        {vkey}" in result.output
        assert parse_witness_key(vkey).name == "example.org/w1"
        assert (tmp_path / "w/witness.key").stat().st_mode & 0o777 == 0o600
        again = run("witness", "--new", "example.org/w1", "--state", tmp_path / "w")
        assert isinstance(again.exception, StorageError)

    def test_a_name_that_no_note_can_hold(self, tmp_path):
        result = run("witness", "--new", "two words", "--state", tmp_path / "w")
        assert isinstance(result.exception, UsageError)
        assert not (tmp_path / "w").exists()

    def test_without_one_it_says_so(self, tmp_path, key):
        result = run("witness", tmp_path, "--state", tmp_path / "none", "--key", key)
        assert isinstance(result.exception, UsageError)
        assert "--new" in str(result.exception)

    @pytest.mark.parametrize("arguments", [(), ("--key", "k"), ("log",)])
    def test_what_to_look_at_and_by_which_key_must_be_said(self, state, arguments):
        result = run("witness", *arguments, "--state", state)
        assert isinstance(result.exception, UsageError)

    def test_keys_that_do_not_fit_each_other(self, tmp_path, state):
        (state / "witness.vkey").write_text(a_witness(tmp_path / "other")[1])
        with (
            pytest.raises(StorageError, match="does not hold the public half"),
            open_witness(state),
        ):
            pass
