"""A plain line of `status` and `watch` is taken without typer, and means what typer would make of
it.
"""

import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from agent import cli
from agent.commands import all_commands
from agent.commands.plain_line import PLAIN, plain_call
from tests.support.camera_rig import camera_rig
from tests.support.signed_camera import signed_camera

NOT_PLAIN = {"watch": {"settle_s"}}  # a number: typer's to judge


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "platewarden.toml"
    path.write_text("")
    return str(path)


def declared(name):
    """{what an option sets: (its words, whether a flag, its default)}, as typer is told."""
    command = typer.main.get_command(all_commands.app).get_command(None, name)
    return {
        one.name: ({*one.opts}, one.is_flag, one.default)
        for one in command.params
        if one.name != "help"
    }


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_plain_line_knows_what_typer_is_told(name):
    module, function, options = PLAIN[name]
    told = declared(name)
    taken = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    assert {one: told[one][2] for one in told} == {one.name: one.default for one in taken.values()}
    assert {one for one, _ in options.values()} == told.keys() - NOT_PLAIN.get(name, set())
    for what, (words, flag, default) in told.items():
        known = {word: kind for word, (sets, kind) in options.items() if sets == what}
        if what in NOT_PLAIN.get(name, set()):
            continue
        assert known.keys() == words
        assert set(known.values()) == {
            bool if flag else Path if what == "config" else type(default)
        }


@pytest.mark.parametrize("name", sorted(PLAIN))
@pytest.mark.parametrize(
    "words",
    [
        *([], ["--json"], ["--config", "C"], ["--config", "C", "--json"]),
        *(["--source", "somewhere", "-q", "--stills"], ["--allow-unsigned", "--quiet"]),
        ["--source", "a b", "--config", "C", "--json", "--quiet", "--stills", "--allow-unsigned"],
    ],
    ids=" ".join,
)
def test_both_hand_on_the_same_values(name, words, config, monkeypatch):
    module, function, options = PLAIN[name]
    if any(word.startswith("-") and word not in options for word in words):
        pytest.skip("no option of this command")
    words = [config if word == "C" else word for word in words]
    found = []
    command = importlib.import_module(f"agent.commands.{name}")

    def taken(*values, **named):
        bound = inspect.signature(original).bind(*values, **named)
        bound.apply_defaults()
        found.append(bound.arguments)

    original = getattr(importlib.import_module(module), function)
    monkeypatch.setattr(importlib.import_module(module), function, taken)
    monkeypatch.setattr(command, function, taken)
    plain_call([name, *words])()
    with pytest.raises(SystemExit) as end:
        all_commands.app(args=[name, *words])
    assert end.value.code in {0, None}
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "words",
    [
        *([], ["--help"], ["nosuch"], ["deliver"], ["--version", "status"]),
        *(["status", "--help"], ["status", "x"], ["status", "--json", "--json"]),
        *(["status", "--config"], ["status", "--config", "--json"], ["status", "--config", ""]),
        *(["status", "--config=C"], ["status", "--config", "/nonexistent"], ["status", "--js"]),
        *(["watch", "--settle", "1"], ["watch", "-qq"], ["watch", "-q", "--quiet"]),
        *(["watch", "--no-stills"], ["watch", "--source", "-"], ["watch", "--", "x"]),
    ],
    ids=" ".join,
)
def test_what_is_not_plain_goes_typers_way(words, config):
    assert plain_call([word.replace("C", config) for word in words]) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_goes_typers_way(config):
    Path(config).chmod(0)
    assert plain_call(["status", "--config", config]) is None


def test_another_package_says_whose_the_command_is(monkeypatch, capsys):
    for name, (module, *_) in PLAIN.items():
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, f"agent.commands.{name}", None)
        assert plain_call([name]) is None


def test_status_is_the_same_either_way(tmp_path):
    rig = camera_rig(tmp_path, frames=1)
    signed_camera(rig)
    assert rig.watch("--quiet").returncode == 0
    states = []
    for option in (
        ["--config", rig.installation.settings],
        [f"--config={rig.installation.settings}"],
    ):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "agent", "status", *option, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        states.append(json.loads(done.stdout))
        assert ("| typer" in done.stderr) == (len(option) == 1)
    for state in states:
        state.pop("at")
    assert states[0].keys() == states[1].keys()
    assert [states[0][one] for one in ("camera", "software", "log", "keys")] == [
        states[1][one] for one in ("camera", "software", "log", "keys")
    ]


def test_a_plain_lines_fault_is_told_as_any(capsys, config):
    with pytest.raises(SystemExit) as end:
        cli.main(["status", "--config", config])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"platewarden: {config}")


def test_a_plain_line_that_is_broken_off_ends_as_the_other(monkeypatch, config, capsys):
    def broken_off(*_given, **_named):
        raise KeyboardInterrupt

    for module in ("agent.commands.status", "agent.commands.status_output"):
        monkeypatch.setattr(importlib.import_module(module), "show", broken_off)
    for words in (["status", "--config", config], ["status", f"--config={config}"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 130
        assert capsys.readouterr().err.strip() == ""


FAILS = """
from agent import cli
from agent.errors import UsageError
def fail():
    print("half of an answer")
    raise UsageError("wrong")
cli.plain_call = lambda _words: fail
cli.main(["status"])
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-m", "agent", "--version"], 1),
        (["-m", "agent", "health", "--help"], 1),
        (["-m", "agent", "policy"], 1),
        (["-c", FAILS], 2),
    ],
    ids=["version", "help", "group", "error"],
)
@pytest.mark.parametrize("full", [True, False], ids=["full disk", "closed pipe"])
def test_an_answer_that_cannot_be_written_is_told_once(words, code, full):
    """A small one is held back until Python's end, which told it by a traceback and 120."""
    if full:
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        read, out = os.pipe()
        os.close(read)
    done = subprocess.run(
        [sys.executable, *words],
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    os.close(out)
    assert done.returncode == code
    said = done.stderr.splitlines()
    assert [line for line in said if not line.startswith("platewarden: ")] == []
    assert len(said) == (full or code == 2)
