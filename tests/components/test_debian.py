"""debian/: who holds which module, which wheels may come in, and that versions agree. `make
test-deb` installs the packages for real.
"""

import hashlib
import re
import runpy
import zipfile
from pathlib import Path

import pytest

import agent
from agent.commands.lazy_group import CITY

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stage():
    return runpy.run_path(str(ROOT / "debian/stage.py"))


@pytest.fixture(scope="module")
def camera(stage):
    return stage["camera_modules"](stage["own_modules"](), CITY)


def test_the_camera_holds_no_bulk_reader_no_receiver_and_no_tool_of_the_city(camera):
    apart = (
        "agent.demo",
        "agent.receiver",
        "agent.bulk",
        "agent.peers",
        *(
            f"agent.commands.{name}"
            for name in ("audit", "bundle", "demo", "hotlist", "policy", "read", "receiver")
        ),
    )
    assert not [
        name
        for name in camera
        if any(name == part or name.startswith((f"{part}.", f"{part}_")) for part in apart)
    ]


def test_the_camera_holds_what_its_units_start(camera):
    started = {
        word
        for unit in (ROOT / "systemd").glob("*.service")
        for word in re.findall(
            r"^ExecStart=/usr/bin/platewarden (\w+)", unit.read_text(), re.MULTILINE
        )
    }
    assert {"watch", "deliver", "update", "walls", "aim"} <= started
    assert {f"agent.commands.{name}" for name in started} <= camera


def test_each_file_is_in_one_package_and_none_is_lost(stage, tmp_path):
    stage["lay_out_ours"](tmp_path / "camera", tmp_path / "city")
    held = [
        file.relative_to(tmp_path / side)
        for side in ("camera", "city")
        for file in (tmp_path / side).rglob("*")
        if file.is_file()
    ]
    assert len(held) == len(set(held))
    kinds = {".py", ".html", ".css", ".svg", ".json"}
    ours = {
        stage["PRIVATE"] / file.relative_to(ROOT)
        for file in (ROOT / "agent").rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts
    }
    assert ours <= set(held), ours - set(held)


def test_the_command_line_reads_the_same_list(stage):
    assert stage["city_commands"]() == CITY


def test_the_changelog_has_the_version():
    assert (ROOT / "debian/changelog").read_text().startswith(f"platewarden ({agent.__version__}) ")


def test_every_hashed_wheel_is_pinned_in_constraints():
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    names = [
        line.split("  ")[1] for line in (ROOT / "debian/wheels.sha256").read_text().splitlines()
    ]
    assert len(names) > 40
    for name in names:
        distribution, version = name.split("-")[:2]
        assert f"{build['plain'](distribution)}-{version}" in build["pinned"](), (
            f"{name}: python3 debian/build.py --renew"
        )


@pytest.mark.parametrize("name", ["numpy-9.9.9-py3-none-any.whl", "segno-1.6.6-py3-none-any.whl"])
def test_a_wheel_that_nobody_named_stops_the_build(tmp_path, name):
    """An unpinned version, and a pinned one with other bytes."""
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(
        SystemExit,
        match=r"constraints\.txt has no such version|" + hashlib.sha256(b"another").hexdigest(),
    ):
        runpy.run_path(str(ROOT / "debian/build.py"))["check"](tmp_path, renew=False)


def test_a_wheel_may_not_write_outside_its_folder(stage, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("../outside.py", "")
    with pytest.raises(SystemExit, match="not what a wheel should hold"):
        stage["unpack"](tmp_path / "evil-1-py3-none-any.whl", tmp_path / "into")


def test_the_example_settings_load():
    from agent import settings

    loaded = settings.load(ROOT / "debian/platewarden.toml")
    assert (str(loaded.state), str(loaded.bundles)) == (
        "/var/lib/platewarden",
        "/var/lib/platewarden/bundles-in",
    )


@pytest.mark.parametrize("script", ["platewarden.postinst", "platewarden-city.postinst"])
def test_installing_enables_and_starts_nothing(script):
    text = (ROOT / "debian" / script).read_text()
    assert not re.search(
        r"systemctl\s+(--\S+\s+)*(enable|start|restart|preset)\b|deb-systemd", text
    )
