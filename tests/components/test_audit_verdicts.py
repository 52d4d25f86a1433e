"""What an auditor is told: the word whole for a whole log alone, a mistake of his own never as a
forgery, and many logs at once without one costing the others.
"""

import json
import shutil
from itertools import chain
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from agent.commands.audit import app
from agent.core.log.checkpoint import origin_of
from agent.core.text.strict_json import canonical, public_jwk
from agent.errors import EnvelopeRefusedError, LogRefusedError, StorageError, UsageError
from agent.verifying.roster_check import TYP, Roster, format_roster
from tests.components.test_audit_verify import LEAVES
from tests.support.audit_logs import (
    DEVICE,
    KEY,
    OTHER_KEY,
    filled_log,
    open_log,
    rows,
    tamper,
    write_public_keys,
)
from tests.support.sealed import CAPTURED, sign_compact

CHECKOUT = Path(__file__).parents[2]
CITY = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


@pytest.fixture
def folder(tmp_path):
    return filled_log(tmp_path / "watch", LEAVES)


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


def run(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def told(*arguments):
    """Exit code and table of `--json`."""
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.output)


def failed(result, error, code):
    """A command that ended with this error says the word whole nowhere."""
    assert isinstance(result.exception, error), result.output
    assert result.exception.exit_code == code
    # An error names the guide's file, and somebody's checkout may lie in a folder named `whole`.
    words = f"{result.output} {result.exception}".replace(str(CHECKOUT), "").lower()
    assert "whole" not in words
    return words


class TestWithheld:
    def test_a_wiped_release_is_named_and_ends_with_3(self, folder, key):
        tamper(folder, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 6")
        words = failed(run(folder, "--key", key), LogRefusedError, 3)
        assert "withheld    [leaf-withheld] leaf 6: " in words
        assert "1 of 12 do not say what they are" in words

    def test_beside_another_fault_the_log_is_not_what_was_signed(self, folder, key):
        tamper(
            folder,
            "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 6",
            "DELETE FROM leaf WHERE n = 3",
        )
        code, table = told(folder, "--key", key)
        assert (code, table["verdict"]) == (3, "not-as-signed")


class TestNothingVerified:
    """Exit 2, and no word of forgery."""

    def quiet(self, words):
        assert "nothing was verified" in words
        assert "fault" not in words
        assert "forge" not in words

    def test_without_a_key(self, folder):
        words = failed(run(folder), UsageError, 2)
        assert "nothing was verified" in words
        assert "--key" in words

    def test_with_another_camera_s_key(self, folder, tmp_path):
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        self.quiet(failed(run(folder, "--key", other), UsageError, 2))

    def test_with_the_keys_of_another_name(self, folder, tmp_path):
        other = write_public_keys(tmp_path / "other.json", device="cam-test-2")
        words = failed(run(folder, "--key", other), UsageError, 2)
        self.quiet(words)
        assert "platewarden/cam-test-2/watch" in words

    def test_of_an_empty_log(self, tmp_path, key):
        open_log(tmp_path / "empty").close()
        self.quiet(failed(run(tmp_path / "empty", "--key", key), UsageError, 2))

    def test_says_so_as_json(self, folder, tmp_path):
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        code, table = told(folder, "--key", other)
        assert (code, table["ok"], table["verdict"], table["faults"]) == (
            2,
            False,
            "nothing-verified",
            [],
        )
        assert set(table["unverified"].replace(":", " ").replace(",", " ").split()) >= KEY_IDS

    def test_but_leaves_whose_checkpoints_are_all_gone_are_a_fault(self, folder, key):
        tamper(folder, "DELETE FROM checkpoint")
        (folder / "checkpoint").unlink()
        code, table = told(folder, "--key", key)
        assert (code, table["faults"][0]["reason"]) == (3, "checkpoint-invalid")


def key_id_of(key):
    from agent.core.log.checkpoint import key_id
    from tests.support.audit_logs import ORIGIN

    return key_id(ORIGIN, key.public_key().public_bytes_raw()).hex()


KEY_IDS = {key_id_of(KEY), key_id_of(OTHER_KEY)}


class TestKept:
    """A checkpoint that the auditor kept."""

    def kept(self, folder, tmp_path, change=lambda data: data):
        path = tmp_path / "kept"
        path.write_bytes(change((folder / "checkpoint").read_bytes()))
        return path

    def test_one_that_matches_is_named_with_its_day(self, folder, key, tmp_path):
        result = run(folder, "--key", key, "--checkpoint", self.kept(folder, tmp_path))
        assert result.exit_code == 0
        assert f"kept: its {LEAVES} leaves, until 2027-01-15, are still the first" in result.output

    def test_one_that_a_fault_below_it_contradicts_is_not(self, folder, key, tmp_path):
        kept = self.kept(folder, tmp_path)
        tamper(folder, "DELETE FROM leaf WHERE n = 6")
        _, table = told(folder, "--key", key, "--checkpoint", kept)
        assert table["kept"] == []

    def test_one_below_the_fault_still_matches(self, folder, key, tmp_path):
        [(note,)] = rows(folder, "SELECT note FROM checkpoint WHERE size = 5")
        (tmp_path / "five").write_bytes(note)
        tamper(folder, "DELETE FROM leaf WHERE n = 6")
        code, table = told(folder, "--key", key, "--checkpoint", tmp_path / "five")
        assert code == 3
        assert [(one["size"], one["until"][:10]) for one in table["kept"]] == [(5, "2027-01-15")]

    def test_changed_line_ends_are_put_right_and_told(self, folder, key, tmp_path):
        kept = self.kept(
            folder, tmp_path, lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
        )
        result = run(folder, "--key", key, "--checkpoint", kept)
        assert result.exit_code == 0
        assert "are still the first" in result.output
        assert "CRLF" in result.output

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda data: data[:40], "cannot be read as a checkpoint"),
            (lambda data: data.replace(b"\n12\n", b"\n13\n"), "its signature is not good"),
            (lambda _: b"", "cannot be read as a checkpoint"),
        ],
    )
    def test_a_mangled_one_leaves_the_log_unaccused_and_not_all_checked(
        self, folder, key, tmp_path, change, why
    ):
        kept = self.kept(folder, tmp_path, change)
        words = failed(run(folder, "--key", key, "--checkpoint", kept), UsageError, 2)
        assert why in words
        assert "not all was checked" in words
        code, table = told(folder, "--key", key, "--checkpoint", kept)
        assert (code, table["faults"], table["verdict"]) == (2, [], "not-all-checked")

    def test_one_of_another_log_is_told_as_that(self, folder, key, tmp_path):
        with open_log(tmp_path / "deliver", OTHER_KEY, origin_of(DEVICE, "deliver")) as log:
            log.append("start", {})
        kept = self.kept(tmp_path / "deliver", tmp_path)
        words = failed(run(folder, "--key", key, "--checkpoint", kept), UsageError, 2)
        assert f"is of another log, platewarden/{DEVICE}/deliver" in words

    def test_one_under_another_key_of_the_same_name_is_told_as_that(self, folder, key, tmp_path):
        with open_log(tmp_path / "anew", OTHER_KEY) as log:
            log.append("start", {})
        kept = self.kept(tmp_path / "anew", tmp_path)
        words = failed(run(folder, "--key", key, "--checkpoint", kept), UsageError, 2)
        assert "is signed by another key than the log's" in words

    def test_a_fault_of_the_log_weighs_more(self, folder, key, tmp_path):
        kept = self.kept(folder, tmp_path, lambda data: data[:40])
        tamper(folder, "DELETE FROM leaf WHERE n = 6")
        code, table = told(folder, "--key", key, "--checkpoint", kept)
        assert (code, table["verdict"], len(table["unusable"])) == (3, "not-as-signed", 1)


class TestBeside:
    """The copy beside the log is in its owner's hand."""

    def test_one_whose_line_ends_were_changed_serves(self, folder, key):
        beside = folder / "checkpoint"
        beside.write_bytes(beside.read_bytes().replace(b"\n", b"\r\n"))
        tamper(folder, "DELETE FROM leaf WHERE n >= 9", "DELETE FROM checkpoint WHERE size > 9")
        code, table = told(folder, "--key", key)
        assert (code, table["faults"][0]["reason"]) == (3, "log-truncated")

    def test_a_mangled_one_is_never_whole(self, folder, key):
        (folder / "checkpoint").write_bytes(b"mangled")
        code, table = told(folder, "--key", key)
        assert (code, table["verdict"]) == (2, "not-all-checked")

    def test_a_forged_one_is_a_fault(self, folder, key):
        beside = folder / "checkpoint"
        beside.write_bytes(beside.read_bytes().replace(b"\n12\n", b"\n11\n"))
        code, table = told(folder, "--key", key)
        assert (code, table["faults"][0]["reason"]) == (3, "checkpoint-invalid")


def roster(tmp_path, root=CITY):
    """A signed roster of two cameras, and the root's public key."""
    raw, other = (one.public_key().public_bytes_raw() for one in (KEY, OTHER_KEY))
    enrolled = Roster(
        "Exampleville",
        CAPTURED,
        {DEVICE: other, "cam-test-2": other},
        logs={DEVICE: (raw, other), "cam-test-2": (other, raw)},
    )
    (tmp_path / "roster.jws").write_bytes(sign_compact(root, TYP, format_roster(enrolled)))
    (tmp_path / "root.json").write_bytes(
        canonical(public_jwk("Ed25519", CITY.public_key().public_bytes_raw()))
    )
    return tmp_path / "roster.jws", tmp_path / "root.json"


class TestRoster:
    def test_the_signed_roster_serves_as_key(self, folder, tmp_path):
        jws, root = roster(tmp_path)
        result = run(folder, "--key", jws, "--root", root)
        assert result.exit_code == 0, result.exception
        assert "Whole: every leaf" in result.output

    def test_not_without_the_root(self, folder, tmp_path):
        jws, _ = roster(tmp_path)
        assert "--root" in failed(run(folder, "--key", jws), UsageError, 2)

    def test_not_when_another_signed_it(self, folder, tmp_path):
        jws, root = roster(tmp_path, OTHER_KEY)
        failed(run(folder, "--key", jws, "--root", root), EnvelopeRefusedError, 3)

    def test_two_keys_for_one_log_are_refused(self, folder, tmp_path, key):
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        words = failed(run(folder, "--key", key, "--key", other), UsageError, 2)
        assert "another key than an earlier" in words


@pytest.fixture
def street(tmp_path):
    """Two cameras' folders, as an auditor collects them."""
    jws, root = roster(tmp_path)
    for device, process, signer in (
        (DEVICE, "watch", KEY),
        (DEVICE, "deliver", OTHER_KEY),
        ("cam-test-2", "watch", OTHER_KEY),
        ("cam-test-2", "deliver", KEY),
    ):
        place = tmp_path / "street" / device / "state" / process
        with open_log(place, signer, origin_of(device, process)) as log:
            log.append("start", {})
            log.append("stop", {})
    return tmp_path / "street", ("--key", jws, "--root", root)


class TestMany:
    def test_every_log_below_a_folder_is_verified(self, street):
        folder, keys = street
        result = run(folder, *keys)
        assert result.exit_code == 0, result.exception
        assert result.output.count("Whole: ") == 4
        assert result.output.rstrip().endswith("4 logs: 4 whole")

    def test_both_logs_of_a_camera(self, street):
        folder, keys = street
        both = [folder / DEVICE / "state" / name for name in ("watch", "deliver")]
        code, table = told(*both, *keys)
        assert (code, table["ok"]) == (0, True)
        assert [one["origin"] for one in table["logs"]] == [
            origin_of(DEVICE, "watch"),
            origin_of(DEVICE, "deliver"),
        ]

    def test_one_that_is_unreadable_costs_itself(self, street):
        folder, keys = street
        (folder / DEVICE / "state/watch/log.sqlite").write_bytes(b"x" * 5_000)
        result = run(folder, *keys)
        assert isinstance(result.exception, StorageError)
        assert result.output.count("Whole: ") == 3
        assert "4 logs: 3 whole, 1 could not be judged" in result.output

    def test_the_worst_decides(self, street):
        folder, keys = street
        (folder / DEVICE / "state/watch/log.sqlite").write_bytes(b"x" * 5_000)
        tamper(folder / "cam-test-2/state/watch", "DELETE FROM leaf WHERE n = 1")
        code, table = told(folder, *keys)
        assert (code, table["ok"], len(table["failed"])) == (3, False, 1)
        assert [one["verdict"] for one in table["logs"]].count("not-as-signed") == 1

    def test_a_kept_checkpoint_is_held_against_its_own_log(self, street, tmp_path):
        folder, keys = street
        kept = shutil.copy(folder / DEVICE / "state/deliver/checkpoint", tmp_path / "kept")
        code, table = told(folder, *keys, "--checkpoint", kept)
        assert code == 0
        matched = {one["origin"]: [kept["size"] for kept in one["kept"]] for one in table["logs"]}
        assert matched.pop(origin_of(DEVICE, "deliver")) == [2]
        assert list(chain(*matched.values())) == []

    def test_a_kept_checkpoint_of_none_of_them_is_told(self, street, tmp_path):
        folder, keys = street
        with open_log(tmp_path / "third", origin=origin_of("cam-test-3", "watch")) as log:
            log.append("start", {})
        kept = tmp_path / "third" / "checkpoint"
        words = run(folder, *keys, "--checkpoint", kept)
        assert isinstance(words.exception, UsageError)
        assert "is of none of these logs" in str(words.exception)

    def test_a_folder_without_any_log(self, tmp_path, key):
        (tmp_path / "nothing").mkdir()
        result = run(tmp_path / "nothing", "--key", key)
        assert isinstance(result.exception, StorageError)

    def test_links_are_not_followed(self, street, tmp_path):
        folder, keys = street
        (folder / "round").symlink_to(folder)
        assert run(folder, *keys).output.rstrip().endswith("4 logs: 4 whole")


def test_a_key_beside_the_log_is_told_as_that(tmp_path):
    folder = filled_log(tmp_path / "state" / "watch", 3)
    write_public_keys(tmp_path / "device" / "public.json")
    assert "lies beside the log" in run(folder).output
