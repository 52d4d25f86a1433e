"""config/rpi-image-gen: the layer's metadata by the rules of the tool's documentation, and its
hooks run against trees.

The tool itself is not run here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "config/rpi-image-gen"
LAYER = FOLDER / "layer/platewarden-camera.yaml"
HOOK = FOLDER / "layer/platewarden-camera.d/hooks/customize90-platewarden-closed"

# As documented: layer attributes, variable attributes, set policies, phases.
LAYER_FIELDS = {
    "Name",
    "Version",
    "Category",
    "Desc",
    "Requires",
    "RequiresProvider",
    "Provides",
    "AfterProvider",
    "Conflicts",
    "Type",
    "Generator",
    "Sets",
}
VARIABLE_FIELDS = {"Desc", "Required", "Valid", "Set", "Anchor", "Conflicts", "Triggers"}
POLICIES = {"y", "n", "immediate", "lazy", "force", "skip"}
PHASES = (
    "prebuild",
    "setup",
    "extract",
    "essential",
    "customize",
    "cleanup",
    "postbuild",
    "sbom",
    "preimage",
    "postimage",
    "finalize",
    "deploy",
)
YAML_KEYS = {
    "packages",
    "setup-hooks",
    "essential-hooks",
    "customize-hooks",
    "cleanup-hooks",
    "aptopts",
    "mirrors",
    "architectures",
    "mode",
    "variant",
    "suite",
}


def metadata(text: str) -> dict[str, str]:
    """The fields between METABEGIN and METAEND, as DEB822: a continuation starts with one more
    space.

    Raises ValueError.
    """
    fields, name = {}, ""
    told = re.search(r"^# METABEGIN\n(.*?)^# METAEND$", text, re.DOTALL | re.MULTILINE)
    for line in told[1].splitlines():
        if line.rstrip() == "#":
            continue
        if line.startswith("#  ") and name:
            fields[name] += " " + line[3:]
        elif found := re.fullmatch(r"# (X-Env-[A-Za-z0-9_-]+):(?: (.*))?", line):
            name = found[1]
            if name in fields:
                raise ValueError(f"{name} stands there twice")
            fields[name] = found[2] or ""
        else:
            raise ValueError(f"neither a field nor a continuation: {line}")
    return fields


def complaints(fields: dict[str, str]) -> list[str]:
    """What the tool's own lint would say of it, as its documentation describes that lint."""
    wrong = [
        f"{name} is missing"
        for name in ("X-Env-Layer-Name", "X-Env-Layer-Version")
        if not fields.get(name)
    ]
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", fields.get("X-Env-Layer-Version", "")):
        wrong.append("the version is not major.minor.patch")
    variables = {
        name.removeprefix("X-Env-Var-")
        for name in fields
        if re.fullmatch(r"X-Env-Var-[a-z0-9_]+", name)
    }
    if variables and not fields.get("X-Env-VarPrefix"):
        wrong.append("variables without X-Env-VarPrefix")
    for name, value in fields.items():
        if found := re.fullmatch(r"X-Env-Layer-(\w+)", name):
            wrong += [] if found[1] in LAYER_FIELDS else [f"{name} is no field"]
        elif found := re.fullmatch(r"X-Env-Var-([a-z0-9_]+)-(\w+)", name):
            wrong += [] if found[1] in variables else [f"{name} without its variable"]
            wrong += [] if found[2] in VARIABLE_FIELDS else [f"{name} is no field"]
            wrong += [f"{name} is no policy"] if found[2] == "Set" and value not in POLICIES else []
            wrong += (
                breaks_its_rule(fields.get(f"X-Env-Var-{found[1]}", ""), value)
                if found[2] == "Valid"
                else []
            )
        elif name != "X-Env-VarPrefix" and name.removeprefix("X-Env-Var-") not in variables:
            wrong.append(f"{name} is no field")
    return wrong


def breaks_its_rule(default: str, rule: str) -> list[str]:
    """Of the rules that the layer uses."""
    if rule.startswith("regex:"):
        return (
            []
            if re.fullmatch(rule.removeprefix("regex:"), default)
            else [f"{default!r} breaks {rule}"]
        )
    if rule in {"string", "string-or-empty"}:
        return [] if default or rule == "string-or-empty" else ["an empty default for string"]
    return [f"{rule} is no rule that this test knows"]


def test_the_layer_s_metadata_are_what_the_documentation_asks_for():
    assert complaints(metadata(LAYER.read_text())) == []


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("# X-Env-VarPrefix: platewarden\n", ""),
        ("-Version: 1.0.0", "-Version: 1.0"),
        ("# X-Env-Var-deb: platewarden.deb\n", ""),
        ("X-Env-Layer-Desc", "X-Env-Layer-Words"),
        ("sha256: 0000", "sha256: zzzz"),
        ("deb-Set: y", "deb-Set: perhaps"),
    ],
)
def test_this_lint_sees_faults(there, instead):
    text = LAYER.read_text()
    assert there in text
    assert complaints(metadata(text.replace(there, instead)))


def test_the_body_is_what_bdebstrap_takes_and_the_build_s_configuration_names_the_layer():
    body = yaml.safe_load(LAYER.read_text())
    assert set(body) == {"mmdebstrap"}
    assert set(body["mmdebstrap"]) <= YAML_KEYS
    assert all(isinstance(hook, str) for hook in body["mmdebstrap"]["customize-hooks"])
    fields = metadata(LAYER.read_text())
    config = yaml.safe_load((FOLDER / "config/platewarden-camera.yaml").read_text())
    assert fields["X-Env-Layer-Name"] in config["layer"].values()
    assert {f"X-Env-Var-{key}" for key in config[fields["X-Env-VarPrefix"]]} <= set(fields)
    unit = re.search(r"enable-units \"\$1\" (\S+)", LAYER.read_text())[1]
    assert (FOLDER.parents[1] / f"debian/{unit}.service").exists()


def test_hook_files_are_named_for_a_phase_and_can_be_executed():
    for file in (LAYER.parent / "platewarden-camera.d/hooks").iterdir():
        assert file.name.startswith(PHASES)
        assert os.access(file, os.X_OK)


@pytest.fixture
def installing(tmp_path):
    """The inline hook that installs, with a `chroot` that only writes down what it was asked."""
    hook = yaml.safe_load(LAYER.read_text())["mmdebstrap"]["customize-hooks"][0]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chroot").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    (tmp_path / "bin/chroot").chmod(0o755)
    (tmp_path / "tree/tmp").mkdir(parents=True)
    (tmp_path / "platewarden.deb").write_bytes(b"a package")

    def run(digest: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "IGconf_platewarden_deb": str(tmp_path / "platewarden.deb"),
            "IGconf_platewarden_sha256": digest,
        }
        return subprocess.run(
            ["sh", "-c", hook, "hook", str(tmp_path / "tree")],
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def test_only_the_package_with_the_named_digest_is_installed(installing, tmp_path):
    import hashlib

    refused = installing("0" * 64)
    assert refused.returncode
    assert "is not the package" in refused.stderr
    assert not (tmp_path / "asked").exists()
    assert installing(hashlib.sha256(b"a package").hexdigest()).returncode == 0
    assert "apt-get install" in (tmp_path / "asked").read_text()
    assert not list((tmp_path / "tree/tmp").iterdir())


@pytest.fixture
def tree(tmp_path):
    """What a good build leaves."""
    root = tmp_path / "built"
    for folder in (
        "usr/libexec/platewarden",
        "etc/systemd/system/multi-user.target.wants",
        "etc/platewarden/device",
        "var/lib/dpkg",
        "usr/lib/platewarden/agent/commands",
    ):
        (root / folder).mkdir(parents=True)
    shutil.copy(
        FOLDER.parents[1] / "debian/first_boot.py", root / "usr/libexec/platewarden/first-boot"
    )
    (root / "etc/systemd/system/multi-user.target.wants/platewarden-first-boot.service").symlink_to(
        "/usr/lib/systemd/system/platewarden-first-boot.service"
    )
    (root / "var/lib/dpkg/status").write_text("Package: platewarden\n")
    return root


def closed(tree):
    return subprocess.run([HOOK, tree], capture_output=True, text=True, timeout=30, check=False)


def test_a_closed_image_passes(tree):
    assert closed(tree).returncode == 0, closed(tree).stderr


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda tree: (tree / "etc/platewarden/device/seal.key").touch(),
            "settings or keys are in the image",
        ),
        (
            lambda tree: (
                tree / "etc/systemd/system/multi-user.target.wants/platewarden-watch.service"
            ).symlink_to("x"),
            "must not open its sensor",
        ),
        (
            lambda tree: (
                tree / "etc/systemd/system/multi-user.target.wants/platewarden-first-boot.service"
            ).unlink(),
            "first boot is not enabled",
        ),
        (
            lambda tree: (tree / "usr/lib/platewarden/agent/commands/read.py").touch(),
            "no bulk reader",
        ),
        (lambda tree: (tree / "usr/libexec/platewarden/first-boot").unlink(), "was not installed"),
        (
            lambda tree: (tree / "var/lib/dpkg/status").write_text("Package: rpi-swap\n"),
            "no swap on a camera",
        ),
    ],
)
def test_an_image_that_is_not_closed_is_refused(tree, spoil, told):
    spoil(tree)
    assert closed(tree).returncode == 1
    assert told in closed(tree).stderr
