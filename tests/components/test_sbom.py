"""Each package's list of parts: to CycloneDX's own schema, and nothing in it that is not there."""

import hashlib
import json
import runpy
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
METADATA = "Name: {}\nVersion: 2.5\nLicense-Expression: {}\n"


def a_wheel(folder, name, licence, members):
    file = folder / f"{name}-2.5-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{name}-2.5.dist-info/METADATA", METADATA.format(name, licence))
        for member in members:
            wheel.writestr(member, member)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The text of the list, and the SHA-256 of each wheel. Called again, it is written again."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795384800")
    wheels, root = tmp_path / "wheels", tmp_path / "platewarden"
    wheels.mkdir()
    libraries = ["libavutil-befbbc48.so.60.26.101", "libpng16-529cb57a.so.16.58.0"]
    digests = {
        "opencv-python-headless": a_wheel(
            wheels,
            "opencv_python_headless",
            "Apache-2.0",
            [f"opencv_python_headless.libs/{name}" for name in libraries],
        ),
        "segno": a_wheel(wheels, "segno", "BSD-3-Clause AND MIT", ["segno/__init__.py"]),
    }
    a_wheel(wheels, "not_carried", "MIT", [])
    stage, sbom = (runpy.run_path(str(ROOT / "debian" / name)) for name in ("stage.py", "sbom.py"))
    for name in ("opencv_python_headless", "segno"):
        stage["unpack"](next(wheels.glob(f"{name}-*")), root / stage["PRIVATE"])
    network = root / stage["PRIVATE"] / "models/detector.onnx"
    network.parent.mkdir()
    network.write_bytes(b"a network")

    def write():
        return sbom["write"](root, "platewarden", "0.1.0+deb13", "arm64", wheels).read_text()

    return write, digests


def test_it_is_as_cyclonedx_asks(written):
    text = written[0]()
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"libary"', 1)) is not None


def test_it_names_each_part_with_version_licence_and_digest(written):
    write, digests = written
    told = json.loads(write())
    assert told["metadata"]["component"]["purl"] == ("pkg:deb/platewarden@0.1.0%2Bdeb13?arch=arm64")
    parts = {part["name"]: part for part in told["components"]}
    assert set(parts) == {*digests, "detector"}
    for name, digest in digests.items():
        assert parts[name]["purl"] == f"pkg:pypi/{name}@2.5"
        assert parts[name]["hashes"] == [{"alg": "SHA-256", "content": digest}]
        assert parts[name]["licenses"]
    assert parts["detector"]["type"] == "machine-learning-model"


def test_it_names_the_libraries_of_a_wheel_and_what_stands_in_for_one(written):
    told = json.loads(written[0]())
    (opencv,) = (one for one in told["components"] if one["name"].startswith("opencv"))
    of = {one["name"]: (one["version"], "description" in one) for one in opencv["components"]}
    assert of == {"libavutil": ("60.26.101", True), "libpng16": ("16.58.0", False)}


def test_it_is_the_same_twice(written):
    write, _digests = written
    assert write() == write()


def test_each_package_has_one():
    rules = (ROOT / "debian/rules").read_text()
    assert "debian/stage.py" in rules
    assert "--architecture $(DEB_HOST_ARCH)" in rules
    assert "--exclude=.cdx.json" in rules, "dh_compress would pack it"
    assert "list_parts(sides, " in (ROOT / "debian/stage.py").read_text()
