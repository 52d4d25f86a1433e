"""debian/: who holds which module, which wheels may come in, and that versions agree.

`make test-deb` installs the packages for real.
"""

import hashlib
import re
import runpy
import zipfile
from pathlib import Path

import pytest

import agent
from agent.commands.lazy_group import CITY
from tests.support.messages import named

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


CITYS_UNITS = ("platewarden-receiver", "platewarden-fleet")


def test_the_camera_holds_what_its_units_start(camera):
    started = {
        word
        for unit in (ROOT / "systemd").glob("*.service")
        if not unit.name.startswith(CITYS_UNITS)  # in the city's package
        for word in re.findall(
            r"^ExecStart=/usr/bin/platewarden (\w+)", unit.read_text(), re.MULTILINE
        )
    }
    assert {"watch", "deliver", "update", "walls", "aim"} <= started
    assert {f"agent.commands.{name}" for name in started} <= camera


def test_the_fleets_unit_is_in_the_citys_package_and_not_on_a_camera():
    rules = (ROOT / "debian/rules").read_text()
    assert "$(CAMERA)/usr/lib/systemd/system/platewarden-fleet*" in rules
    assert "systemd/platewarden-fleet.service $(CITY)/usr/lib/systemd/system" in rules
    assert [
        name.name for name in (ROOT / "systemd").glob("platewarden-fleet*") if name.is_file()
    ] == ["platewarden-fleet.service"]
    for kind in ("sysusers", "tmpfiles"):
        assert f"platewarden-fleet.conf $(CITY)/usr/lib/{kind}.d" in rules


def test_the_receivers_units_are_in_the_citys_package_and_not_on_a_camera():
    rules = (ROOT / "debian/rules").read_text()
    assert "rm $(CAMERA)/usr/lib/systemd/system/platewarden-receiver*" in rules
    for name in (ROOT / "systemd").glob("platewarden-receiver*"):
        if name.is_file():
            pattern = f"systemd/platewarden-receiver*{name.suffix}"
            assert f"{pattern} " in rules, f"{name.name} is in no package"
    assert "platewarden-receiver.conf $(CITY)/usr/lib/sysusers.d" in rules
    assert "platewarden-receiver.conf $(CITY)/usr/lib/tmpfiles.d" in rules


@pytest.fixture(scope="module")
def laid_out(stage, tmp_path_factory):
    """{side: its files, as paths in /usr/lib/platewarden}."""
    folder = tmp_path_factory.mktemp("packages")
    stage["lay_out_ours"](folder / "camera", folder / "city")
    return {
        side: [
            file.relative_to(folder / side / stage["PRIVATE"])
            for file in (folder / side).rglob("*")
            if file.is_file()
        ]
        for side in ("camera", "city")
    }


def test_each_file_is_in_one_package_and_none_is_lost(stage, laid_out):
    held = laid_out["camera"] + laid_out["city"]
    assert len(held) == len(set(held))
    kinds = {".py", ".html", ".css", ".svg", ".json"}
    ours = {
        file.relative_to(ROOT)
        for file in (ROOT / "agent").rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts
    }
    ours |= {Path("agent") / document for document in stage["documents"]()}
    assert ours <= set(held), ours - set(held)


@pytest.mark.parametrize(
    ("guide", "side"),
    [
        ("installer", "camera"),
        ("mounting", "camera"),
        ("clerk", "city"),
        ("auditor", "city"),
        ("recipient", "city"),
    ],
)
def test_a_guide_is_in_the_package_of_its_reader(laid_out, guide, side):
    assert Path(f"agent/docs/guide/{guide}.md") in laid_out[side]


def test_what_a_message_names_is_in_its_own_package(laid_out):
    """The camera's package stands alone; the city's stands on it."""
    for file, documents in named().items():
        alone = Path(file) in laid_out["camera"]
        held = laid_out["camera"] if alone else laid_out["camera"] + laid_out["city"]
        for document in documents:
            wanted = Path("agent") / document
            assert any(wanted in (path, *path.parents) for path in held), f"{file}: {document}"


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
