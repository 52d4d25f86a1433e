"""`platewarden receiver …` as typed: what it prints, and how it fails (one line, the right exit
code, never a plate).
"""

import json
import sqlite3
import tomllib
from contextlib import closing
from datetime import timedelta

import pytest

from agent import cli
from agent.core.time.instant import ClockTrust, Instant
from agent.host.clock import TrustedClock
from agent.receiver.epoch_keys import destroy
from agent.receiver.intake import Intake
from agent.receiver.workplace import Workplace
from tests.support.receiving import Enrolled, this_instant
from tests.support.sealed import PLATE, RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def folder(tmp_path):
    """A recipient's folder with two stored reads."""
    enrolled = Enrolled(tmp_path / "recipient")
    store = enrolled.place.store()
    intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
    for _ in range(2):
        assert intake.take(enrolled.seal().wire, this_instant()).outcome == "stored"
    store.close()
    return enrolled.folder


def typed(capsys, *arguments):
    """Exit code, stdout, stderr of `platewarden receiver …`."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["receiver", *map(str, arguments)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return ended.value.code, captured.out, captured.err


class TestInit:
    def test_prints_the_line_for_the_policy_and_makes_the_folder(self, capsys, tmp_path):
        code, out, _ = typed(
            capsys,
            "init",
            tmp_path / "r",
            "--recipient",
            RECIPIENT,
            "--host",
            "mqtt.example.org",
            "--address",
            "203.0.113.10",
        )
        assert code == 0
        assert len(tomllib.loads(out.splitlines()[0])["signing_key"]) == 43
        assert {path.name for path in (tmp_path / "r").iterdir()} == {
            "receiver.toml",
            "signing.key",
            "epochs",
            "key-list.jws",
            "clock.json",
        }
        assert (
            tomllib.loads((tmp_path / "r" / "receiver.toml").read_text())["broker"]["address"]
            == "203.0.113.10"
        )

    def test_never_twice(self, capsys, folder):
        code, _, err = typed(capsys, "init", folder, "--recipient", RECIPIENT)
        assert code == 1
        assert "never overwritten" in err

    @pytest.mark.parametrize(
        "options",
        [
            ("--host", "a"),
            ("--address", "203.0.113.10"),
            ("--host", "a", "--address", "mqtt.example.org"),
        ],
    )
    def test_half_a_broker_is_a_usage_error(self, capsys, tmp_path, options):
        code, _, err = typed(capsys, "init", tmp_path / "r", "--recipient", RECIPIENT, *options)
        assert (code, "--host" in err) == (2, True)
        assert not (tmp_path / "r").exists()


class TestOpen:
    def test_all_as_json_lines(self, capsys, folder):
        code, out, _ = typed(capsys, "open", folder, "--json")
        opened = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert [(each["plate"], each["seq"], each["unverified"]) for each in opened] == [
            (PLATE, 1, True),
            (PLATE, 2, True),
        ]

    def test_one_with_its_picture(self, capsys, folder, tmp_path):
        _, out, _ = typed(capsys, "open", folder, "--json")
        read_id = json.loads(out.splitlines()[1])["read"]
        code, out, _ = typed(capsys, "open", folder, read_id, "--crop", tmp_path / "crop.jpg")
        assert code == 0
        assert "UNVERIFIED LEAD" in out
        assert (tmp_path / "crop.jpg").read_bytes().startswith(b"\xff\xd8\xff")

    def test_the_picture_of_many_is_a_usage_error(self, capsys, folder, tmp_path):
        code, out, err = typed(capsys, "open", folder, "--crop", tmp_path / "crop.jpg")
        assert (code, out, "--crop needs one read" in err) == (2, "", True)

    def test_a_read_that_is_not_here(self, capsys, folder):
        assert typed(capsys, "open", folder, "ab" * 16)[0] == 2

    def test_an_altered_file_is_refused_and_the_others_are_shown(self, capsys, folder):
        damaged = min((folder / "store").glob("*.sealed"))
        data = bytearray(damaged.read_bytes())
        data[-3] ^= 1
        damaged.write_bytes(data)
        code, out, err = typed(capsys, "open", folder, "--json")
        assert code == 3
        assert len(out.splitlines()) == 1
        assert len(err.splitlines()) == 1
        assert PLATE not in err

    def test_files_that_were_exchanged_are_refused(self, capsys, folder):
        one, other = sorted((folder / "store").glob("*.sealed"))
        swapped = one.read_bytes(), other.read_bytes()
        one.write_bytes(swapped[1])
        other.write_bytes(swapped[0])
        code, out, err = typed(capsys, "open", folder)
        assert (code, out) == (3, "")
        assert "another read than its name says" in err

    def test_a_destroyed_key(self, capsys, folder):
        for key in (folder / "epochs").iterdir():
            destroy(key)
        code, out, err = typed(capsys, "open", folder)
        assert (code, out, "key-destroyed" in err) == (3, "", True)

    def test_after_the_deadline_nothing_is_shown_and_all_is_destroyed(
        self, capsys, folder, monkeypatch
    ):
        late = this_instant().utc + timedelta(days=23)
        monkeypatch.setattr(TrustedClock, "now", lambda _self: Instant(late))
        code, out, err = typed(capsys, "open", folder)
        assert (code, out, "deadline-passed" in err) == (3, "", True)
        assert not list((folder / "store").glob("*.sealed"))
        keys = sorted(path.stem for path in (folder / "epochs").glob("*.key"))
        assert keys[0] == late.date().isoformat()

    def test_a_clock_that_merely_says_so_shows_nothing_and_destroys_nothing(
        self, capsys, folder, monkeypatch
    ):
        now = this_instant().utc
        doubtful = Instant(now + timedelta(days=23), at_least=now)
        monkeypatch.setattr(TrustedClock, "now", lambda _self: doubtful)
        before = {path: path.read_bytes() for path in (folder / "epochs").iterdir()}
        code, out, err = typed(capsys, "open", folder, "--json")
        assert (code, out, "deadline-passed" in err) == (3, "", True)
        assert len(list((folder / "store").glob("*.sealed"))) == 2
        assert before == {path: path.read_bytes() for path in (folder / "epochs").iterdir()}

    def test_the_signed_deadline_counts_and_not_the_indexs(self, capsys, folder, monkeypatch):
        """Whoever changes the index keeps no read alive, although its key was copied back."""
        late = this_instant().utc + timedelta(days=23)
        kept = {path: path.read_bytes() for path in (folder / "epochs").iterdir()}
        with closing(sqlite3.connect(folder / "store" / "index.sqlite")) as index:
            index.execute("UPDATE reads SET deadline = '2190-01-01T00:00:00.000Z'")
            index.commit()
        monkeypatch.setattr(TrustedClock, "now", lambda _self: Instant(late))
        monkeypatch.setattr(
            Workplace, "destroy_due", lambda *_: [path.write_bytes(kept[path]) for path in kept]
        )
        code, out, err = typed(capsys, "open", folder)
        assert (code, out, "deadline-passed" in err) == (3, "", True)

    def test_a_clock_that_is_surely_wrong(self, capsys, folder, monkeypatch):
        wrong = Instant(this_instant().utc, ClockTrust.UNTRUSTED)
        monkeypatch.setattr(TrustedClock, "now", lambda _self: wrong)
        code, out, err = typed(capsys, "open", folder)
        assert (code, out, "clock" in err) == (1, "", True)

    def test_a_folder_that_is_none(self, capsys, tmp_path):
        code, _, err = typed(capsys, "open", tmp_path)
        assert (code, "receiver init" in err) == (2, True)

    def test_a_roster_that_is_missing(self, capsys, folder):
        (folder / "roster.jws").unlink()
        code, _, err = typed(capsys, "open", folder)
        assert (code, "roster.jws" in err) == (1, True)


class TestOthers:
    def test_status(self, capsys, folder):
        code, out, _ = typed(capsys, "status", folder)
        assert (code, "none missing" in out, PLATE in out) == (0, True, False)
        _, out, _ = typed(capsys, "status", folder, "--json")
        assert json.loads(out)["reads"] == 2

    def test_keys(self, capsys, folder):
        before = (folder / "key-list.jws").read_bytes()
        code, out, _ = typed(capsys, "keys", folder)
        assert (code, "25 epochs" in out) == (0, True)
        assert (folder / "key-list.jws").read_bytes() != before

    def test_run_without_a_broker(self, capsys, folder):
        code, _, err = typed(capsys, "run", folder)
        assert (code, "[broker]" in err) == (2, True)
