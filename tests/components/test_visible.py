"""Text from outside on a terminal or a page: what would not be seen is written out, in every output
that shows any.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from agent import cli, settings
from agent.bundles.follower import REFUSALS, Follower
from agent.bundles.layout import METADATA_FOLDER, TIMESTAMP
from agent.city.change_shown import Change
from agent.city.policy_files import write_page
from agent.commands import doctor_page, status_output
from agent.core.camera.diagnosis_findings import as_table, fail, from_table
from agent.core.reasons import Reason
from agent.core.text.visible import visible
from agent.core.time.instant import Instant
from agent.errors import BundleRefusedError
from tests.support.judging import EXAMPLE
from tests.support.receiving import Enrolled

pytestmark = pytest.mark.usefixtures("quick_disk")

ODD = [
    *map(chr, range(0x20)),
    "\x7f",
    "\x9b",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    *"\u200b\u200f\u2028\u2029\ufeff\U000e0041\ue000",
    "\udc80",
    "\ud800",
]
ALL = "a" + "".join(ODD) + "z"
IN_A_NAME = ALL.replace("\0", "").replace("\ud800", "")  # what a file system takes


def is_visible(shown: str, untrusted: str = ALL) -> bool:
    """Nothing hides in it, and every odd character is written out."""
    lines = shown.replace("\n", "")
    return lines.isprintable() and visible(untrusted) in lines


def test_each_is_written_out_and_all_else_stays():
    assert visible("Städtische Straße, 東京 · 5 €") == "Städtische Straße, 東京 · 5 €"
    assert visible("\x1b[2J\u202etxt\ufeff\U000e0041") == (
        "\\u001b[2J\\u202etxt\\ufeff\\udb40\\udc41"
    )
    assert visible("a\nb\tc", keep="\n") == "a\nb\\u0009c"
    for one in ODD:
        assert visible(one).isascii()
        assert json.loads(f'"{visible(one)}"') == one
    assert json.loads(visible(json.dumps({"a": ALL}, ensure_ascii=False))) == {"a": ALL}


def run(*arguments):
    with pytest.raises(SystemExit):
        cli.main([str(argument) for argument in arguments])


def software_with(text):
    version = {"version": text, "sha256": text}
    step = {"at": text, "what": text, "reason": text, "told": text}
    return {"runs": version, "trial": version, "steps": [version | step]}


def state_with(text):
    """What `status` collects; every text in it came from a file that somebody else wrote."""
    process = {
        "policy": {"problem": text},
        "bundles": {
            "name": text,
            "rig": False,
            "issued": text,
            "roles": [{"role": text, "version": 1, "expires": text, "signed_by": [text]}],
            "lapses": [{"what": text, "stops": text}],
        },
        "clock": {"trust": text, "why": text},
        "refusals": [{"at": text, "reason": text, "what": text}],
    }
    return {
        "camera": "cam-1",
        "at": "now",
        "enrolled": False,
        "unsigned_policy": {"problem": text},
        "processes": {"watch": process, "deliver": {"problem": text}},
        "keys": {"recipients": [{"recipient": text, "told": [text], "ends_soon": True}]},
        "rules": {"stopped": [text]},
        "outbox": {"waiting": 1, "most": 9, "strange": 0},
        "log": {"problem": text},
        "last_hours": {"problem": text},
        "delivery": {
            "running": False,
            "changed_at": text,
            "since": text,
            "why": text,
            "links": [{"broker": text, "connected": False, "since": text, "why": text}],
        },
        "hotlist": {"problem": text},
        "camera_health": {"problem": text},
        "rehearsal": {"problem": text},
        "software": software_with(text),
    }


def test_status(monkeypatch, capsys):
    monkeypatch.setattr(settings, "load", lambda _path: None)
    monkeypatch.setattr(status_output, "collect", lambda _settings: state_with(ALL))
    run("status")
    shown = capsys.readouterr().out
    assert is_visible(shown)
    assert shown.count("\n") == 27
    run("status", "--json")
    shown = capsys.readouterr().out
    assert shown.removesuffix("\n").isprintable()
    assert json.loads(shown) == state_with(ALL)


def test_a_refusal_that_cannot_be_printed_stops_no_follower(tmp_path):
    """Its words go into refusals.json, which `status` shows."""

    def refuse(*_):
        raise BundleRefusedError(Reason.BUNDLE_MALFORMED, ALL)

    told = []
    store = SimpleNamespace(folder=tmp_path / "state", take_in=refuse)
    (tmp_path / METADATA_FOLDER).mkdir()
    (tmp_path / METADATA_FOLDER / f"{TIMESTAMP}.json").write_bytes(b"{}")
    now = Instant(datetime(2027, 1, 15, tzinfo=UTC))
    assert Follower(store, tmp_path, lambda *what: told.append(what)).look(now, 100.0) is None
    assert len(told) == 1
    assert json.loads((tmp_path / "state" / REFUSALS).read_bytes())[0]["what"] == ALL


def test_doctor(capsys):
    own = fail("broker", ALL, ALL)
    told = from_table(as_table(own))
    doctor_page.show([own, told])
    shown = capsys.readouterr().out
    assert is_visible(shown)
    assert shown.count(visible(ALL)) == 4
    assert len(shown.splitlines()) == 3


@pytest.mark.parametrize("command", ["diff", "explain"])
def test_policy_diff_and_explain(tmp_path, capsys, command):
    folder = tmp_path / IN_A_NAME.replace("/", "")
    shutil.copytree(EXAMPLE, folder)
    policy, page = folder / "policy.toml", tmp_path / "page.html"
    files = [policy, policy] if command == "diff" else [policy]
    run("policy", command, *files, "--html", page)
    shown = capsys.readouterr()
    assert is_visible(shown.out, IN_A_NAME)
    assert shown.err == ""
    assert page.read_text().replace("\n", "").isprintable()


def test_a_page(tmp_path):
    write_page(tmp_path / "page.html", f"<p>\n{ALL}\n</p>")
    assert (tmp_path / "page.html").read_text() == f"<p>\n{visible(ALL, keep=chr(10))}\n</p>"


def test_what_a_signer_is_shown(desk, monkeypatch):
    monkeypatch.setattr(Change, "lines", lambda _self: iter([f"  {ALL}"]))
    done = desk.sign("dora")
    assert done.code == 0
    assert is_visible(done.out)


def test_receiver_status(tmp_path, capsys):
    enrolled = Enrolled(tmp_path / "recipient")
    enrolled.place.store().close()
    with closing(sqlite3.connect(enrolled.folder / "store" / "index.sqlite")) as index:
        text = ALL.replace("\ud800", "").replace("\udc80", "").replace("\0", "")
        index.execute("INSERT INTO sequences (device, sequence) VALUES (?, 1)", (text,))
        index.execute("INSERT INTO runs VALUES (?, 1, 1)", (text,))
        index.execute("INSERT INTO dropped VALUES (?, 1)", (text,))
        index.commit()
    run("receiver", "status", enrolled.folder)
    shown = capsys.readouterr().out
    assert is_visible(shown, text)
    assert shown.count(visible(text)) == 2


def test_an_error_is_one_line_whatever_a_file_is_called(tmp_path, capsys):
    run("receiver", "status", tmp_path / IN_A_NAME.replace("/", ""))
    shown = capsys.readouterr().err
    assert is_visible(shown, IN_A_NAME)
    assert len(shown.splitlines()) == 1
