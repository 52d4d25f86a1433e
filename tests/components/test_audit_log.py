"""The audit log as its writer holds it: what a leaf commits to, what survives, and when a log
refuses to open.
"""

import json
import math
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymerkle import InmemoryTree

from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.leaf import MAX_TEXT, canonical, clean_text, salted_leaf_hash
from agent.core.reading.plate_text import PlateText
from agent.core.time.instant import ClockTrust
from agent.errors import LogRefusedError, StorageError, UsageError
from agent.host.clock import SystemClock
from agent.storage import audit_log
from agent.storage.audit_log import CHECKPOINT_EVERY_S, AuditLog
from agent.storage.log_key import create_signing_key, load_signing_key, load_trusted_keys
from tests.support.audit_logs import (
    KEY,
    ORIGIN,
    OTHER_KEY,
    TickingClock,
    filled_log,
    jwk,
    open_log,
    rows,
    tamper,
    write_public_keys,
)

FICTITIOUS = "TST0042"


def test_leaves_are_numbered_from_zero_and_dated(tmp_path):
    with open_log(tmp_path, clock=TickingClock(trust=ClockTrust.UNTRUSTED)) as log:
        assert [log.append("start", {"version": "1"}), log.append("stop", {})] == [0, 1]
    opened = [
        json.loads(details) for (details,) in rows(tmp_path, "SELECT details FROM leaf ORDER BY n")
    ]
    assert opened[0] == {
        "n": 0,
        "kind": "start",
        "at": "2027-01-15T12:00:01.000Z",
        "clock": "untrusted",
        "version": "1",
    }
    assert (opened[1]["n"], opened[1]["kind"]) == (1, "stop")


def test_details_cannot_overwrite_number_kind_or_time(tmp_path):
    with open_log(tmp_path) as log:
        log.append("start", {"n": 99, "kind": "stop", "at": "never", "clock": "trusted"})
    [(details,)] = rows(tmp_path, "SELECT details FROM leaf")
    assert json.loads(details) == {
        "n": 0,
        "kind": "start",
        "at": "2027-01-15T12:00:01.000Z",
        "clock": "os",
    }


def test_every_leaf_has_a_salt_of_its_own_and_the_documented_hash(tmp_path):
    filled_log(tmp_path)
    stored = rows(tmp_path, "SELECT hash, salt, details FROM leaf")
    assert len({salt for _, salt, _ in stored}) == len(stored)
    assert all(
        salted_leaf_hash(salt, details) == leaf and len(salt) == 32
        for leaf, salt, details in stored
    )


def test_the_signed_root_is_the_one_that_pymerkle_computes(tmp_path):
    import hashlib

    filled_log(tmp_path, 13)
    oracle = InmemoryTree(algorithm="sha256")
    for salt, details in rows(tmp_path, "SELECT salt, details FROM leaf ORDER BY n"):
        oracle.append_entry(hashlib.sha256(salt + details).digest())
    taken = parse_note((tmp_path / "checkpoint").read_bytes())
    checkpoint = parse_body(taken.signed)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 13, oracle.get_root())
    with open_log(tmp_path) as log:
        assert log.origin == ORIGIN
    KEY.public_key().verify(taken.signatures[0].signature, taken.signed)


def test_there_is_a_checkpoint_after_every_leaf_and_the_newest_beside(tmp_path):
    filled_log(tmp_path, 7)
    notes = rows(tmp_path, "SELECT size, note FROM checkpoint ORDER BY size")
    assert [size for size, _ in notes] == list(range(1, 8))
    assert (tmp_path / "checkpoint").read_bytes() == notes[-1][1]


def size_in_file(folder):
    return parse_body(parse_note((folder / "checkpoint").read_bytes()).signed).size


def test_the_file_beside_is_a_second_behind_at_most_and_never_after_closing(tmp_path, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(audit_log.time, "monotonic", lambda: now[0])
    with open_log(tmp_path) as log:
        for kind in ("start", "release", "receipt"):
            log.append(kind, {})
        log.copy_checkpoint()
        assert size_in_file(tmp_path) == 1
        now[0] += CHECKPOINT_EVERY_S
        log.copy_checkpoint()
        assert size_in_file(tmp_path) == 3
        log.append("stop", {})
    assert size_in_file(tmp_path) == 4


def test_no_copy_is_written_where_no_leaf_came(tmp_path, monkeypatch):
    with open_log(tmp_path) as log:
        log.append("start", {})
        monkeypatch.setattr(audit_log, "write_atomic", lambda *_: pytest.fail("written"))
        monkeypatch.setattr(audit_log.time, "monotonic", lambda: 1e9)
        log.copy_checkpoint()


def test_a_copy_that_finds_no_room_does_not_hide_what_ended_the_process(tmp_path, monkeypatch):
    def full(*_):
        raise StorageError("no space left on device", where="checkpoint")

    def interrupted():
        with open_log(tmp_path) as log:
            log.append("start", {})
            log.append("stop", {})
            monkeypatch.setattr(audit_log, "write_atomic", full)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    monkeypatch.undo()
    open_log(tmp_path).close()
    assert size_in_file(tmp_path) == 2


def test_nobody_else_can_read_the_log(tmp_path):
    folder = tmp_path / "watch"
    with open_log(folder) as log:
        log.append("start", {})
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {
            path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()
        } == dict.fromkeys(
            ("checkpoint", "log.sqlite", "log.sqlite-shm", "log.sqlite-wal", "log.sqlite.lock"),
            "0o600",
        )


def test_commits_are_durable_by_setting(tmp_path):
    with open_log(tmp_path) as log:
        assert log.query("PRAGMA journal_mode") == [("wal",)]
        assert log.query("PRAGMA synchronous") == [(2,)]  # FULL


def test_a_reopened_log_goes_on(tmp_path):
    filled_log(tmp_path, 5)
    with open_log(tmp_path) as log:
        assert (log.size, log.append("start", {})) == (5, 5)


def test_one_writer_at_a_time(tmp_path):
    with (
        open_log(tmp_path),
        pytest.raises(StorageError, match="another process is writing this log"),
    ):
        open_log(tmp_path)
    open_log(tmp_path).close()


def test_what_also_writes_lives_or_dies_with_the_leaf(tmp_path):
    def write(connection, leaf):
        connection.execute("INSERT INTO extra VALUES (?)", (leaf,))

    def fail(connection, leaf):
        write(connection, leaf)
        raise sqlite3.IntegrityError("no")

    with open_log(tmp_path) as log:
        log.add_tables("CREATE TABLE extra (leaf INTEGER)")
        log.append("start", {}, also=write)
        with pytest.raises(StorageError):
            log.append("release", {}, also=fail)
        assert (log.size, log.query("SELECT leaf FROM extra")) == (1, [(0,)])
        assert log.append("stop", {}) == 1


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["DELETE FROM leaf WHERE n = 3"], "leaf-missing"),
        (["DELETE FROM leaf WHERE n > 3"], "log-truncated"),
        (["DELETE FROM leaf"], "log-truncated"),
        (["UPDATE leaf SET hash = zeroblob(32) WHERE n = 3"], "root-mismatch"),
        (["UPDATE leaf SET hash = zeroblob(31) WHERE n = 3"], "leaf-changed"),
        (["DELETE FROM checkpoint"], "checkpoint-invalid"),
        (
            ["DELETE FROM leaf WHERE n > 3", "DELETE FROM checkpoint WHERE size > 4"],
            "log-truncated",
        ),
        (["UPDATE checkpoint SET note = zeroblob(9) WHERE size = 12"], "checkpoint-invalid"),
        (
            [
                (
                    "UPDATE checkpoint SET note = "
                    "(SELECT note FROM checkpoint WHERE size = 11) WHERE size = 12"
                )
            ],
            "root-mismatch",
        ),
    ],
)
def test_a_log_that_disagrees_with_its_checkpoints_does_not_open(tmp_path, statements, reason):
    filled_log(tmp_path)
    tamper(tmp_path, *statements)
    with pytest.raises(LogRefusedError) as caught:
        open_log(tmp_path)
    assert (caught.value.reason, caught.value.exit_code) == (reason, 3)
    assert "platewarden audit verify" in str(caught.value)


def test_a_deleted_database_is_not_quietly_begun_again(tmp_path):
    filled_log(tmp_path)
    (tmp_path / "log.sqlite").unlink()
    with pytest.raises(LogRefusedError, match="the database is gone; 12 leaves were signed"):
        open_log(tmp_path)
    assert not (tmp_path / "log.sqlite").exists()


@pytest.mark.parametrize("change", [{"key": OTHER_KEY}, {"origin": "platewarden/cam-test-2/watch"}])
def test_a_log_of_another_key_or_device_does_not_open(tmp_path, change):
    filled_log(tmp_path)
    with pytest.raises(LogRefusedError) as caught:
        open_log(tmp_path, **change)
    assert caught.value.reason == "checkpoint-invalid"


def test_a_checkpoint_file_that_a_crash_left_behind_is_brought_up_to_date(tmp_path):
    filled_log(tmp_path)
    [(older,)] = rows(tmp_path, "SELECT note FROM checkpoint WHERE size = 11")
    (tmp_path / "checkpoint").write_bytes(older)
    open_log(tmp_path).close()
    assert parse_body(parse_note((tmp_path / "checkpoint").read_bytes()).signed).size == 12


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_what_is_no_database_is_one_clear_error(tmp_path, content):
    (tmp_path / "log.sqlite").write_bytes(content)
    with pytest.raises(StorageError, match=r"log\.sqlite"):
        open_log(tmp_path)
    assert (tmp_path / "log.sqlite").read_bytes() == content


def test_another_program_s_database_is_not_written_to(tmp_path):
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "log.sqlite").read_bytes()
    with pytest.raises(StorageError, match="not a Platewarden audit log"):
        open_log(tmp_path)
    assert (tmp_path / "log.sqlite").read_bytes() == before


def test_a_log_of_a_newer_version_is_refused(tmp_path):
    filled_log(tmp_path)
    tamper(tmp_path, "PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="version 2"):
        open_log(tmp_path)


@dataclass
class Odd:
    text: str = FICTITIOUS


@pytest.mark.parametrize(
    "value",
    [
        PlateText(FICTITIOUS),
        FICTITIOUS.encode(),
        Odd(),
        {1: PlateText(FICTITIOUS)},
        [PlateText(FICTITIOUS)],
        {FICTITIOUS},
    ],
)
def test_a_plate_or_any_other_object_cannot_become_a_detail(tmp_path, value):
    with open_log(tmp_path) as log:
        with pytest.raises(TypeError) as caught:
            log.append("refusal", {"what": value})
        assert FICTITIOUS not in str(caught.value)
        assert log.size == 0


def test_a_stranger_s_text_is_cut_and_made_printable():
    assert clean_text("a\x1b[2J\nb") == "a?[2J?b"
    assert len(clean_text("x" * 10_000)) == MAX_TEXT
    assert json.loads(canonical({"name": "é" * 500}))["name"].endswith("…")


def test_canonical_details_are_sorted_ascii_and_bounded():
    assert (
        canonical({"b": 1, "a": "é", "c": [True, None, 0.5]})
        == b'{"a":"\\u00e9","b":1,"c":[true,null,0.5]}'
    )
    for endless in ({"a": [[[[[1]]]]]}, {"a": list(range(65))}):
        with pytest.raises(TypeError):
            canonical(endless)
    with pytest.raises(ValueError, match="exceed"):
        canonical({str(key): ["x" * 200] * 64 for key in range(3)})
    with pytest.raises(ValueError):
        canonical({"a": math.nan})


def test_a_signing_key_is_made_once_and_must_stay_private(tmp_path):
    path = tmp_path / "watch-log.key"
    key = create_signing_key(path)
    assert load_signing_key(path).private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(StorageError, match="a key is there already"):
        create_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(StorageError, match="chmod 600"):
        load_signing_key(path)


def test_a_signing_key_that_is_too_large_is_refused_and_not_read_in_part(tmp_path):
    path = tmp_path / "watch-log.key"
    create_signing_key(path)
    with path.open("ab") as file:
        file.write(b"\n" * 5000)
    with pytest.raises(StorageError, match="bytes; at most 4096 are read"):
        load_signing_key(path)


def test_a_damaged_or_foreign_signing_key_is_one_clear_error_without_its_bytes(tmp_path):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "k"
    for content in (
        b"",
        b"-----BEGIN PRIVATE KEY-----\nsecret\n",
        X25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(StorageError, match=r"k: not an .*provision") as caught:
            load_signing_key(path)
        assert "secret" not in str(caught.value)


def test_public_keys_are_read_in_every_form_that_an_auditor_may_hold(tmp_path):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from agent.core.log.checkpoint import verifier_key

    expected, path = KEY.public_key(), tmp_path / "key"
    path.write_bytes(expected.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert load_trusted_keys(path).for_origin("any") == expected
    path.write_text(json.dumps(jwk(KEY)))
    assert load_trusted_keys(path).for_origin("any") == expected
    path.write_text(verifier_key(ORIGIN, expected.public_bytes_raw()) + "\n")
    assert load_trusted_keys(path).for_origin(ORIGIN) == expected
    assert load_trusted_keys(path).for_origin("platewarden/cam-test-2/watch") is None
    keys = load_trusted_keys(write_public_keys(tmp_path / "public.json"))
    assert (keys.for_origin(ORIGIN), keys.for_origin("platewarden/cam-test-1/deliver")) == (
        expected,
        OTHER_KEY.public_key(),
    )
    assert keys.for_origin("platewarden/cam-test-1/seal") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "{",
        "{}",
        "[]",
        '{"kty":"RSA"}',
        '{"device":1,"watch_log":{}}',
        '{"device":"a","watch_log":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}',
        "ü",
    ],
)
def test_what_is_no_public_key_is_a_usage_error(tmp_path, text):
    (tmp_path / "key").write_text(text)
    with pytest.raises(UsageError, match="no public Ed25519 log key"):
        load_trusted_keys(tmp_path / "key")


def test_many_leaves_at_once_are_as_many_single_ones(tmp_path) -> None:
    key, now = Ed25519PrivateKey.generate(), SystemClock().now
    log = AuditLog(tmp_path / "log.sqlite", "platewarden/cam-7/deliver", key, now)
    log.append("start", {})
    log.append_all("receipt", [{"read": f"{n}"} for n in range(3)])
    log.append_all("receipt", [])
    log.append("stop", {})
    log.close()
    again = AuditLog(tmp_path / "log.sqlite", "platewarden/cam-7/deliver", key, now)
    assert again.size == 5
    assert len(again.query("SELECT n FROM leaf")) == 5
    again.close()
