"""`audit collect` and `audit publish`: the city's log holds its cameras' checkpoints, tells those
that do not fit or do not come, and is served as static C2SP tlog-tiles.
"""

import json
import math
import os
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audit.log_verify import verify
from agent.audit.proofs.log_tiles import publish_log, tile_name
from agent.audit.trusted_keys import keys_nearby
from agent.city.checkpoint_collection import collect
from agent.city.city_log import city_log
from agent.city.witness_reach import witness_reach
from agent.core.log.checkpoint import parse_body, parse_note
from agent.errors import LogRefusedError, StorageError, UsageError
from tests.components.test_city_log import leaves
from tests.components.test_hotlist_command import ROW, city, hotlist, source
from tests.components.test_log_attacks import a_log, note_of, search
from tests.support.audit_logs import ORIGIN, OTHER_KEY, TRUSTED, tamper, write_public_keys
from tests.support.witness_logs import NOW_S, a_witness, log_of, run, witnessed

__all__ = ["city"]
DELIVER = ORIGIN.replace("/watch", "/deliver")
HOUR_S = 3_600


@pytest.fixture
def key(tmp_path):
    """Of a camera whose second log never comes."""
    return write_public_keys(tmp_path / "public.json")


def take(city, *paths, now_s=NOW_S, keys=TRUSTED, hours=26):
    with city_log(city) as log:
        return collect(city, log, paths, keys, hours * HOUR_S, lambda: now_s)


def outcomes(done):
    return [(one.origin, one.outcome) for one in done]


class TestCollected:
    def test_each_checkpoint_that_has_grown_is_a_leaf(self, tmp_path, city):
        for size in (5, 9, 21):
            [one] = take(city, log_of(tmp_path / "watch", size))
            assert one.error is None
        told = leaves(city)
        assert [(one["kind"], one["log"]) for one in told] == [("checkpoint", ORIGIN)] * 3
        assert [(one["outcome"], one["before"], one["size"]) for one in told] == [
            ("first", 0, 5),
            ("grown", 5, 9),
            ("grown", 9, 21),
        ]
        signed = parse_body(parse_note(note_of(tmp_path / "watch", 21)).signed)
        assert told[-1]["root"] == signed.root.hex()
        assert told[-1]["note_sha256"] == sha256(note_of(tmp_path / "watch", 21)).hexdigest()

    def test_one_that_has_not_grown_is_none(self, tmp_path, city):
        log = log_of(tmp_path / "watch", 9)
        take(city, log)
        assert outcomes(take(city, log, now_s=NOW_S + HOUR_S)) == [(ORIGIN, "same")]
        assert len(leaves(city)) == 1

    def test_it_stands_beside_the_acts_on_the_hot_list(self, tmp_path, city):
        hotlist("import", source(city, ROW), "--city", city)
        take(city, log_of(tmp_path / "watch", 9))
        assert [one["kind"] for one in leaves(city)] == ["hotlist", "checkpoint"]
        assert json.loads(hotlist("audit", "--city", city, "--json").stdout)

    def test_a_checkpoint_or_a_proof_without_the_log(self, tmp_path, city, key):
        log = log_of(tmp_path / "watch", 9)
        (tmp_path / "kept").write_bytes(note_of(log, 9))
        assert outcomes(take(city, tmp_path / "kept")) == [(ORIGIN, "first")]
        log_of(tmp_path / "watch", 21)
        grown = ("--grown", "--checkpoint", tmp_path / "kept", "--out", tmp_path / "proof")
        assert run("prove", log, "--key", key, *grown).exit_code == 0
        assert outcomes(take(city, tmp_path / "proof")) == [(ORIGIN, "grown")]

    def test_a_crash_leaves_leaf_and_memory_or_neither(self, tmp_path, city, monkeypatch):
        take(city, log_of(tmp_path / "watch", 9))
        log = log_of(tmp_path / "watch", 21)
        with monkeypatch.context() as patched:
            patched.setattr("agent.storage.audit_log.AuditLog._sign", _fails)
            with pytest.raises(StorageError):
                take(city, log)
        assert len(leaves(city)) == 1
        assert outcomes(take(city, log)) == [(ORIGIN, "grown")]


def _fails(*_):
    msg = "the disk is full"
    raise StorageError(msg)


class TestMisfits:
    @search
    @given(seen=st.integers(2, 21), data=st.data())
    def test_a_fork_and_a_rollback_are_leaves(self, tmp_path, seen, data):
        folder = tmp_path / f"city-{os.urandom(4).hex()}"
        folder.mkdir()
        (folder / "charter.toml").write_bytes(_charter())
        take(folder, log_of(tmp_path / "watch", seen))
        fork = data.draw(st.booleans())
        size = data.draw(st.integers(seen, 21) if fork else st.integers(1, seen - 1))
        [one] = take(folder, log_of(tmp_path / "watch", size, copy=int(fork)))
        reason = "root-mismatch" if fork else "log-truncated"
        assert (one.outcome, one.error.reason, one.error.exit_code) == ("refused", reason, 3)
        leaf = leaves(folder)[-1]
        assert (leaf["outcome"], leaf["reason"], leaf["size"]) == ("refused", reason, size)
        assert (leaf["before"], len(leaf["root"]), len(leaf["before_root"])) == (seen, 64, 64)
        assert len(list((folder / "log").glob("*.refused"))) == int(fork)
        [again] = take(folder, log_of(tmp_path / "watch", seen))
        assert again.outcome == "same", "what was collected stands"

    def test_the_same_misfit_is_a_leaf_once_a_day(self, tmp_path, city):
        take(city, log_of(tmp_path / "watch", 9))
        older = log_of(tmp_path / "watch", 5)
        told = [take(city, older, now_s=NOW_S + hours * HOUR_S)[0] for hours in (1, 2, 24, 26)]
        assert [one.leaf for one in told] == [1, None, None, 2]
        assert all(one.error.exit_code == 3 for one in told), "the line is told each time"

    def test_what_could_not_be_verified_is_no_leaf(self, tmp_path, city):
        """Another camera's key, or a file that is none: a slip of the collector's hand."""
        (tmp_path / "c").write_bytes(b"hello\n")
        log = log_of(tmp_path / "watch", 9)
        wrong = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        result = run("collect", log, "--city", city, "--key", wrong, "--json")
        table = json.loads(result.output)
        assert [one["outcome"] for one in table["logs"]] == ["unusable", "missing", "missing"]
        [one] = take(city, tmp_path / "c", keys=TRUSTED, now_s=NOW_S)[:1]
        assert (one.outcome, one.leaf) == ("unusable", None)
        assert isinstance(one.error, UsageError)

    def test_one_bad_log_costs_one(self, tmp_path, city):
        (tmp_path / "logs/b").mkdir(parents=True)
        (tmp_path / "logs/b/log.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
        log_of(tmp_path / "logs/a", 9)
        assert [one.outcome for one in take(city, tmp_path / "logs")] == ["first", "unusable"]


class TestMissing:
    def test_one_that_never_came(self, tmp_path, city, key):
        log = log_of(tmp_path / "watch", 9)
        result = run("collect", log, "--city", city, "--key", key)
        assert isinstance(result.exception, StorageError)
        assert result.exception.exit_code == 1
        assert f"MISSING     {DELIVER} (leaf 1): no checkpoint has ever come" in result.output
        leaf = leaves(city)[-1]
        assert (leaf["outcome"], leaf["log"], leaf["since"]) == ("missing", DELIVER, "")

    def test_one_that_came_and_comes_no_more(self, tmp_path, city):
        take(city, log_of(tmp_path / "watch", 9))
        assert take(city, now_s=NOW_S + 25 * HOUR_S) == ()
        [one] = take(city, now_s=NOW_S + 26 * HOUR_S)
        assert (one.outcome, one.leaf, one.error.exit_code) == ("missing", 1, 1)
        assert leaves(city)[-1]["since"].startswith("2027-01-15T08:00:00")
        assert take(city, now_s=NOW_S + 27 * HOUR_S)[0].leaf is None
        assert take(city, now_s=NOW_S + 51 * HOUR_S)[0].leaf == 2

    def test_one_that_comes_and_does_not_grow(self, tmp_path, city):
        """A camera counts every hour: a log that stands still is a camera that does."""
        log = log_of(tmp_path / "watch", 9)
        take(city, log)
        assert outcomes(take(city, log, now_s=NOW_S + 26 * HOUR_S)) == [(ORIGIN, "missing")]

    def test_one_that_came_back_is_told_anew_when_it_goes_again(self, tmp_path, city):
        """Also within a day."""
        take(city, log_of(tmp_path / "watch", 9))
        assert take(city, now_s=NOW_S + 2 * HOUR_S, hours=2)[0].leaf == 1
        take(city, log_of(tmp_path / "watch", 21), now_s=NOW_S + 3 * HOUR_S)
        assert take(city, now_s=NOW_S + 5 * HOUR_S, hours=2)[0].leaf == 3

    def test_nothing_is_collected_without_a_key(self, tmp_path, city):
        result = run("collect", tmp_path, "--city", city)
        assert isinstance(result.exception, UsageError)


class TestUnwitnessedSince:
    def test_without_a_log_or_a_policy(self, tmp_path, city):
        assert witness_reach(city).line() == "city's log: not begun yet"
        take(city, log_of(tmp_path / "watch", 5))
        line = witness_reach(city).line()
        assert "1 leaves; UNWITNESSED since 20" in line
        assert "no witnesses.policy says who must cosign" in line

    def test_told_by_the_first_leaf_beyond_the_cosigned_ones(self, tmp_path, city, key):
        state, vkey = a_witness(tmp_path / "witness")
        (city / "witnesses.policy").write_text(f"witness W {vkey}\nquorum W\n")
        take(city, log_of(tmp_path / "watch", 5))
        assert witness_reach(city).witnessed == 0
        witnessed(state, city / "log/public.json", city / "log")
        [file] = state.glob("*.checkpoint")
        (city / "log/cosigned").write_bytes(file.read_bytes())
        take(city, log_of(tmp_path / "watch", 9))
        found = witness_reach(city)
        assert (found.leaves, found.witnessed) == (2, 1)
        assert found.since == leaves(city)[1]["at"]
        assert f"1 witnessed by witness W on {found.at}; UNWITNESSED since" in found.line()
        result = run("collect", "--city", city, "--key", key)
        assert "UNWITNESSED since" in result.output

    def test_a_cosigned_file_of_another_history_is_told(self, tmp_path, city):
        (city / "witnesses.policy").write_text("quorum none\n")
        take(city, log_of(tmp_path / "watch", 5))
        (city / "log/cosigned").write_bytes(note_of(tmp_path / "watch", 5))
        assert "nothing was verified" in witness_reach(city).line()
        (city / "witnesses.policy").write_text("nonsense\n")
        assert "is no witness policy: line 1" in witness_reach(city).line()


def _charter():
    from tests.support.judging import EXAMPLE

    return (EXAMPLE / "charter.toml").read_bytes()


# --- static files: read back by the specification's own rules, not by our code ---


def tile(out, level, index, width):
    data = (out / tile_name(level, index, width)).read_bytes()
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def node(left, right):
    return sha256(b"\x01" + left + right).digest()


def tree(hashes):
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(tree(hashes[:k]), tree(hashes[k:]))


def entries(out, size):
    found = []
    for index in range(math.ceil(size / 256)):
        width = min(256, size - 256 * index)
        data = (out / tile_name("entries", index, width)).read_bytes()
        while data:
            length = int.from_bytes(data[:2], "big")
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
    return found


def published(folder, out, keys=TRUSTED):
    return publish_log(folder, keys, out)


class TestTiles:
    @pytest.mark.parametrize(
        ("index", "name"),
        [(0, "000"), (999, "999"), (1_000, "x001/000"), (1_234_067, "x001/x234/067")],
    )
    def test_the_names_of_the_specification(self, index, name):
        assert tile_name("0", index, 256) == f"tile/0/{name}"
        assert tile_name("entries", index, 7) == f"tile/entries/{name}.p/7"

    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
    def test_tiles_and_entries_lead_to_the_checkpoint(self, tmp_path, size):
        out = tmp_path / "www"
        done = published(a_log(tmp_path / "watch", size), out)
        signed = parse_body(parse_note((out / "checkpoint").read_bytes()).signed)
        assert (signed.size, signed) == (size, done.signed)
        hashes = []
        for index in range(math.ceil(size / 256)):
            hashes += tile(out, "0", index, min(256, size - 256 * index))
        assert tree(hashes) == signed.root
        assert [sha256(b"\0" + one).digest() for one in entries(out, size)] == hashes
        full = size // 256
        if full:
            assert tile(out, "1", 0, full) == [
                tree(hashes[256 * n : 256 * n + 256]) for n in range(full)
            ]
        names = {str(one.relative_to(out)) for one in out.rglob("*") if one.is_file()}
        assert len(names) == 2 * math.ceil(size / 256) + bool(full) + 1, "and no empty tile"

    def test_no_word_of_a_leaf_is_in_them(self, tmp_path):
        out = tmp_path / "www"
        published(a_log(tmp_path / "watch", 20), out)
        for file in out.rglob("*"):
            assert file.is_dir() or b"release" not in file.read_bytes()

    def test_what_is_there_stays_and_only_new_files_are_written(self, tmp_path):
        out = tmp_path / "www"
        published(log_of(tmp_path / "watch", 300, most=600), out)
        first = (out / "tile/0/000").stat().st_mtime_ns
        again = published(log_of(tmp_path / "watch", 300, most=600), out)
        assert again.files == 0
        more = published(log_of(tmp_path / "watch", 600, most=600), out)
        assert more.files > 0
        assert (out / "tile/0/000").stat().st_mtime_ns == first

    @pytest.mark.parametrize(
        ("size", "copy", "reason"),
        [(9, 1, "root-mismatch"), (21, 1, "root-mismatch"), (5, 0, "log-truncated")],
    )
    def test_another_history_or_an_older_copy_is_not_published_over(
        self, tmp_path, size, copy, reason
    ):
        out = tmp_path / "www"
        published(log_of(tmp_path / "watch", 9), out)
        before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
        with pytest.raises(LogRefusedError) as refused:
            published(log_of(tmp_path / "watch", size, copy=copy), out)
        assert refused.value.reason == reason
        assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before

    def test_a_tile_that_was_changed_is_told(self, tmp_path):
        out = tmp_path / "www"
        log = log_of(tmp_path / "watch", 9)
        published(log, out)
        (out / "tile/0/000.p/9").write_bytes(bytes(9 * 32))
        with pytest.raises(LogRefusedError, match="published with other bytes"):
            published(log, out)

    def test_a_log_that_is_not_as_signed_is_not_published(self, tmp_path):
        log = log_of(tmp_path / "watch", 9)
        tamper(log, "UPDATE leaf SET details = x'7b7d' WHERE n = 3")
        with pytest.raises(LogRefusedError, match="do not lead to the signed root"):
            published(log, tmp_path / "www")
        tamper(log, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 3")
        with pytest.raises(LogRefusedError, match="withheld"):
            published(log, tmp_path / "www")
        assert not (tmp_path / "www").exists()


def test_one_cosignature_under_the_city_s_log_vouches_for_every_camera_s(tmp_path, city, key):
    """The whole way: collect, cosign, publish, and check a camera's proof with the witness."""
    take(city, log_of(tmp_path / "watch", 9))
    state, vkey = a_witness(tmp_path / "witness")
    city_key = city / "log/public.json"
    assert witnessed(state, city_key, city / "log")[1] == 0
    [file] = state.glob("*.checkpoint")
    (city / "log/cosigned").write_bytes(file.read_bytes())
    result = run("publish", city / "log", "--out", tmp_path / "www", "--json")
    assert json.loads(result.output)["cameras"] == [ORIGIN]
    assert (tmp_path / "www/checkpoint").read_bytes() == file.read_bytes()
    [proof] = (tmp_path / "www/cameras").iterdir()
    asked = ("--checkpoint", tmp_path / "www/checkpoint", "--witness", vkey, "--json")
    (city / "witnesses.policy").write_text(f"witness W {vkey}\nquorum W\n")
    assert witness_reach(city).witnessed == 1
    assert witness_reach(city).since == ""
    told = json.loads(run("check-proof", proof, "--key", city_key, *asked).output)
    assert told["witnesses"]["met"]
    assert (told["details"]["log"], told["details"]["size"]) == (ORIGIN, 9)
    assert verify(city / "log", keys_nearby(city / "log")).verdict == "whole"
