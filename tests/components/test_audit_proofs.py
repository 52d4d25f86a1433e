"""`audit prove` and `audit check-proof`: every leaf of every log is proven without the log, nothing
else is, and an implementation that is not ours agrees.
"""

import json
import shutil
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree, InvalidProof, MerkleProof, verify_inclusion
from pymerkle.hasher import MerkleHasher
from typer.testing import CliRunner

from agent.audit.proofs import proof_maker
from agent.audit.proofs.proof_maker import ProofMaker
from agent.commands.audit import app
from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.merkle import inclusion_proof
from agent.core.log.tlog_proof import InclusionProof, format_proof, parse_proof
from agent.errors import LogRefusedError, UsageError
from tests.components.test_log_attacks import a_log, note_of, search, sizes
from tests.support.audit_logs import OTHER_KEY, TRUSTED, rows, tamper, write_public_keys

SIZE = 21


@pytest.fixture
def folder(tmp_path):
    return a_log(tmp_path / "watch", SIZE)


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def proven(folder, key, tmp_path, *more):
    """The proof's file, as the command writes it."""
    out = tmp_path / "leaf.tlog-proof"
    result = run("prove", folder, "--key", key, "--out", out, *more)
    assert result.exit_code == 0, result.exception
    return out


def checked(file, key, *more):
    return run("check-proof", file, "--key", key, *more)


class TestProven:
    def test_a_leaf_and_what_it_says_without_the_log(self, folder, key, tmp_path):
        file = proven(folder, key, tmp_path, "--leaf", 6)
        shutil.rmtree(folder)
        result = checked(file, key)
        assert result.exit_code == 0, result.exception
        assert "leaf        6" in result.output
        assert f"{6:032x}" in result.output
        table = json.loads(checked(file, key, "--json").output)
        assert (table["proven"], table["leaf"], table["details"]["n"]) == (True, 6, 6)

    def test_a_leaf_under_a_kept_checkpoint(self, folder, key, tmp_path):
        (tmp_path / "kept").write_bytes(note_of(folder, 9))
        more = ("--checkpoint", tmp_path / "kept")
        file = proven(folder, key, tmp_path, "--leaf", 6, *more)
        assert checked(file, key, *more).exit_code == 0

    def test_that_the_log_has_only_grown(self, folder, key, tmp_path):
        (tmp_path / "kept").write_bytes(note_of(folder, 9))
        more = ("--checkpoint", tmp_path / "kept")
        file = proven(folder, key, tmp_path, "--grown", *more)
        assert file.read_text().startswith("old 9\n")
        result = checked(file, key, *more)
        assert result.exit_code == 0
        assert "the first 9 leaves are those of your checkpoint" in result.output

    def test_without_the_stored_peaks_too(self, folder, key, tmp_path):
        """They are a short way, and no evidence."""
        straight = proven(folder, key, tmp_path, "--leaf", 6).read_bytes()
        tamper(folder, f"UPDATE checkpoint SET peaks = zeroblob(length(peaks)) WHERE size < {SIZE}")
        assert proven(folder, key, tmp_path, "--leaf", 6).read_bytes() == straight
        tamper(folder, f"DELETE FROM checkpoint WHERE size < {SIZE}")
        assert proven(folder, key, tmp_path, "--leaf", 6).read_bytes() == straight

    def test_the_form_is_that_of_the_specification(self, folder, key, tmp_path):
        lines = proven(folder, key, tmp_path, "--leaf", 6).read_bytes().split(b"\n")
        assert lines[0] == b"c2sp.org/tlog-proof@v1"
        assert lines[1].startswith(b"extra ")
        assert lines[2] == b"index 6"
        end = lines.index(b"")
        assert {len(b64decode(one, validate=True)) for one in lines[3:end]} == {32}
        assert b"\n".join(lines[end + 1 :]) == note_of(folder, SIZE)


@search
@given(size=sizes, data=st.data())
def test_every_leaf_is_proven_as_the_whole_tree_proves_it(tmp_path, monkeypatch, size, data):
    """By the stored peaks alone: in a handful of rows."""
    monkeypatch.setattr(proof_maker, "_by_leaves", lambda *_: pytest.fail("hashed the leaves"))
    folder = a_log(tmp_path / "watch", size)
    leaf = data.draw(st.integers(0, size - 1))
    proof = ProofMaker(folder, TRUSTED).inclusion(leaf)
    hashes = [one for (one,) in rows(folder, "SELECT hash FROM leaf ORDER BY n")]
    assert proof.path == inclusion_proof(hashes, leaf)
    assert parse_proof(format_proof(proof)) == proof
    old = data.draw(st.integers(1, size))
    (tmp_path / "kept").write_bytes(note_of(folder, old))
    grown = ProofMaker(folder, TRUSTED).consistency(tmp_path / "kept")
    assert (grown.old_size, parse_proof(format_proof(grown))) == (old, grown)


@search
@given(size=sizes, data=st.data())
def test_another_maker_s_verifier_takes_what_the_command_wrote(tmp_path, size, data):
    """pymerkle's: its path begins with the leaf's own hash, and it counts leaves from one. Which
    side each node is on it works out from index and size.
    """
    folder = a_log(tmp_path / "watch", size)
    index = data.draw(st.integers(0, size - 1))
    proof = parse_proof(format_proof(ProofMaker(folder, TRUSTED).inclusion(index)))
    signed = parse_body(parse_note(proof.note).signed)
    tree = InmemoryTree(algorithm="sha256")  # of other leaves: for the form alone
    for number in range(size):
        tree.append_entry(bytes([number]))
    form = tree.prove_inclusion(index + 1, size).serialize()
    leaf = MerkleHasher("sha256").hash_buff(sha256(proof.extra).digest())
    path = [node.hex() for node in (leaf, *proof.path)]
    translated = MerkleProof.deserialize({**form, "path": path})
    place = {"index": index + 1, "size": signed.size}
    verify_inclusion(leaf, signed.root, translated, **place)
    with pytest.raises(InvalidProof):
        verify_inclusion(bytes(32), signed.root, translated, **place)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf, bytes(32), translated, **place)


class TestRefused:
    def no(self, result, error, *words):
        assert isinstance(result.exception, error), result.output
        for word in words:
            assert word in str(result.exception)

    def test_other_words(self, folder, key, tmp_path):
        file = proven(folder, key, tmp_path, "--leaf", 6)
        proof = parse_proof(file.read_bytes())
        words = proof.extra.replace(f"{6:032x}".encode(), f"{7:032x}".encode())
        file.write_bytes(format_proof(InclusionProof(6, proof.path, proof.note, words)))
        self.no(checked(file, key), LogRefusedError, "leaf-changed", "not in the tree")

    def test_another_place(self, folder, key, tmp_path):
        file = proven(folder, key, tmp_path, "--leaf", 6)
        file.write_bytes(file.read_bytes().replace(b"index 6", b"index 7"))
        self.no(checked(file, key), LogRefusedError, "leaf-changed")

    def test_another_root(self, folder, key, tmp_path):
        file = proven(folder, key, tmp_path, "--leaf", 6)
        file.write_bytes(file.read_bytes().replace(f"\n{SIZE}\n".encode(), b"\n22\n"))
        self.no(checked(file, key), LogRefusedError, "signature is not good")

    def test_another_s_key_verifies_nothing(self, folder, key, tmp_path):
        file = proven(folder, key, tmp_path, "--leaf", 6)
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        self.no(checked(file, other), UsageError, "nothing was verified")
        self.no(run("check-proof", file), UsageError, "nothing was verified")

    def test_another_history_than_the_kept_one(self, folder, key, tmp_path):
        (tmp_path / "kept").write_bytes(note_of(a_log(tmp_path / "other", SIZE, copy=1), SIZE))
        file = proven(folder, key, tmp_path, "--leaf", 6)
        more = ("--checkpoint", tmp_path / "kept")
        self.no(checked(file, key, *more), LogRefusedError, "root-mismatch")

    def test_that_it_has_only_grown_from_another_history(self, folder, key, tmp_path):
        (tmp_path / "kept").write_bytes(note_of(folder, 9))
        more = ("--checkpoint", tmp_path / "kept")
        file = proven(folder, key, tmp_path, "--grown", *more)
        (tmp_path / "kept").write_bytes(note_of(a_log(tmp_path / "other", SIZE, copy=1), 9))
        self.no(checked(file, key, *more), LogRefusedError, "root-mismatch")
        self.no(checked(file, key), UsageError, "9 leaves")
        maker = run("prove", folder, "--key", key, "--grown", *more)
        self.no(maker, LogRefusedError, "not the beginning")

    def test_a_withheld_leaf(self, folder, key):
        tamper(folder, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 6")
        result = run("prove", folder, "--key", key, "--leaf", 6)
        self.no(result, LogRefusedError, "leaf-withheld")

    @pytest.mark.parametrize("column", ["details", "salt"])
    def test_an_altered_leaf_is_never_handed_out(self, folder, key, column):
        tamper(folder, f"UPDATE leaf SET {column} = x'00' WHERE n = 6")
        result = run("prove", folder, "--key", key, "--leaf", 6)
        self.no(result, LogRefusedError, "root-mismatch", "audit verify")

    def test_a_leaf_that_is_not_there(self, folder, key):
        self.no(run("prove", folder, "--key", key, "--leaf", SIZE), UsageError, f"no leaf {SIZE}")

    @pytest.mark.parametrize("words", [(), ("--leaf", 3, "--grown"), ("--grown",)])
    def test_a_question_that_is_none(self, folder, key, words):
        self.no(run("prove", folder, "--key", key, *words), UsageError, "say what to prove")

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"c2sp.org/tlog-proof@v1\n\nx",
            b"c2sp.org/tlog-proof@v1\nindex 01\n\nx",
            b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nx",
            b"c2sp.org/tlog-proof@v1\nextra A\nindex 1\n\nx",
            b"c2sp.org/tlog-proof@v2\nindex 1\n\nx",
            b"old -1\n\nx",
            b"old 1\n",
            "old ¹\n\nx".encode(),
        ],
    )
    def test_what_is_no_proof(self, text, key, tmp_path):
        (tmp_path / "proof").write_bytes(text)
        self.no(checked(tmp_path / "proof", key), UsageError, "is no proof")


@settings(max_examples=60)
@given(st.binary(max_size=200) | st.integers(0, 60))
def test_no_altered_proof_is_taken(tmp_path_factory, change):
    """Any byte of it changed: it is no proof, or does not hold."""
    work = tmp_path_factory.mktemp("altered")
    folder, key = a_log(work / "watch", 5), write_public_keys(work / "public.json")
    data = format_proof(ProofMaker(folder, TRUSTED).inclusion(3))
    if isinstance(change, int):
        place = change * len(data) // 61
        data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    else:
        data = change
    (work / "proof").write_bytes(data)
    result = checked(work / "proof", key)
    assert isinstance(result.exception, (LogRefusedError, UsageError)), result.output


def test_a_path_has_at_most_63_hashes():
    path = b64encode(bytes(32)) + b"\n"
    head = b"c2sp.org/tlog-proof@v1\nindex 0\n"
    assert len(parse_proof(head + path * 63 + b"\nx").path) == 63
    with pytest.raises(ValueError, match="at most 63"):
        parse_proof(head + path * 64 + b"\nx")
