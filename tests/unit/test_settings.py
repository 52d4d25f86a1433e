"""platewarden.toml: closed; all faults at once, each with its line, none with a secret."""

from pathlib import Path

import pytest

from agent import settings
from agent.errors import ConfigError

ROOT = Path(__file__).parents[2]


def write(tmp_path, text):
    path = tmp_path / "platewarden.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_least_that_is_needed(tmp_path):
    loaded = settings.load(write(tmp_path, 'camera_id = "main-street-2"\n'))
    assert loaded.camera_id == "main-street-2"
    assert loaded.outbox == tmp_path / "state/outbox"
    assert loaded.receipts == tmp_path / "state/receipts"
    assert loaded.city == tmp_path / "city"
    assert loaded.device == tmp_path / "device"


def test_an_absolute_folder_stays_where_it_is(tmp_path):
    loaded = settings.load(
        write(tmp_path, 'camera_id = "c1"\n[paths]\nstate = "/var/lib/platewarden"\n')
    )
    assert loaded.outbox == Path("/var/lib/platewarden/outbox")


def test_the_shipped_example_loads():
    settings.load(ROOT / "config/platewarden.example.toml")


def test_settings_cannot_be_changed_afterwards(tmp_path):
    loaded = settings.load(write(tmp_path, 'camera_id = "c1"\n'))
    with pytest.raises(AttributeError, match="frozen"):
        loaded.camera_id = "other"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "camera_id: missing (add it)"),
        ('camera_id = "a b"\n', "camera_id: "),
        ('camera_id = ""\n', "camera_id: "),
        ('camera_id = "c1/#"\n', "camera_id: "),  # an MQTT wildcard or level
        (f'camera_id = "{"c" * 33}"\n', "camera_id: "),
        ("camera_id = 7\n", "camera_id: "),
        ('camera_id = "c1"\nextra = 1\n', "extra: "),
        ('camera_id = "c1"\nroot = "/tmp"\n', "2: root: unknown key"),
        (
            'camera_id = "c1"\n[camera]\nwidht = 1\n',
            "camera.widht: unknown key (did you",
        ),
        (
            'camera_id = "c1"\n[camera]\nwidth = 1\n',
            "3: camera.width: 1 is out of range",
        ),
        ('camera_id = "c1"\n[models]\nthreads = 0\n', "models.threads: "),
        ('camera_id = "c1"\n[limits]\nmax_outbox_reads = -1\n', "limits.max_outbox_reads: "),
        ('camera_id = "c1"\n[camera]\ntimeout_s = inf\n', "camera.timeout_s: "),
        ('camera_id = "c1"\n[camera]\ntimeout_s = nan\n', "camera.timeout_s: "),
        ('camera_id = "c1"\npaths = "here"\n', "paths: "),
        ("camera_id = \n", "1:13: not TOML here"),
        (b"camera_id = \xff\n", "1:13: not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        settings.load(path)
    assert str(caught.value).startswith(f"{path}:")
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_faults_at_once_and_no_value_that_could_be_a_secret(tmp_path):
    with pytest.raises(ConfigError) as caught:
        settings.load(
            write(
                tmp_path,
                'camera_id = "cam 1"\nwhat = "s e c r e t"\n[camera]\nwidth = "h i d d e n"\n',
            )
        )
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{tmp_path / 'platewarden.toml'}:{number}", field]
        for number, field in ((1, "camera_id"), (2, "what"), (4, "camera.width"))
    ]
    assert "'cam 1' is no camera id" in lines[0]
    assert not any(value in str(caught.value) for value in ("s e c r e t", "h i d d e n"))


def test_no_file_and_no_file_but_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="no settings file"):
        settings.load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="unreadable"):
        settings.load(tmp_path)
