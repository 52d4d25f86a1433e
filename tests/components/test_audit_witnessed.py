"""`audit verify` and `audit check-proof` with witnesses: who cosigned, when and how far; k of n."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.audit.log_verify import Asked, verify
from agent.audit.witnesses.cosigner import cosign, witness_key_of
from agent.core.log.checkpoint import note, parse_note
from agent.core.log.witness_policy import Witness, k_of
from agent.errors import LogRefusedError, UsageError
from tests.components.test_log_attacks import note_of, search
from tests.support.audit_logs import TRUSTED, tamper, write_public_keys
from tests.support.witness_logs import NOW_S, log_of, run

WITNESSES = [
    (f"w{n}.example", Ed25519PrivateKey.from_private_bytes(bytes([n] * 32))) for n in range(5)
]
KEYS = [witness_key_of(*one) for one in WITNESSES]
VKEYS = [str(one) for one in KEYS]


@pytest.fixture
def log(tmp_path):
    return log_of(tmp_path / "watch", 21)


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


def cosigned(untrusted_note, *numbers, at_s=NOW_S):
    """The note with lines of these witnesses, a minute apart."""
    taken = parse_note(untrusted_note)
    lines = [cosign(taken, *WITNESSES[n], at_s + 60 * n) for n in numbers]
    return note(taken.signed, [*taken.signatures, *lines])


def kept(tmp_path, log, size, *numbers, name=""):
    path = tmp_path / (name or f"kept-{size}-{'-'.join(map(str, numbers))}")
    path.write_bytes(cosigned(note_of(log, size), *numbers))
    return path


def asked(*numbers, least=None):
    options = [option for n in numbers for option in ("--witness", VKEYS[n])]
    return [*options, *(["--quorum", least] if least else [])]


def table(*arguments):
    result = run("verify", *arguments, "--json")
    return json.loads(result.output), result.exit_code


class TestVerify:
    def test_says_who_cosigned_when_and_how_far(self, tmp_path, log, key):
        files = [kept(tmp_path, log, 9, 0, 1), kept(tmp_path, log, 15, 2)]
        options = [option for file in files for option in ("--checkpoint", file)]
        result = run("verify", log, "--key", key, *options, *asked(0, 1, 2, 3, least=2))
        assert result.exit_code == 0, result.exception
        assert "witness     w0.example: 9 leaves, on 2027-01-15T08:00:00.000Z" in result.output
        assert "witness     w2.example: 15 leaves, on 2027-01-15T08:02:00.000Z" in result.output
        assert "witness     w3.example: has not cosigned" in result.output
        assert "9 leaves, since 2027-01-15T08:01:00.000Z" in result.output, "when two had"
        assert "unwitnessed 12 leaves since 2027-" in result.output
        assert "Whole" in result.output

    def test_as_json(self, tmp_path, log, key):
        file = kept(tmp_path, log, 9, 0, 1)
        told, code = table(log, "--key", key, "--checkpoint", file, *asked(0, 1, 2, least=2))
        found = told["witnesses"]
        assert (code, told["verdict"], found["met"], found["size"]) == (0, "whole", True, 9)
        assert [one["witness"] for one in found["cosigned"]] == ["w0.example", "w1.example"]
        assert found["quorum"].startswith("2 of 3")
        assert found["unwitnessed_since"].startswith("2027-")

    def test_too_few_is_not_witnessed_and_no_attack(self, tmp_path, log, key):
        file = kept(tmp_path, log, 21, 0)
        arguments = (log, "--key", key, "--checkpoint", file, *asked(0, 1, 2, least=2))
        told, code = table(*arguments)
        assert (code, told["verdict"], told["ok"], told["faults"]) == (
            2,
            "not-witnessed",
            False,
            [],
        )
        result = run("verify", *arguments)
        assert "NOT WITNESSED" in result.output
        assert isinstance(result.exception, UsageError)

    def test_the_cosigned_file_beside_the_log_is_taken(self, log, key):
        (log / "cosigned").write_bytes(cosigned(note_of(log, 20), 0, 1, 2))
        told, code = table(log, "--key", key, *asked(0, 1, 2))
        assert (code, told["witnesses"]["size"]) == (0, 20)

    def test_a_larger_tree_vouches_for_a_smaller_one(self, tmp_path, log, key):
        """One witness is slow: together they vouch for what both have seen."""
        files = [kept(tmp_path, log, 5, 0), kept(tmp_path, log, 19, 1)]
        options = [option for file in files for option in ("--checkpoint", file)]
        told, _ = table(log, "--key", key, *options, *asked(0, 1))
        assert told["witnesses"]["size"] == 5

    def test_a_line_that_is_not_the_witness_s_own_counts_for_nothing(self, tmp_path, log, key):
        whole = cosigned(note_of(log, 21), 0)
        taken = parse_note(whole)
        forged = taken.signatures[-1]
        fake = cosign(taken, WITNESSES[1][0], WITNESSES[2][1], NOW_S)
        spoiled = type(forged)(KEYS[1].name, KEYS[1].id, fake.signature)
        file = tmp_path / "kept"
        file.write_bytes(note(taken.signed, [*taken.signatures, spoiled]))
        told, code = table(log, "--key", key, "--checkpoint", file, *asked(0, 1, least=1))
        assert (code, len(told["witnesses"]["bad"])) == (0, 1)
        assert table(log, "--key", key, "--checkpoint", file, *asked(0, 1))[1] == 2

    def test_one_witness_twice_is_one(self, tmp_path, log, key):
        """Two checkpoints, and two lines, of one witness are no quorum of two."""
        files = [kept(tmp_path, log, 9, 0, 0), kept(tmp_path, log, 15, 0)]
        options = [option for file in files for option in ("--checkpoint", file)]
        assert table(log, "--key", key, *options, *asked(0, 1, least=2))[1] == 2

    def test_line_ends_that_were_changed_lose_nothing(self, tmp_path, log, key):
        file = kept(tmp_path, log, 21, 0, 1)
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
        assert table(log, "--key", key, "--checkpoint", file, *asked(0, 1))[1] == 0

    def test_a_fork_after_the_cosignature_is_named(self, tmp_path, log, key):
        """The key's holder wrote and signed another history: what was cosigned contradicts it."""
        file = kept(tmp_path, log, 9, 0, 1)
        other = log_of(tmp_path / "watch", 21, copy=1)
        told, code = table(other, "--key", key, "--checkpoint", file, *asked(0, 1))
        assert (code, told["verdict"]) == (3, "not-as-signed")
        assert [one["reason"] for one in told["faults"]] == ["root-mismatch"]
        assert not told["witnesses"]["met"]
        assert any("cosigned by w0.example" in one for one in told["warnings"])

    def test_an_older_copy_put_back_is_named(self, tmp_path, log, key):
        file = kept(tmp_path, log, 15, 0, 1)
        older = log_of(tmp_path / "watch", 9)
        told, code = table(older, "--key", key, "--checkpoint", file, *asked(0, 1))
        assert (code, [one["reason"] for one in told["faults"]]) == (3, ["log-truncated"])

    def test_a_withheld_leaf_weighs_more(self, tmp_path, log, key):
        tamper(log, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 3")
        told, code = table(log, "--key", key, *asked(0))
        assert (code, told["verdict"]) == (3, "withheld")


class TestAsked:
    def test_a_file_of_vkeys(self, tmp_path, log, key):
        (tmp_path / "vkeys").write_text(f"{VKEYS[0]}\r\n\n{VKEYS[1]}\n")
        file = kept(tmp_path, log, 21, 0, 1)
        options = ("--checkpoint", file, "--witness", tmp_path / "vkeys")
        assert table(log, "--key", key, *options)[1] == 0

    def test_a_policy_file(self, tmp_path, log, key):
        names = [f"witness W{n} {vkey}" for n, vkey in enumerate(VKEYS)]
        lines = [*names, "group A any W0 W1", "group B 2 W2 W3 W4", "group C all A B", "quorum C"]
        (tmp_path / "policy").write_text("\n".join(lines))
        options = ("--witness-policy", tmp_path / "policy")
        good = kept(tmp_path, log, 21, 1, 2, 4)
        assert table(log, "--key", key, *options, "--checkpoint", good)[1] == 0
        few = kept(tmp_path, log, 21, 0, 1, 2)
        assert table(log, "--key", key, *options, "--checkpoint", few)[1] == 2

    @pytest.mark.parametrize(
        "options",
        [
            ["--witness", "nonsense+x"],
            ["--witness", VKEYS[0], "--witness", VKEYS[0]],
            ["--quorum", 1],
            [*asked(0, 1), "--quorum", 3],
            ["--witness", VKEYS[0], "--witness-policy", "FILE"],
            ["--witness-policy", "FILE"],
        ],
    )
    def test_what_cannot_be_asked_is_said(self, tmp_path, log, key, options):
        (tmp_path / "policy").write_text("quorum W0\n")
        options = [tmp_path / "policy" if one == "FILE" else one for one in options]
        result = run("verify", log, "--key", key, *options)
        assert isinstance(result.exception, UsageError)


class TestProof:
    def proof(self, tmp_path, log, key, *more):
        out = tmp_path / "proof"
        result = run("prove", log, "--key", key, "--out", out, *more)
        assert result.exit_code == 0, result.exception
        return out

    def test_under_a_cosigned_checkpoint(self, tmp_path, log, key):
        file = kept(tmp_path, log, 15, 0, 1)
        proof = self.proof(tmp_path, log, key, "--leaf", 6, "--checkpoint", file)
        result = run("check-proof", proof, "--key", key, *asked(0, 1, 2, least=2))
        assert result.exit_code == 0, result.exception
        assert "witness     w1.example: 15 leaves, on 2027-01-15T08:01:00.000Z" in result.output
        told = json.loads(run("check-proof", proof, "--key", key, *asked(0), "--json").output)
        assert (told["witnesses"]["met"], told["leaf"]) == (True, 6)

    def test_the_kept_one_of_the_same_tree_counts_too(self, tmp_path, log, key):
        proof = self.proof(tmp_path, log, key, "--leaf", 6)
        file = kept(tmp_path, log, 21, 0, 1)
        result = run("check-proof", proof, "--key", key, "--checkpoint", file, *asked(0, 1))
        assert result.exit_code == 0, result.exception

    def test_too_few(self, tmp_path, log, key):
        proof = self.proof(tmp_path, log, key, "--leaf", 6)
        result = run("check-proof", proof, "--key", key, *asked(0))
        assert isinstance(result.exception, UsageError)
        assert "cosigned by nobody" in str(result.exception)

    def test_a_proof_that_does_not_hold_is_refused_all_the_same(self, tmp_path, log, key):
        file = kept(tmp_path, log, 15, 0, 1)
        proof = self.proof(tmp_path, log, key, "--leaf", 6, "--checkpoint", file)
        proof.write_bytes(proof.read_bytes().replace(b"index 6", b"index 7"))
        result = run("check-proof", proof, "--key", key, *asked(0, 1))
        assert isinstance(result.exception, LogRefusedError)


@search
@given(
    size=st.integers(1, 21),
    seen=st.lists(st.tuples(st.integers(1, 21), st.integers(0, 4)), max_size=6),
    least=st.integers(1, 5),
)
def test_the_quorum_is_counted_as_by_hand(tmp_path, size, seen, least):
    """Over random cosignatures: how far do `least` of five vouch for the log?"""
    log = log_of(tmp_path / "watch", size)
    seen = [(min(at, size), who) for at, who in seen]
    files = [
        kept(tmp_path, log, at, who, name=f"k-{number}") for number, (at, who) in enumerate(seen)
    ]
    policy = k_of(least, [Witness(one.name, one) for one in KEYS])
    found = verify(log, TRUSTED, asked=Asked(files, witnesses=policy)).witnessed
    reached = sorted(
        (max((at for at, who in seen if who == n), default=0) for n in range(5)), reverse=True
    )
    assert found.size == reached[least - 1]
