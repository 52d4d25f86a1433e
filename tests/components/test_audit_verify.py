"""Verification: every way to alter a log gets its name, its leaf and its reason; nothing is written
beside the evidence.
"""

import hashlib
import json
import shutil
import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.audit.log_verify import verify
from agent.commands.audit import app
from agent.errors import LogRefusedError, StorageError, UsageError
from agent.storage.log_key import TrustedLogKeys
from tests.support.audit_logs import (
    KEY,
    ORIGIN,
    OTHER_KEY,
    TRUSTED,
    filled_log,
    forged,
    open_log,
    rows,
    tamper,
    write_log,
    write_public_keys,
)

LEAVES = 12


@pytest.fixture
def folder(tmp_path):
    return filled_log(tmp_path / "watch", LEAVES)


def found(folder, keys=TRUSTED, kept=()):
    """Reason and leaves of every fault."""
    return [
        (fault.reason.value, fault.leaf, fault.last) for fault in verify(folder, keys, kept).faults
    ]


def replace_leaf(number, **details):
    return (
        "UPDATE leaf SET hash = ?, salt = ?, details = ? WHERE n = ?",
        (*forged(number, **details), number),
    )


def move_down(first):
    """Close the gap before `first`, in two steps because numbers are unique."""
    return [f"UPDATE leaf SET n = -n WHERE n >= {first}", "UPDATE leaf SET n = -n - 1 WHERE n < 0"]


def test_a_good_log_is_described(folder):
    report = verify(folder, TRUSTED)
    assert (report.faults, report.warnings, report.origin, report.leaves) == (
        (),
        (),
        ORIGIN,
        LEAVES,
    )
    assert report.kinds == {"release": 10, "start": 1, "stop": 1}
    assert (report.log.first_at, report.log.last_at) == (
        "2027-01-15T12:00:01.000Z",
        "2027-01-15T12:00:12.000Z",
    )
    assert report.head is not None
    assert report.head.size == LEAVES


def test_changed_details_are_named_with_their_time(folder):
    [(details,)] = rows(folder, "SELECT details FROM leaf WHERE n = 4")
    tamper(
        folder,
        (
            "UPDATE leaf SET details = ? WHERE n = 4",
            (details.replace(b"exampleville", b"elsewhere-x1"),),
        ),
    )
    [fault] = verify(folder, TRUSTED).faults
    assert (fault.reason, fault.leaf, fault.at) == ("leaf-changed", 4, "2027-01-15T12:00:05.000Z")


def test_one_changed_salt_bit_is_named(folder):
    [(salt,)] = rows(folder, "SELECT salt FROM leaf WHERE n = 7")
    tamper(folder, ("UPDATE leaf SET salt = ? WHERE n = 7", (bytes([salt[0] ^ 1]) + salt[1:],)))
    assert found(folder) == [("leaf-changed", 7, 7)]


def test_only_the_stored_hash_changed(folder):
    tamper(folder, "UPDATE leaf SET hash = zeroblob(32) WHERE n = 3")
    [fault] = verify(folder, TRUSTED).faults
    assert (fault.reason, fault.leaf) == ("leaf-changed", 3)
    assert "its details are the ones that were logged" in fault.what


def test_a_leaf_that_was_rewritten_with_its_hash_is_localised_by_its_checkpoint(folder):
    tamper(folder, replace_leaf(5, recipient="somebody-else"))
    assert found(folder) == [("leaf-changed", 5, 5)]


def test_several_rewritten_leaves_are_each_named(folder):
    tamper(folder, *(replace_leaf(number, recipient="x") for number in (2, 3, 9)))
    assert found(folder) == [("leaf-changed", 2, 3), ("leaf-changed", 9, 9)]


def test_a_deleted_leaf_is_missing_and_its_time_is_bracketed(folder):
    tamper(folder, "DELETE FROM leaf WHERE n = 6")
    [fault] = verify(folder, TRUSTED).faults
    assert (fault.reason, fault.leaf) == ("leaf-missing", 6)
    assert "between 2027-01-15T12:00:06.000Z and 2027-01-15T12:00:08.000Z" in fault.what


@pytest.mark.parametrize("number", [0, 1, 7, LEAVES - 2])
def test_a_deleted_leaf_is_named_even_when_the_gap_was_closed(folder, number):
    tamper(folder, f"DELETE FROM leaf WHERE n = {number}", *move_down(number + 1))
    assert found(folder) == [("leaf-missing", number, number)]


def test_a_deleted_leaf_and_its_checkpoint(folder):
    tamper(folder, "DELETE FROM leaf WHERE n = 6", "DELETE FROM checkpoint WHERE size = 7")
    assert found(folder)[0] == ("leaf-missing", 6, 6)


def test_a_deletion_with_everything_after_it_renumbered_and_rehashed(folder):
    statements = [
        "DELETE FROM leaf WHERE n = 6",
        *move_down(7),
        *(replace_leaf(number) for number in range(6, LEAVES - 1)),
    ]
    tamper(folder, *statements)
    assert found(folder) == [("leaf-changed", 6, 10), ("log-truncated", 11, 11)]


def test_swapped_leaves_are_reordered(folder):
    tamper(
        folder,
        "UPDATE leaf SET n = -1 WHERE n = 3",
        "UPDATE leaf SET n = 3 WHERE n = 8",
        "UPDATE leaf SET n = 8 WHERE n = -1",
    )
    assert found(folder) == [("leaf-reordered", 3, 3), ("leaf-reordered", 8, 8)]


def test_swapped_leaves_with_their_numbers_rewritten_are_changed(folder):
    one, two = (
        json.loads(details)
        for (details,) in rows(folder, "SELECT details FROM leaf WHERE n IN (3, 8) ORDER BY n")
    )
    tamper(folder, replace_leaf(3, **two), replace_leaf(8, **one))
    assert found(folder) == [("leaf-changed", 3, 3), ("leaf-changed", 8, 8)]


def test_a_cut_off_end_shows_by_the_checkpoints(folder):
    tamper(folder, "DELETE FROM leaf WHERE n >= 9")
    assert found(folder) == [("log-truncated", 9, 11)]


def test_a_cut_off_end_with_its_checkpoints_shows_by_the_file_beside(folder):
    tamper(folder, "DELETE FROM leaf WHERE n >= 9", "DELETE FROM checkpoint WHERE size > 9")
    assert found(folder) == [("log-truncated", 9, 11)]


def test_a_cut_off_end_everywhere_shows_only_by_a_checkpoint_kept_elsewhere(folder, tmp_path):
    shutil.copyfile(folder / "checkpoint", tmp_path / "kept")
    [(older,)] = rows(folder, "SELECT note FROM checkpoint WHERE size = 9")
    tamper(folder, "DELETE FROM leaf WHERE n >= 9", "DELETE FROM checkpoint WHERE size > 9")
    (folder / "checkpoint").write_bytes(older)
    assert found(folder) == []  # the limit that docs/ref/audit-log.md states
    assert found(folder, kept=[tmp_path / "kept"]) == [("log-truncated", 9, 11)]


def test_an_emptied_log_is_cut_off(folder):
    tamper(folder, "DELETE FROM leaf")
    assert found(folder) == [("log-truncated", 0, 11)]


def test_a_log_without_any_checkpoint_proves_nothing(folder):
    tamper(folder, "DELETE FROM checkpoint")
    (folder / "checkpoint").unlink()
    assert found(folder) == [("checkpoint-invalid", None, None)]


def test_leaves_added_without_a_signature(folder):
    tamper(folder, ("INSERT INTO leaf VALUES (?, ?, ?, ?)", (LEAVES, *forged(LEAVES))))
    assert found(folder) == [("checkpoint-invalid", LEAVES, LEAVES)]


def test_a_second_leaf_of_the_same_number_is_named_and_hides_nothing(folder):
    tamper(folder, ("INSERT INTO leaf VALUES (?, ?, ?, ?)", (LEAVES, *forged(4))))
    faults = found(folder)
    assert ("leaf-changed", LEAVES, LEAVES) in faults
    assert all(leaf != 4 or reason == "leaf-reordered" for reason, leaf, _ in faults)


def test_a_row_with_an_impossible_number(folder):
    tamper(folder, ("INSERT INTO leaf VALUES (?, ?, ?, ?)", (-5, b"x" * 32, b"", b"{}")))
    assert found(folder)[0][0] == "leaf-changed"


def test_a_forged_checkpoint_is_invalid(folder):
    tamper(
        folder,
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 3) WHERE size = 5",
    )
    assert found(folder) == [("checkpoint-invalid", 4, 4)]


def test_altered_peaks_are_noticed_and_do_not_mislead(folder):
    tamper(folder, "UPDATE checkpoint SET peaks = zeroblob(64) WHERE size = 5", replace_leaf(5))
    assert found(folder) == [("checkpoint-invalid", 4, 4), ("leaf-changed", 5, 5)]


def test_without_intermediate_checkpoints_the_range_is_named(folder):
    tamper(folder, "DELETE FROM checkpoint WHERE size BETWEEN 4 AND 9", replace_leaf(5))
    report = verify(folder, TRUSTED)
    assert [(fault.reason.value, fault.leaf, fault.last) for fault in report.faults] == [
        ("root-mismatch", 3, 9)
    ]
    assert report.warnings


def test_two_signed_histories_are_told_apart(folder, tmp_path):
    shutil.copyfile(write_log(tmp_path / "other", LEAVES) / "checkpoint", tmp_path / "kept")
    [fault] = verify(folder, TRUSTED, [tmp_path / "kept"]).faults
    assert fault.reason == "root-mismatch"
    assert "two histories of 12 leaves" in fault.what


def test_another_device_s_key_or_name_verifies_nothing_and_is_no_forgery(folder):
    for keys in (
        TrustedLogKeys({ORIGIN: OTHER_KEY.public_key()}, TRUSTED.source),
        TrustedLogKeys({"platewarden/cam-test-2/watch": KEY.public_key()}, TRUSTED.source),
    ):
        report = verify(folder, keys)
        assert (report.faults, report.verdict, report.head) == ((), "nothing-verified", None)
        assert report.unverified


def test_a_log_signed_by_the_attacker_himself_is_not_verified(tmp_path):
    with open_log(tmp_path / "watch", key=OTHER_KEY) as log:
        log.append("start", {})
    report = verify(tmp_path / "watch", TRUSTED)
    assert report.verdict == "nothing-verified"
    assert "somebody else signed this log" in report.unverified


def test_withheld_leaves_are_named_and_still_prove_the_rest(folder):
    tamper(folder, "UPDATE leaf SET details = NULL, salt = NULL WHERE n < 4")
    report = verify(folder, TRUSTED)
    assert (report.verdict, report.log.withheld, report.kinds["withheld"]) == ("withheld", 4, 4)
    assert found(folder) == [("leaf-withheld", 0, 3)]
    tamper(folder, "UPDATE leaf SET hash = zeroblob(32) WHERE n = 2")
    assert found(folder) == [
        ("leaf-withheld", 0, 1),
        ("leaf-changed", 2, 2),
        ("leaf-withheld", 3, 3),
    ]
    assert verify(folder, TRUSTED).verdict == "not-as-signed"


def test_half_pruned_is_changed(folder):
    tamper(folder, "UPDATE leaf SET details = NULL WHERE n = 4")
    assert found(folder) == [("leaf-changed", 4, 4)]


@settings(max_examples=15)
@given(st.data())
def test_any_change_to_any_row_is_found(tmp_path_factory, data):
    folder = filled_log(tmp_path_factory.mktemp("fuzz"), LEAVES)
    number = data.draw(st.integers(0, LEAVES - 1))
    column = data.draw(st.sampled_from(["details", "salt"]))
    [(value,)] = rows(folder, f"SELECT {column} FROM leaf WHERE n = {number}")
    place = data.draw(st.integers(0, len(value) - 1))
    changed = (
        value[:place] + bytes([value[place] ^ data.draw(st.integers(1, 255))]) + value[place + 1 :]
    )
    tamper(folder, (f"UPDATE leaf SET {column} = ? WHERE n = ?", (changed, number)))
    assert found(folder) == [("leaf-changed", number, number)]


def snapshot(folder):
    return {
        path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())
        for path in folder.iterdir()
    }


def test_a_closed_log_is_read_without_leaving_a_trace(folder):
    before = snapshot(folder)
    verify(folder, TRUSTED)
    assert snapshot(folder) == before


def test_a_live_log_is_read_while_it_is_written(tmp_path):
    with open_log(tmp_path / "watch") as log:
        log.append("start", {})
        before = snapshot(tmp_path / "watch")
        assert (found(tmp_path / "watch"), verify(tmp_path / "watch", TRUSTED).leaves) == ([], 1)
        assert set(snapshot(tmp_path / "watch")) == set(before)
        assert log.append("stop", {}) == 1


@pytest.mark.parametrize("with_shared_memory", [True, False])
def test_a_copy_taken_while_it_was_written_shows_the_newest_leaves_too(
    tmp_path, with_shared_memory
):
    with open_log(tmp_path / "watch") as log:
        log.append("start", {})
        log.append("stop", {})
        shutil.copytree(
            tmp_path / "watch",
            tmp_path / "copy",
            ignore=None if with_shared_memory else shutil.ignore_patterns("*-shm"),
        )
    before = snapshot(tmp_path / "copy")
    report = verify(tmp_path / "copy", TRUSTED)
    assert (report.leaves, report.faults) == (2, ())
    assert {
        name: digest
        for name, (_, digest) in snapshot(tmp_path / "copy").items()
        if name != "log.sqlite-shm"
    } == {name: digest for name, (_, digest) in before.items() if name != "log.sqlite-shm"}


def test_only_the_database_file_was_handed_over(folder, tmp_path):
    shutil.copyfile(folder / "log.sqlite", tmp_path / "theirs.db")
    report = verify(tmp_path / "theirs.db", TRUSTED)
    assert (report.faults, len(report.warnings)) == ((), 1)
    assert "no file `checkpoint`" in report.warnings[0]


def test_a_log_turned_into_views_is_not_read(tmp_path, folder):
    tamper(folder, "ALTER TABLE leaf RENAME TO real", "CREATE VIEW leaf AS SELECT * FROM real")
    with pytest.raises(StorageError, match="lacks the tables"):
        verify(folder, TRUSTED)


def test_columns_of_odd_types_are_faults_not_tracebacks(folder):
    tamper(
        folder,
        "ALTER TABLE leaf RENAME TO old",
        "CREATE TABLE leaf (n, hash, salt, details)",
        "INSERT INTO leaf SELECT * FROM old",
        "UPDATE leaf SET n = 'four' WHERE n = 4",
        "UPDATE leaf SET details = 'text' WHERE n = 5",
        "UPDATE leaf SET hash = 7, details = x'5b5b' WHERE n = 6",
    )
    assert {fault[0] for fault in found(folder)} == {"leaf-changed"}


@pytest.mark.parametrize("content", [b"", b"x" * 5_000, b"SQLite format 3\x00" + bytes(5_000)])
def test_what_is_no_log_is_unreadable_not_refused(tmp_path, content):
    (tmp_path / "log.sqlite").write_bytes(content)
    with pytest.raises(StorageError) as caught:
        verify(tmp_path, TRUSTED)
    assert caught.value.exit_code == 1


@settings(max_examples=25)
@given(st.data())
def test_a_damaged_file_never_makes_a_traceback(tmp_path_factory, data):
    folder = filled_log(tmp_path_factory.mktemp("damage"), LEAVES)
    whole = bytearray((folder / "log.sqlite").read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "log.sqlite").write_bytes(whole)
    with suppress(StorageError):
        verify(folder, TRUSTED)


def run(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_the_command_says_whole_and_exits_0(folder, tmp_path):
    result = run(folder, "--key", write_public_keys(tmp_path / "public.json"))
    assert result.exit_code == 0
    assert "Whole: every leaf is the one that was signed" in result.output


def test_the_command_names_the_fault_and_exits_3(folder, tmp_path):
    tamper(folder, "DELETE FROM leaf WHERE n = 6")
    result = run(folder, "--key", write_public_keys(tmp_path / "public.json"))
    assert isinstance(result.exception, LogRefusedError)
    assert (result.exception.reason, result.exception.exit_code) == ("leaf-missing", 3)
    assert "FAULT       [leaf-missing] leaf 6: deleted" in result.output


def test_the_command_speaks_json(folder, tmp_path):
    key = write_public_keys(tmp_path / "public.json")
    good = run(folder, "--key", key, "--json")
    assert (good.exit_code, json.loads(good.output)["ok"]) == (0, True)
    tamper(folder, "DELETE FROM leaf WHERE n = 6")
    bad = run(folder, "--key", key, "--json")
    table = json.loads(bad.output)
    assert (
        bad.exit_code,
        table["ok"],
        table["faults"][0]["reason"],
        table["faults"][0]["leaf"],
    ) == (3, False, "leaf-missing", 6)


def test_the_command_finds_the_device_s_own_key_and_says_which(tmp_path):
    folder = filled_log(tmp_path / "state" / "watch", 3)
    key = write_public_keys(tmp_path / "device" / "public.json")
    result = run(folder)
    assert result.exit_code == 0
    assert str(key) in result.output


def test_the_command_without_any_key_refuses_to_judge(folder):
    result = run(folder)
    assert isinstance(result.exception, UsageError)
    assert "--key" in str(result.exception)


def test_the_command_on_nothing(tmp_path):
    result = run(tmp_path, "--key", write_public_keys(tmp_path / "public.json"))
    assert isinstance(result.exception, StorageError)
    assert result.exception.exit_code == 1


def test_a_stranger_s_log_cannot_speak_to_the_terminal(folder, tmp_path):
    tamper(folder, replace_leaf(4, at="\x1b[2Jnow", kind="\x1b[31mred"))
    result = run(folder, "--key", write_public_keys(tmp_path / "public.json"))
    assert "\x1b" not in result.output


def test_many_faults_are_summed_up(folder, tmp_path):
    tamper(folder, *(f"DELETE FROM leaf WHERE n = {number}" for number in range(1, 11, 2)))
    assert len(found(folder)) == 5


def test_sqlite_is_new_enough_for_strict_tables():
    assert sqlite3.sqlite_version_info >= (3, 37)
