"""platewarden.toml: closed, all faults at once, never a value in an error."""

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
    with pytest.raises(ValueError, match="frozen"):
        loaded.camera_id = "other"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "camera_id: Field required"),
        ('camera_id = "a b"\n', "camera_id: "),
        ('camera_id = ""\n', "camera_id: "),
        ('camera_id = "c1/#"\n', "camera_id: "),  # an MQTT wildcard or level
        (f'camera_id = "{"c" * 33}"\n', "camera_id: "),
        ("camera_id = 7\n", "camera_id: "),
        ('camera_id = "c1"\nextra = 1\n', "extra: "),
        ('camera_id = "c1"\nroot = "/tmp"\n', "root: unknown key"),
        ('camera_id = "c1"\n[camera]\nwidht = 1\n', "camera.widht: "),
        ('camera_id = "c1"\n[camera]\nwidth = 1\n', "camera.width: "),
        ('camera_id = "c1"\n[models]\nthreads = 0\n', "models.threads: "),
        ('camera_id = "c1"\n[limits]\nmax_outbox_reads = -1\n', "limits.max_outbox_reads: "),
        ('camera_id = "c1"\n[camera]\ntimeout_s = inf\n', "camera.timeout_s: "),
        ('camera_id = "c1"\n[camera]\ntimeout_s = nan\n', "camera.timeout_s: "),
        ('camera_id = "c1"\npaths = "here"\n', "paths: "),
        ("camera_id = \n", "line 1"),
        (b"camera_id = \xff\n", "unreadable settings"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        settings.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_faults_at_once_and_no_values(tmp_path):
    with pytest.raises(ConfigError) as caught:
        settings.load(
            write(
                tmp_path,
                'camera_id = "s e c r e t"\nwhat = "h i d d e n"\n[camera]\nwidth = 987654\n',
            )
        )
    message = str(caught.value)
    assert all(field in message for field in ("camera_id", "what", "camera.width"))
    assert not any(value in message for value in ("s e c r e t", "h i d d e n", "987654"))


def test_no_file_and_no_file_but_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="no settings file"):
        settings.load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="unreadable"):
        settings.load(tmp_path)
