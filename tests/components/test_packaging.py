"""setup.py, constraints, Makefile and CI agree with each other, and a wheel holds the product and
nothing else.
"""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement

import agent
from tests.support.desk_wheel import built
from tests.support.messages import named

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(monkeypatch):
    """The arguments of setup()."""
    given = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_one_command_one_version(package):
    assert package["name"] == "platewarden"
    assert package["version"] == agent.__version__
    assert package["entry_points"] == {"console_scripts": ["platewarden = agent.cli:main"]}
    assert package["python_requires"] == ">=3.11"


def test_the_product_is_packaged_and_nothing_else(package):
    assert {"agent", "agent.core", "agent.commands", "models"} <= set(package["packages"])
    assert not [
        name
        for name in package["packages"]
        if name.split(".")[0] not in {"agent", "models"} or name.startswith("models.")
    ]


def test_each_requirement_has_a_minimum_and_a_tested_version(package):
    pinned = {normal(name): version for name, version in constraints().items()}
    extras = package["extras_require"]
    wanted = [
        *package["install_requires"],
        *(
            line
            for name in (
                "bench",
                "camera",
                "demo",
                "dev",
                "fuzz",
                "inbox",
                "peers",
                "receiver-postgresql",
                "rig",
            )
            for line in extras[name]
        ),
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier, f"{requirement.name} has no minimum"
        assert requirement.specifier.contains(pinned[normal(requirement.name)]), (
            f"{requirement}: constraints.txt has {pinned[normal(requirement.name)]}"
        )


def test_what_the_product_imports_is_declared(package):
    """Every foreign module under agent/ belongs to a declared requirement, or to apt's
    picamera2.
    """
    distributions = {
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "paho": "paho-mqtt",
        "pydantic_core": "pydantic",
        "yaml": "pyyaml",
    }
    extras = package["extras_require"]
    declared = {
        normal(Requirement(line).name)
        for line in (
            *package["install_requires"],
            *(
                line
                for name in ("demo", "inbox", "peers", "receiver-postgresql")
                for line in extras[name]
            ),
        )
    }
    imported = set()
    for file in (ROOT / "agent").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    foreign = (
        imported - set(sys.stdlib_module_names) - {"agent", "models", "libcamera", "picamera2"}
    )
    assert {normal(distributions.get(name, name)) for name in foreign} <= declared


def test_every_lint_exception_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    ruff = tomllib.loads(text)["tool"]["ruff"]["lint"]
    assert ruff["select"] == ["ALL"]
    block = text[text.index("\nignore = [") :]
    for line in block[: block.index("\n]")].splitlines()[2:]:
        assert re.search(r'^    "[A-Z]+[0-9]+", +# \S', line), f"no reason: {line}"


def test_the_layers_are_exhaustive_and_no_module_is_optional():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    assert len(contracts) == 13
    layered = [contract for contract in contracts if contract["type"] == "layers"]
    assert [contract["containers"] for contract in layered] == [
        ["agent"],
        ["agent.core"],
        ["agent.sides"],
    ]
    for contract in layered:
        assert contract["exhaustive"] is True
        assert "(" not in " ".join(contract["layers"])
    ignored = [line for contract in contracts for line in contract.get("ignore_imports", [])]
    assert set(ignored) == {
        "agent.host.notify -> socket",
        "agent.receiver.opener -> agent.core.reading.plate_text",
        "agent.receiver.logs.own_log -> agent.storage.audit_log",
        "agent.receiver.logs.own_log -> agent.storage.log_key",
    }


def test_ci_runs_make_test():
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "set -euo pipefail" in (ROOT / ".ci/run").read_text()


def test_make_lists_its_targets():
    listed = subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    for target in (
        "demo",
        "test",
        "check",
        "unit",
        "faults",
        "fuzz",
        "bench",
        "models",
        "hw",
        "test-picamera",
    ):
        assert f"make {target} " in listed


def documents(package):
    """What setup() installs for readers: {name of a document or its folder}, as messages say it."""
    found = set()
    for name in ("agent.docs", "agent.config"):
        folder = ROOT / package["package_dir"][name]
        for pattern in package["package_data"][name]:
            files = [file.relative_to(ROOT) for file in folder.glob(pattern)]
            assert files, f"setup.py: {name} has no {pattern}"
            found |= {str(path) for file in files for path in (file, file.parent)}
    return found


def test_every_document_that_a_message_names_is_installed(package):
    missing = {file: names - documents(package) for file, names in named().items()}
    assert sum(map(len, named().values())) > 20
    assert not any(missing.values()), {file: names for file, names in missing.items() if names}


def test_every_picture_of_an_installed_page_is_installed(package):
    installed = documents(package)
    for page in (name for name in installed if name.endswith(".md")):
        for target in re.findall(r"!\[[^\]]*\]\(([^)#\s]+)\)", (ROOT / page).read_text()):
            picture = (ROOT / page).parent.joinpath(target).resolve().relative_to(ROOT)
            assert str(picture) in installed, f"{page} shows {picture}"


@pytest.mark.slow
def test_a_wheel_holds_the_product(tmp_path, package):
    wheel = built(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "agent/cli.py",
        "agent/jurisdictions/us-ca.toml",
        "models/manifest.json",
        "models/detector.onnx",
        "models/recognizer.onnx",
        "models/reviewer.onnx",
        "models/wholeness.onnx",
        "models/issuer.onnx",
        "models/stacked.onnx",
        "agent/vision/issuer/legends.toml",
    } <= set(names)
    wanted = {f"agent/{name}" for name in documents(package) if (ROOT / name).is_file()}
    assert wanted <= set(names), wanted - set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name
        for name in names
        if name.startswith(
            ("tests/", "models/training/", "config/", "docs/", "bench/", "hw_tests/")
        )
    ]
