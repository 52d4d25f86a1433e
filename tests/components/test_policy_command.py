"""`policy check` and `policy new` as a clerk meets them: exit codes, JSON, questions on a terminal,
drafts that pass, hostile files.
"""

import json
import os
import pty
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass

import pytest

from agent import cli
from agent.bundles import jurisdiction_files
from agent.core.text.toml_document import MAX_TEXT_BYTES
from tests.support.judging import EXAMPLE

MEMORY = 700 * 1024 * 1024  # of address space; Python and pydantic alone reserve a third of it


def in_a_process(*arguments, **how):
    command = [sys.executable, "-m", "agent", "policy", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"},
        **how,
    )


@pytest.fixture
def platewarden(capsys):
    """Run a subcommand here; (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["policy", *map(str, arguments)])
        told = capsys.readouterr()
        return Done(stop.value.code or 0, told.out, told.err)

    return run


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def city(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "city")
    return tmp_path / "city"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_example_passes(city, platewarden):
    done = platewarden("check", city / "policy.toml")
    assert done.returncode == 0
    assert done.stdout.endswith("No fault.\n")
    assert "no counsel has confirmed" in done.stdout
    assert done.stderr == ""


def test_a_source_that_is_a_document_of_ours_is_told_as_a_path_that_exists(city, platewarden):
    edit(city / "policy.toml", "version = 7", "version = 7\nunknown = 1")
    done = platewarden("check", city / "policy.toml")
    assert re.search(r"^    source  (/\S+/docs/ref/policy\.md)", done.stdout, re.MULTILINE)
    written = platewarden("check", city / "policy.toml", "--json").stdout
    assert {fault["source"] for fault in json.loads(written)["faults"]} == {
        "docs/ref/policy.md, unknown"
    }


def test_what_the_charter_forbids_ends_with_3_and_tells_place_why_source_fix(city, platewarden):
    edit(city / "policy.toml", 'retention = "7d"', 'retention = "60d"')
    done = platewarden("check", city / "policy.toml")
    assert done.returncode == 3
    assert re.search(
        r"policy\.toml:\d+:13: release\.retention: "
        r"60 days are longer than the charter's 21 \[charter-retention\]\n    why ",
        done.stdout,
    )
    assert re.search(
        r"    source  \S+charter\.toml:\d+:\d+, max_retention\n    fix     at most \"21d\"\n",
        done.stdout,
    )
    assert done.stderr.count("\n") == 1
    assert "refused [charter-retention]" in done.stderr


def test_a_malformed_file_ends_with_2_and_json_tells_the_same(city, platewarden):
    edit(city / "policy.toml", "version = 7", "version = 7\nsend_to_all = true")
    assert platewarden("check", city / "policy.toml").returncode == 2
    done = platewarden("check", city / "policy.toml", "--json", "--jurisdiction", "us-ca-chp")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert told["jurisdiction"] == {
        "id": "US-CA",
        "profile": "us-ca-chp.toml",
        "use": "check",
        "counsel_confirmed": False,
    }
    assert [(fault["field"], fault["column"], fault["code"]) for fault in told["faults"]] == [
        ("send_to_all", 1, "malformed")
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["check", "nosuch.toml"], 2, "no such file"),
        (["check", EXAMPLE / "policy.toml", "--charter", "nosuch.toml"], 2, "no such file"),
        (["check", EXAMPLE / "policy.toml", "--jurisdiction", "atlantis"], 2, "one of: "),
        (
            ["check", EXAMPLE / "policy.toml", "--jurisdiction", str(EXAMPLE / "policy.toml")],
            2,
            "counsel_confirmed",
        ),
        (["new", "--from", "us-nh", "--out", "nosuch"], 3, "jurisdiction-forbids-camera"),
        (["new", "--from", "de", "--out", "nosuch"], 2, "too thin"),
        (["new", "--from", "us-ca", "--out", EXAMPLE], 2, "is there already"),
        (
            ["new", "--from", "us-ca", "--out", "nosuch", "--recipient", "Polizei"],
            2,
            "no camera would obey it",
        ),
        (
            ["new", "--from", "us-ca", "--out", "nosuch", "--city", "X\n[[release]]"],
            2,
            "no camera would obey it",
        ),
        (
            ["new", "--from", "us-wa", "--out", "nosuch", "--retention", "60"],
            3,
            "jurisdiction-retention",
        ),
        (
            ["new", "--from", "us-ca", "--out", "nosuch", "--retention", "0"],
            2,
            "no camera would obey it",
        ),
        (
            ["new", "--from", "us-ca", "--out", "nosuch", "--kind", "federal-agency"],
            3,
            "charter-forbids-kind",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    tmp_path, monkeypatch, platewarden, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    done = platewarden(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in jurisdiction_files.available()
        if jurisdiction_files.named(name).use == "check" and name != "us-nh"
    ],
)
def test_a_draft_from_every_usable_profile_passes_the_check(tmp_path, platewarden, name):
    done = platewarden("new", "--from", name, "--out", tmp_path / "city", "--yes")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "city").iterdir()} == {
        "charter.toml",
        "policy.toml",
        "roster.toml",
    }
    checked = platewarden("check", tmp_path / "city/policy.toml", "--jurisdiction", name, "--json")
    assert checked.returncode == 0, checked.stdout
    told = json.loads(checked.stdout)
    charter, policy = (
        (tmp_path / "city/charter.toml").read_text(),
        (tmp_path / "city/policy.toml").read_text(),
    )
    (rehearsal,) = (
        one for one in tomllib.loads(policy)["release"] if one["categories"] == ["test"]
    )
    assert (rehearsal["rule"], rehearsal["retention"]) == ("rehearsal", "2d")
    assert all(f"allowed_{what} = [" in charter for what in ("recipients", "kinds", "purposes"))
    assert policy.count("[[release]]") == 2, "the rule for the installer's printed plate"
    # Placeholders are pointed at.
    assert {"recipient.signing_key", "broker.spki_pins"} <= {
        note["field"] for note in told["notes"]
    }


def test_on_a_terminal_it_asks(tmp_path):
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "agent",
        "policy",
        "new",
        "--from",
        "us-ca",
        "--out",
        str(tmp_path / "city"),
        "--city",
        "Sampletown",
    ]
    child = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    os.close(theirs)
    os.write(ours, b"sampletown-pd\nSampletown Police\n" + b"\n" * 12)
    _, stderr = child.communicate(timeout=100)
    os.close(ours)
    assert child.returncode == 0, stderr
    assert b"legal name" in stderr
    assert b"The city's name" not in stderr  # a flag gave it
    text = (tmp_path / "city/policy.toml").read_text()
    assert 'name = "Sampletown ALPR policy"' in text
    assert 'legal_name = "Sampletown Police"' in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [b"[[recipient]]\nid='a'\n", b'"""\\', b'k = "x"\n', b"[[barred]]\nwhy = 1\n"],
)
def test_ten_megabytes_or_the_most_that_is_read_end_soon_and_in_little_memory(tmp_path, piece):
    """Attack: a file that is small to send and endless to parse.

    Time is of the processor: this machine may be busy.
    """
    for size in (10_000_000, MAX_TEXT_BYTES):
        (tmp_path / "policy.toml").write_bytes((piece * (size // len(piece) + 1))[:size])
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = in_a_process(
            "check",
            tmp_path / "policy.toml",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 2, done.stderr[-300:]
        assert "Traceback" not in done.stderr
        assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 15


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("US-TX", "No fault; not held against any law of US-TX (no statute found, looked on 2026"),
        ("US-CO", "No fault; not held against any law of US-CO (the statute does not name plate"),
        ("US-PR", "No fault; not held against any law: there is no profile for US-PR."),
    ],
)
def test_no_fault_is_never_said_bare_where_no_law_was_looked_at(
    tmp_path, platewarden, named, words
):
    platewarden("new", "--from", "us-ca", "--out", tmp_path / "city", "--yes")
    path = tmp_path / "city/policy.toml"
    path.write_text(path.read_text().replace('"US-CA"', f'"{named}"'))
    done = platewarden("check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(words)
    assert json.loads(platewarden("check", path, "--json").stdout)["held_against_law"] is False
