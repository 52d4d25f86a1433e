"""The command line: commands imported only when picked, errors as one line and an exit code."""

import subprocess
import sys

import pytest
import typer

from agent import cli
from agent.commands import all_commands
from agent.errors import ConfigError, ManyFaultsError, RefusedError, StorageError

HEAVY = ("cv2", "onnxruntime", "paho", "cryptography", "av", "joserfc", "iotcore")


@pytest.fixture
def failing(monkeypatch):
    """Make every command raise the given error."""

    def install(error):
        def app(**_):
            raise error

        monkeypatch.setattr(all_commands, "app", app)

    return install


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageError("disk full", where="outbox"), 1),
        (ConfigError("unknown key", where="policy.toml"), 2),
        (RefusedError("policy-unsigned", "no signature"), 3),
    ],
)
def test_errors_become_one_line_and_a_code(failing, capsys, error, code):
    failing(error)
    with pytest.raises(SystemExit) as stop:
        cli.main(["boom"])
    assert stop.value.code == code
    shown = capsys.readouterr()
    assert shown.err == f"platewarden: {error}\n"
    assert shown.out == ""


def test_several_faults_are_a_line_each_and_nobody_adds_one(failing, capsys):
    failing(
        ManyFaultsError(["policy.toml:3: unknown key", "policy.toml:9: a name\nplatewarden: x"])
    )
    with pytest.raises(SystemExit) as stop:
        cli.main(["boom"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "platewarden: policy.toml:3: unknown key",
        "platewarden: policy.toml:9: a name\\u000aplatewarden: x",
    ]


def test_two_faults_of_the_settings_are_two_lines(tmp_path, capsys):
    config = tmp_path / "platewarden.toml"
    config.write_text('camera_id = "main-street-2"\nnosuch = 1\nnorthis = 2\n')
    with pytest.raises(SystemExit) as stop:
        cli.main(["status", "--config", str(config)])
    told = capsys.readouterr().err.splitlines()
    assert (stop.value.code, len(told)) == (2, 2)
    assert all(line.startswith(f"platewarden: {config}:") for line in told)


def test_a_traceback_only_when_asked(failing, monkeypatch):
    monkeypatch.setenv("PLATEWARDEN_DEBUG", "1")
    failing(StorageError("disk full"))
    with pytest.raises(StorageError):
        cli.main(["boom"])


def test_a_fault_is_told_without_its_text_also_where_no_file_can_be_opened_any_more():
    """A module that is loaded only to tell it fails there, and Python tells both, with the plate
    (P9).
    """
    code = (
        "import resource\n"
        "from agent import cli\n"
        "def fails(_words):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    raise RuntimeError('TST0042')\n"
        "cli._run = fails\n"
        "cli.main(['status'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    told = "platewarden: stopped by a fault of its own: RuntimeError in <string>:5 (report this"
    assert (done.returncode, done.stderr[: len(told)]) == (1, told)
    assert "TST0042" not in done.stderr


def test_nothing_heavy_is_loaded_to_pick_a_command():
    code = f"import sys, agent.cli; sys.exit(' '.join(n for n in {HEAVY} if n in sys.modules) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_watch_over_a_pi_camera_loads_no_video_library():
    code = "import sys, agent.sides.watch; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_version_and_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("platewarden ")
    with pytest.raises(SystemExit) as stop:
        cli.main(["nosuch"])
    assert stop.value.code == 2


def test_as_a_module_it_is_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "agent", "nosuch"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


COMMANDS = typer.main.get_command(all_commands.app).list_commands(None)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name):
    """Importing the one file and reading its help needs no camera, model, file or network."""
    command = typer.main.get_command(all_commands.app).get_command(None, name)
    assert command.help, f"`platewarden {name}` has no help"


def test_a_command_whose_name_python_keeps_for_itself_is_typed_without_underscore():
    """`import.py` could not be imported by name, so the file is `import_.py`."""
    hotlist = typer.main.get_command(all_commands.app).get_command(None, "hotlist")
    assert hotlist.list_commands(None) == [
        "add",
        "approve",
        "audit",
        "import",
        "publish",
        "remove",
        "show",
    ]
    assert hotlist.get_command(None, "import").name == "import"
    assert hotlist.get_command(None, "import_") is None


# --- the camera's package leaves commands and libraries out ---


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("read", "no Debian package holds it; type: pip install 'platewarden[demo]'"),
        ("receiver", "Debian package platewarden-receiver;"),
        ("policy", "Debian package platewarden-city;"),
        ("watch", "Debian package platewarden, which is for cameras"),
    ],
)
def test_a_command_of_another_package_is_named_as_such(monkeypatch, capsys, command, where):
    monkeypatch.setattr("agent.commands.lazy_group.iter_modules", lambda _path: [])
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "folder"])
    shown = capsys.readouterr()
    assert stop.value.code == 2
    assert f"`platewarden {command}` is not in this package" in shown.err
    assert where in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_word_that_is_no_command_is_not_promised_in_the_other_package(monkeypatch, capsys):
    monkeypatch.setattr("agent.commands.lazy_group.iter_modules", lambda _path: [])
    with pytest.raises(SystemExit) as stop:
        cli.main(["raed"])
    assert stop.value.code == 2
    assert "platewarden-city" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("agent.receiver.store.received_reads", "platewarden-city"),
        ("iotcore", "'iotcore', which is not installed"),
        *((name, "pip install 'platewarden[camera]'") for name in ("av", "cv2.typing", "cv2")),
        ("av.container", "apt install python3-av (14 or newer)"),
        ("onnxruntime.capi", "this command needs the camera's libraries"),
    ],
)
def test_a_missing_module_is_one_line_and_code_2(failing, capsys, module, told):
    failing(ModuleNotFoundError(f"No module named {module!r}", name=module))
    with pytest.raises(SystemExit) as stop:
        cli.main(["boom"])
    shown = capsys.readouterr()
    assert stop.value.code == 2
    assert told in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


def test_the_commands_of_the_city_exist():
    from agent.commands.lazy_group import CITY

    whole = typer.main.get_command(all_commands.app)
    commands = set(whole.list_commands(None))
    inner = {
        f"{name} {one}"
        for name in {words.split()[0] for words in CITY if " " in words}
        for one in whole.get_command(None, name).list_commands(None)
    }
    assert commands | inner >= CITY
    assert inner & CITY, "some group has commands for both sides"


def test_each_command_has_a_package():
    from agent.commands.lazy_group import CAMERA, CITY

    listed = set(typer.main.get_command(all_commands.app).list_commands(None))
    assert not CITY & CAMERA
    # a desk makes a batch's folders; of `software` each side has its part
    assert listed - {"provision", "software"} == {name for name in CITY | CAMERA if " " not in name}
