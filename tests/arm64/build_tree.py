"""Builds the tree that run.sh enters: Debian trixie for arm64, unpacked only, the packages' own
wheels, what the tests need, and the emulator.

    build_tree.py TREE        needs root and mmdebstrap; about 2 minutes

It leaves nothing half-built in TREE.
The emulator is trixie's qemu-user: bookworm's 7.2 crashes in onnxruntime. The mirror and the index
are those that this machine already uses.
"""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE, MACHINE = "trixie", "aarch64"
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "onnx", "pymerkle", "pillow", "setuptools")
SOURCES = (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*")))


def mirror() -> str:
    """The first Debian archive, not the security one, in this machine's sources."""
    text = "".join(file.read_text(encoding="utf-8") for file in SOURCES if file.is_file())
    found = re.search(
        r"^(?:URIs:|deb )[^#\n]*?((?:https?|file)://\S*/debian/?)(?=\s|$)", text, re.MULTILINE
    )
    if not found:
        sys.exit("no Debian mirror in this machine's apt sources: is this a Debian?")
    return found[1]


def unpack(tree: Path, architecture: str, packages: str) -> None:
    """Packages and what they depend on, no maintainer script run: nothing needs to be emulated for
    it.
    """
    shutil.rmtree(tree, ignore_errors=True)
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--arch={architecture}",
        '--aptopt=APT::Install-Recommends "false"',
        f"--include={packages}",
    ]
    subprocess.run([*command, SUITE, str(tree), mirror()], check=True, timeout=900)


def add_python(tree: Path, build: dict) -> None:
    """The wheels of the arm64 packages, checked as for the packages, and the test tools beside
    them.
    """
    wheels = tree / "wheels"
    minor = build["SUITES"][SUITE][1]
    build["fetch"](MACHINE, minor, wheels)
    build["check"](wheels)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-compile",
        "--only-binary=:all:",
    ]
    pip += [
        "--python-version",
        f"3.{minor}",
        "--implementation",
        "cp",
        *build["platforms"](MACHINE),
        "--constraint",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run(
        [
            *pip,
            "--no-deps",
            "--target",
            str(tree / "opt/libraries"),
            *map(str, wheels.glob("*.whl")),
        ],
        check=True,
        timeout=900,
    )
    subprocess.run([*pip, "--target", str(tree / "opt/tools"), *TOOLS], check=True, timeout=900)
    shutil.rmtree(wheels)


def main() -> None:
    tree = Path(sys.argv[1])
    new, emulator = tree.with_name(tree.name + ".new"), tree.with_name("qemu.new")
    unpack(new, "arm64", "python3,python3-numpy,libstdc++6,libgcc-s1,zlib1g,dash,coreutils")
    for name in ("bin", "lib"):
        if not (new / name).exists():
            (new / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys", "dev", "tmp"):
        (new / name).mkdir(exist_ok=True)
    (new / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (new / "etc/group").write_text("root:x:0:\n", encoding="utf-8")
    unpack(emulator, "amd64", "qemu-user")
    shutil.copy(emulator / "usr/bin/qemu-aarch64", new / "qemu-aarch64")
    shutil.rmtree(emulator)
    add_python(new, runpy.run_path(str(ROOT / "debian/build.py")))
    shutil.rmtree(tree, ignore_errors=True)
    new.rename(tree)


if __name__ == "__main__":
    main()
