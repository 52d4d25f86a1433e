"""debian/: who holds which module, which wheels may come in, and that versions agree.

`make test-deb` installs the packages for real.
"""

import hashlib
import re
import runpy
import sys
import zipfile
from pathlib import Path

import pytest

import agent
from agent.commands.lazy_group import CITY
from tests.support.desk_wheel import needed
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


NO_CAMERAS_UNITS = ("platewarden-receiver", "platewarden-fleet")


def test_the_camera_holds_what_its_units_start(camera):
    started = {
        word
        for unit in (ROOT / "systemd").glob("*.service")
        if not unit.name.startswith(NO_CAMERAS_UNITS)
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


def test_the_receivers_units_are_in_its_package_and_not_on_a_camera():
    rules = (ROOT / "debian/rules").read_text()
    assert "rm $(CAMERA)/usr/lib/systemd/system/platewarden-receiver*" in rules
    for name in (ROOT / "systemd").glob("platewarden-receiver*"):
        if name.is_file():
            pattern = f"systemd/platewarden-receiver*{name.suffix}"
            assert f"{pattern} " in rules, f"{name.name} is in no package"
    assert "platewarden-receiver.conf $(RECEIVER)/usr/lib/sysusers.d" in rules
    assert "platewarden-receiver.conf $(RECEIVER)/usr/lib/tmpfiles.d" in rules


@pytest.fixture(scope="module")
def held(stage):
    """{side: dotted names of its modules}."""
    return stage["modules"](stage["own_modules"]())


def test_a_recipients_and_a_citys_machine_look_at_no_picture(held):
    apart = ("agent.vision", "agent.camera", "agent.sealing.sealer", "agent.demo", "agent.bulk")
    apart += ("agent.peers", "agent.sides", "agent.commands.read", "agent.commands.watch")
    for side in ("receiver", "city"):
        assert not [name for name in held[side] if name.startswith(apart)]


def test_each_side_has_its_commands_and_no_others(stage, held):
    known = stage["own_modules"]()
    groups = {
        side: {
            words.split()[0]
            for name in stage["commands_of"](side, known, CITY)
            if (words := stage["typed"](name))
        }
        for side in stage["SIDES"]
    }
    assert groups["receiver"] == {"receiver"}
    assert {"audit", "broker", "bundle", "hotlist", "policy", "report"} <= groups["city"]
    assert "provision" in groups["city"] & groups["camera"]
    assert groups["city"].isdisjoint({"receiver", "read", "demo", "watch"})
    # one that ends in an underscore is a command too
    assert {"agent.commands.report_checker_", "agent.commands.audit.check_proof_"} <= held["city"]


@pytest.fixture(scope="module")
def laid_out(stage, tmp_path_factory):
    """{side: its files, as paths in /usr/lib/platewarden}."""
    folder = tmp_path_factory.mktemp("packages")
    sides = {side: folder / side for side in stage["SIDES"]}
    stage["lay_out_ours"](sides)
    return {
        side: [
            file.relative_to(root / stage["PRIVATE"]) for file in root.rglob("*") if file.is_file()
        ]
        for side, root in sides.items()
    }


def test_the_citys_package_repeats_nothing_of_the_receivers_below_it(laid_out):
    assert not set(laid_out["city"]) & set(laid_out["receiver"])


def test_no_file_is_lost_but_what_reads_folders_of_pictures(stage, laid_out):
    held = {path for paths in laid_out.values() for path in paths}
    kinds = {".py", ".html", ".css", ".svg", ".json", ".js", ".ttf"}
    ours = {
        file.relative_to(ROOT)
        for file in (ROOT / "agent").rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts
    }
    ours |= {Path("agent") / document for document in stage["documents"]()}
    lost = {str(path) for path in ours - held}
    readers = ("agent/demo/", "agent/bulk/", "agent/peers/", "agent/commands/demo.py")
    readers += ("agent/commands/read", "agent/vision/annotate.py")
    assert {"agent/commands/read.py", "agent/commands/demo.py"} <= lost
    assert not [path for path in lost if not path.startswith(readers)]


@pytest.mark.parametrize(
    ("guide", "side"),
    [
        ("installer", "camera"),
        ("mounting", "camera"),
        ("clerk", "city"),
        ("auditor", "city"),
        ("recipient", "receiver"),
        ("broker", "receiver"),
    ],
)
def test_a_guide_is_in_the_package_of_its_reader(laid_out, guide, side):
    assert Path(f"agent/docs/guide/{guide}.md") in laid_out[side]


def test_what_a_message_names_is_in_its_own_package(laid_out):
    """The camera's and the receiver's package stand alone; the city's stands on the receiver's."""
    below = {"camera": [], "receiver": [], "city": laid_out["receiver"]}
    for file, documents in named().items():
        for side, files in laid_out.items():
            if Path(file) in files:
                held = files + below[side]
                for document in documents:
                    wanted = Path("agent") / document
                    there = any(wanted in (path, *path.parents) for path in held)
                    assert there, f"{side}: {file}: {document}"


def test_the_command_line_reads_the_same_list(stage):
    assert stage["city_commands"]() == CITY


def test_the_changelog_has_the_version():
    assert (ROOT / "debian/changelog").read_text().startswith(f"platewarden ({agent.__version__}) ")


@pytest.mark.parametrize("name", ["numpy-9.9.9-py3-none-any.whl", "segno-1.6.6-py3-none-any.whl"])
def test_a_wheel_that_nobody_named_stops_the_build(tmp_path, name):
    """An unpinned version, and a pinned one with other bytes."""
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(
        SystemExit,
        match=r"requirements\.lock has no such version|" + hashlib.sha256(b"another").hexdigest(),
    ):
        runpy.run_path(str(ROOT / "debian/build.py"))["check"](tmp_path)


def test_a_wheel_that_did_not_come_stops_the_build(tmp_path):
    with pytest.raises(SystemExit, match="no wheel of .*cryptography"):
        runpy.run_path(str(ROOT / "debian/build.py"))["check"](tmp_path)


def test_a_wheel_may_not_write_outside_its_folder(stage, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("../outside.py", "")
    with pytest.raises(SystemExit, match="not what a wheel should hold"):
        stage["unpack"](tmp_path / "evil-1-py3-none-any.whl", tmp_path / "into")


def a_wheel(folder, name, requires=(), members=()):
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        told = "".join(f"Requires-Dist: {line}\n" for line in requires)
        wheel.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\n{told}")
        for member in members:
            wheel.writestr(member, "x")


@pytest.fixture
def wheels(tmp_path):
    """As pip fetches them: too many for any one side."""
    a_wheel(tmp_path, "opencv_python_headless", ["numpy>=2"], ["cv2/__init__.py"])
    a_wheel(tmp_path, "onnxruntime", ["numpy", "protobuf", "flatbuffers", "packaging"])
    a_wheel(tmp_path, "paho_mqtt")
    a_wheel(tmp_path, "typer", ["rich", 'colorama; sys_platform == "win32"', 'x; extra == "y"'])
    for name in ("numpy", "protobuf", "flatbuffers", "packaging", "rich", "av", "pi_heif", "x"):
        a_wheel(tmp_path, name)
    for name in ("psycopg", "psycopg_binary", "starlette", "python_pkcs11", "iotcore", "colorama"):
        a_wheel(tmp_path, name)
    return {file.name.split("-")[0].replace("_", "-"): file for file in tmp_path.glob("*.whl")}


def test_each_side_gets_the_libraries_that_it_loads(stage, wheels):
    """numpy is Debian's where that is new enough; a camera decodes no video by itself."""
    of = {
        (side, minor): stage["wheels_of"](side, wheels, minor)
        for side in stage["SIDES"]
        for minor in (11, 13)
    }
    desks = {"paho-mqtt", "typer", "rich"}
    assert of["camera", 13] == {*desks, "opencv-python-headless", "onnxruntime"}
    assert of["camera", 11] == {*of["camera", 13], "numpy"}
    assert of["receiver", 13] == {*desks, "psycopg", "psycopg-binary", "starlette"}
    assert of["receiver", 11] == of["receiver", 13]
    # one who orders holds loads the receiver's store, which lies below
    assert of["city", 13] == {*desks, "psycopg", "python-pkcs11"}
    assert of["city", 11] == {*of["city", 13], "numpy"}


def test_the_city_stands_on_the_receivers_libraries(stage, wheels, tmp_path):
    sides = {side: tmp_path / side for side in stage["SIDES"]}
    stage["lay_out_wheels"](next(iter(wheels.values())).parent, sides, 13)
    names = {
        side: {file.name.split("-")[0] for file in (root / stage["PRIVATE"]).glob("*.dist-info")}
        for side, root in sides.items()
    }
    assert names["city"] == {"python_pkcs11"}
    assert (sides["camera"] / stage["PRIVATE"] / "cv2/__init__.py").is_file()


def test_debians_numpy_is_as_new_as_setup_asks(stage):
    """Debian 12's is 1.24; so is the rule of docs/design/libraries.md."""
    given = stage["setup_arguments"]()
    assert "numpy>=2.0" in given["install_requires"]
    assert stage["FROM_DEBIAN"] == {13: {"numpy": "python3-numpy (>= 1:2.0)"}}
    control = (ROOT / "debian/control").read_text().split("\n\n")
    for package in control[1:]:
        asks = "${platewarden:Debian}" in package
        assert asks == (not package.startswith("Package: platewarden-receiver"))


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("numpy/_core/tests/test_umath.py", False),
        ("numpy/_core/include/numpy/arrayobject.h", False),
        ("numpy/f2py/crackfortran.py", False),
        ("numpy/_core/_simd.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/_core/_umath_tests.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so", True),
        ("numpy/linalg/linalg.pyi", False),
        ("numpy/__pycache__/x.pyc", False),
        ("numpy/testing/__init__.py", True),
        ("numpy-1.dist-info/licenses/LICENSE.txt", True),
    ],
)
def test_tests_headers_and_types_of_a_wheel_stay_out(stage, tmp_path, name, stays):
    a_wheel(tmp_path, "numpy", members=[name])
    stage["unpack"](tmp_path / "numpy-1-py3-none-any.whl", tmp_path / "into")
    assert (tmp_path / "into" / name).exists() == stays


def test_a_second_copy_of_onnxruntime_stays_out(stage, tmp_path):
    names = ["libonnxruntime.so.1.30.0", "onnxruntime_pybind11_state.so", "_pybind_state.py"]
    a_wheel(tmp_path, "onnxruntime", members=[f"onnxruntime/capi/{name}" for name in names])
    stage["unpack"](tmp_path / "onnxruntime-1-py3-none-any.whl", tmp_path / "into")
    found = {file.name for file in (tmp_path / "into/onnxruntime/capi").iterdir()}
    assert found == set(names[1:])


def test_no_import_for_types_alone_brings_a_module(stage, tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "if TYPE_CHECKING:\n    import numpy\nelse:\n    import paho\n"
        "def f():\n    from cv2.typing import MatLike\n"
    )
    assert stage["foreign"]([file]) == {"paho-mqtt", "opencv-python-headless"}
    assert "numpy" not in sys.stdlib_module_names  # it would be left out for another reason


def test_the_example_settings_load():
    from agent import settings

    loaded = settings.load(ROOT / "debian/platewarden.toml")
    assert (str(loaded.state), str(loaded.bundles)) == (
        "/var/lib/platewarden",
        "/var/lib/platewarden/bundles-in",
    )


@pytest.mark.parametrize(
    "script", ["platewarden.postinst", "platewarden-receiver.postinst", "platewarden-city.postinst"]
)
def test_installing_enables_and_starts_nothing(script):
    text = (ROOT / "debian" / script).read_text()
    assert not re.search(
        r"systemctl\s+(--\S+\s+)*(enable|start|restart|preset)\b|deb-systemd", text
    )


def test_whatever_the_packages_need_is_hashed(stage):
    """uvicorn's own requirement was not, and `make deb` stopped at it."""
    given = stage["setup_arguments"]()
    asked = [
        *given["install_requires"],
        *(
            line
            for extra in ("camera", "inbox", "receiver-postgresql")
            for line in given["extras_require"][extra]
        ),
    ]
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    hashed = {stage["plain"](line) for line in build["wanted"]()}
    wanted = {stage["plain"](name) for name in needed(asked)}
    assert "click" in wanted
    assert wanted - hashed == set(), "make lock"


def test_the_licence_of_each_library_is_told(stage):
    """debian/copyright names every wheel that is in a package, and each licence that it names."""
    given = stage["setup_arguments"]()
    extras = ("camera", "inbox", "receiver-postgresql")
    asked = [line for extra in extras for line in given["extras_require"][extra]]
    held = {stage["plain"](name) for name in needed([*given["install_requires"], *asked])}
    held = held - stage["NOT_CARRIED"] - stage["NOT_NEEDED"]["onnxruntime"]
    paragraphs = (ROOT / "debian/copyright").read_text().split("\n\n")
    told = {
        stage["plain"](found[1])
        for one in paragraphs
        if (found := re.search(r"^Comment: wheel ([\w-]+)", one, re.MULTILINE))
    }
    assert told == held | {"python-pkcs11", "asn1crypto"}
    texts = {one.split("\n")[0] for one in paragraphs if one.startswith("License: ")}
    for one in paragraphs[1:]:
        (named,) = re.findall(r"^License: (.+)", one, re.MULTILINE)
        for name in re.split(" or | and ", named):
            assert f"License: {name}" in texts, one
