"""P7, history cannot be rewritten: what somebody with the log's file, and without its key, can do
is named by `audit verify`.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from agent.commands.audit import app
from agent.core.log.checkpoint import note as write_note
from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.merkle import Frontier, consistency_proof, verify_consistency
from tests.support.audit_logs import (
    ORIGIN,
    OTHER_KEY,
    filled_log,
    forged,
    open_log,
    rows,
    tamper,
    write_public_keys,
)
from tests.support.witness_logs import a_witness, cosigned_file, log_of, run, witnessed

WITHOUT_LEAF_6 = ["DELETE FROM leaf WHERE n = 6"]
GAP_CLOSED = ["UPDATE leaf SET n = -n WHERE n > 6", "UPDATE leaf SET n = -n - 1 WHERE n < 0"]

ATTACKS = {
    "one leaf's details are changed": (
        [
            (
                "UPDATE leaf SET details = CAST(replace(details, 'exampleville', "
                "'elsewhere-xx') AS BLOB) WHERE n = 6"
            )
        ],
        "leaf-changed",
        6,
    ),
    "… and its hash recomputed": (
        [("UPDATE leaf SET hash = ?, salt = ?, details = ? WHERE n = 6", forged(6, recipient="x"))],
        "leaf-changed",
        6,
    ),
    "one leaf is deleted": (WITHOUT_LEAF_6, "leaf-missing", 6),
    "… and the gap closed": (WITHOUT_LEAF_6 + GAP_CLOSED, "leaf-missing", 6),
    "two leaves are swapped": (
        [
            "UPDATE leaf SET n = -1 WHERE n = 6",
            "UPDATE leaf SET n = 6 WHERE n = 9",
            "UPDATE leaf SET n = 9 WHERE n = -1",
        ],
        "leaf-reordered",
        6,
    ),
    "the end is cut off": (
        ["DELETE FROM leaf WHERE n > 6", "DELETE FROM checkpoint WHERE size > 7"],
        "log-truncated",
        7,
    ),
    "a leaf is added": (
        [("INSERT INTO leaf VALUES (12, ?, ?, ?)", forged(12))],
        "checkpoint-invalid",
        12,
    ),
    "what a release says is wiped": (
        ["UPDATE leaf SET details = NULL, salt = NULL WHERE n = 6"],
        "leaf-withheld",
        6,
    ),
    "a checkpoint is replaced": (
        [
            (
                "UPDATE checkpoint SET note = "
                "(SELECT note FROM checkpoint WHERE size = 3) WHERE size = 7"
            )
        ],
        "checkpoint-invalid",
        6,
    ),
}


def audit_verify(folder, key):
    """What an auditor sees: exit code and report."""
    done = CliRunner().invoke(app, ["verify", str(folder), "--key", str(key), "--json"])
    return done.exit_code, json.loads(done.output)


@pytest.mark.parametrize(("statements", "code"), [([], 0), (WITHOUT_LEAF_6, 3)])
def test_the_command_itself_tells_a_whole_log_from_a_rewritten_one(tmp_path, statements, code):
    folder, key = filled_log(tmp_path / "watch"), write_public_keys(tmp_path / "public.json")
    tamper(folder, *statements)
    command = [
        sys.executable,
        "-m",
        "agent",
        "audit",
        "verify",
        str(folder),
        "--key",
        str(key),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (code, code == 0)


def test_an_untouched_log_is_whole(tmp_path):
    code, report = audit_verify(
        filled_log(tmp_path / "watch"), write_public_keys(tmp_path / "public.json")
    )
    assert (code, report["ok"], report["leaves"], report["origin"]) == (0, True, 12, ORIGIN)


def test_a_history_written_anew_under_another_key_is_refused(tmp_path):
    """The attacker has everything but the key: leaves, checkpoints and file are all his own, under
    the same name. It looks as a log does that is held against another camera's key.
    """
    with open_log(tmp_path / "watch", key=OTHER_KEY) as log:
        log.append("start", {})
    code, report = audit_verify(tmp_path / "watch", write_public_keys(tmp_path / "public.json"))
    assert (code, report["ok"], report["verdict"]) == (2, False, "nothing-verified")


def test_a_signature_is_really_checked(tmp_path):
    """Name, key id and text are right; the signature is another one's."""
    folder = filled_log(tmp_path / "watch")
    for size, note in rows(folder, "SELECT size, note FROM checkpoint"):
        taken = parse_note(note)
        [one] = taken.signatures
        forged_note = write_note(
            taken.signed, [replace(one, signature=OTHER_KEY.sign(taken.signed))]
        )
        tamper(folder, ("UPDATE checkpoint SET note = ? WHERE size = ?", (forged_note, size)))
        (folder / "checkpoint").write_bytes(forged_note)
    code, report = audit_verify(folder, write_public_keys(tmp_path / "public.json"))
    assert (code, report["faults"][0]["reason"], report["checkpoint"]) == (
        3,
        "checkpoint-invalid",
        None,
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_rewriting_is_named_with_its_leaf(tmp_path, attack):
    statements, reason, leaf = ATTACKS[attack]
    folder = filled_log(tmp_path / "watch")
    tamper(folder, *statements)
    code, report = audit_verify(folder, write_public_keys(tmp_path / "public.json"))
    assert (code, report["ok"], report["faults"][0]["reason"], report["faults"][0]["leaf"]) == (
        3,
        False,
        reason,
        leaf,
    )


def test_a_device_refuses_to_go_on_with_a_rewritten_log(tmp_path):
    from agent.errors import LogRefusedError

    folder = filled_log(tmp_path / "watch")
    tamper(folder, *WITHOUT_LEAF_6)
    with pytest.raises(LogRefusedError):
        open_log(folder)


def test_any_two_checkpoints_prove_that_the_later_history_extends_the_earlier(tmp_path):
    """What a witness checks before it cosigns: no checkpoint of the log may contradict another."""
    folder = filled_log(tmp_path / "watch")
    leaves = [leaf for (leaf,) in rows(folder, "SELECT hash FROM leaf ORDER BY n")]
    checkpoints = [
        parse_body(parse_note(note).signed)
        for (note,) in rows(folder, "SELECT note FROM checkpoint ORDER BY size")
    ]
    for old in checkpoints:
        for new in checkpoints[old.size :]:
            proof = consistency_proof(leaves[: new.size], old.size)
            assert verify_consistency(old.size, new.size, proof, old.root, new.root)


def test_leaves_that_say_the_same_have_different_hashes(tmp_path):
    """Salted: nobody who sees hashes alone can guess what a leaf says."""
    with open_log(tmp_path / "a") as one, open_log(tmp_path / "b") as two:
        one.append("release", {"recipient": "exampleville-pd"})
        two.append("release", {"recipient": "exampleville-pd"})
        assert one.query("SELECT details FROM leaf") == two.query("SELECT details FROM leaf")
        assert one.query("SELECT hash FROM leaf") != two.query("SELECT hash FROM leaf")


def test_wiping_what_leaves_say_is_named_and_keeps_the_proof_of_the_others(tmp_path):
    folder = filled_log(tmp_path / "watch")
    tamper(folder, "UPDATE leaf SET details = NULL, salt = NULL WHERE n < 6")
    code, report = audit_verify(folder, write_public_keys(tmp_path / "public.json"))
    assert (code, report["withheld"], report["verdict"]) == (3, 6, "withheld")
    [fault] = report["faults"]
    assert (fault["reason"], fault["leaf"], fault["last"]) == ("leaf-withheld", 0, 5)


def test_a_second_history_is_refused_by_the_witness_and_named_to_whoever_asks_for_it(tmp_path):
    """By the log's own key, which no auditor alone could tell from the first."""
    key = write_public_keys(tmp_path / "public.json")
    state, vkey = a_witness(tmp_path / "witness")
    assert witnessed(state, key, log_of(tmp_path / "watch", 9))[1] == 0
    cosigned = cosigned_file(state)
    asked = ("--checkpoint", cosigned, "--witness", vkey, "--json")
    honest = run("verify", log_of(tmp_path / "watch", 21), "--key", key, *asked)
    assert (honest.exit_code, json.loads(honest.output)["witnesses"]["size"]) == (0, 9)

    rewritten = log_of(tmp_path / "watch", 21, copy=1)
    assert json.loads(run("verify", rewritten, "--key", key, "--json").output)["ok"]
    table, code = witnessed(state, key, rewritten)
    assert (code, table["logs"][0]["reason"]) == (3, "root-mismatch")
    found = run("verify", rewritten, "--key", key, *asked)
    assert found.exit_code == 3
    assert json.loads(found.output)["faults"][0]["reason"] == "root-mismatch"


def test_what_is_logged_is_on_disk_when_append_returns(tmp_path):
    """A copy of the files, taken in the instant after, holds the leaf and a checkpoint that signs
    it.
    """
    with open_log(tmp_path / "watch") as log:
        for size in range(1, 4):
            log.append("refusal", {"reason": "malformed"})
            copy = shutil.copytree(
                tmp_path / "watch",
                tmp_path / f"copy-{size}",
                ignore=shutil.ignore_patterns("*-shm", "*.lock"),
            )
            assert len(rows(copy, "SELECT 1 FROM leaf")) == size
            # the database's own; the file beside it is a copy, and may be a second behind
            [(newest,)] = rows(copy, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")
            signed = parse_body(parse_note(newest).signed)
            frontier = Frontier().extend(
                leaf for (leaf,) in rows(copy, "SELECT hash FROM leaf ORDER BY n")
            )
            assert (signed.size, signed.root) == (size, frontier.root())
