"""The city's unsigned folder: each file read when asked for, bounded, and named with the next step
where it is missing or odd.
"""

import os
import shutil

import pytest

from agent.bundles.city_folder import CityFolder
from agent.disk.input_file import read_input
from agent.errors import ConfigError
from tests.support.judging import EXAMPLE


@pytest.fixture
def city(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "city")
    for name in ("ca/city-hall-ca.pem", "keys/exampleville-pd.jws", "root.json", "roster.jws"):
        path = tmp_path / "city" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return CityFolder(tmp_path / "city")


def test_every_file_is_found(city):
    policy, cameras = city.obeyed()
    assert "main-street-2" in cameras.cameras
    assert city.ca(policy.brokers[0]) == b"ca/city-hall-ca.pem"
    assert city.key_list("exampleville-pd") == b"keys/exampleville-pd.jws"
    assert (city.root(), city.roster()) == (b"root.json", b"roster.jws")


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("policy.toml", lambda city: city.policy()),
        ("charter.toml", lambda city: city.charter()),
        ("roster.toml", lambda city: city.obeyed()),
        ("keys/exampleville-pd.jws", lambda city: city.key_list("exampleville-pd")),
        ("ca/city-hall-ca.pem", lambda city: city.ca(city.policy().brokers[0])),
        ("root.json", lambda city: city.root()),
        ("roster.jws", lambda city: city.roster()),
    ],
)
def test_a_missing_oversize_or_odd_file_is_named_with_the_next_step(city, monkeypatch, name, ask):
    path = city.folder / name
    most = {"roster.toml": 8 << 20, "roster.jws": 16 << 20}.get(name, 1 << 20)
    path.write_bytes(b"#" * (most + 1))
    with pytest.raises(ConfigError, match=rf"{name}: more than ({most}|262144) bytes \("):
        ask(city)
    path.unlink()
    with pytest.raises(ConfigError, match=rf"{name}: no such file \(.+\)"):
        ask(city)
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=f"{name}: not a regular file"):
        ask(city)


def test_a_fault_is_told_with_the_path_of_the_file(city):
    (city.folder / "policy.toml").write_text("version = 1")
    with pytest.raises(ConfigError, match=rf"{city.folder}/policy\.toml:1: name: missing"):
        city.policy()


def test_a_folder_or_an_unreadable_file_is_no_input(tmp_path):
    with pytest.raises(ConfigError, match="not a regular file"):
        read_input(tmp_path, 10, missing="")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match="cannot open"):
        read_input(tmp_path / "loop", 10, missing="")
