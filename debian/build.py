"""`make deb`: fetches the wheels that requirements.lock names, checks their hashes, and has
debhelper build the packages per suite and architecture.
"""

import argparse
import hashlib
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
STAGE = runpy.run_path(str(ROOT / "debian/stage.py"))
plain = STAGE["plain"]
SUITES = {"bookworm": (12, 11), "trixie": (13, 13)}  # Debian's number, its Python 3.x
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = (28, 27, 26, 24, 17)  # manylinux_2_x: the newest is Debian 10's, so both suites have it
SOURCE = (
    "agent",
    "models",
    "config",
    "docs",
    "systemd",
    "debian",
    "setup.py",
    "pyproject.toml",
    "README.md",
    "NOTICE",
    "LICENSE",
    "constraints.txt",
    "requirements.lock",
)


def locked(extras: set[str]) -> list[str]:
    """The lines of requirements.lock that one of these extras needs."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [
        line
        for line in lines
        if not line.startswith("#") and extras & set(line.partition(" # ")[2].split())
    ]


def platforms(machine: str) -> list[str]:
    """What pip is told for every wheel that both suites' C library can load."""
    return [
        part
        for glibc in (*(f"_2_{minor}" for minor in GLIBC), "2014")
        for part in ("--platform", f"manylinux{glibc}_{machine}")
    ]


def wanted() -> list[str]:
    """The lines of the lock whose wheels one of the packages may hold."""
    return locked({"desk", "camera", *STAGE["CITY_EXTRAS"]})


def fetch(machine: str, minor: int, into: Path) -> None:
    """Let pip fetch the wheels for another Python and machine; from where is its configuration's
    affair. A folder that was filled by the same lines is kept.
    """
    told, new = into / "requirements.txt", into / "new.txt"
    text = "".join(f"{line}\n" for line in wanted())
    if told.is_file() and told.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    new.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--only-binary=:all:", "--no-deps", "--require-hashes", "--dest", str(into)]
    command += ["--python-version", f"3.{minor}", "--implementation", "cp", *platforms(machine)]
    subprocess.run([*command, "--requirement", str(new)], check=True, timeout=1800)
    new.rename(told)  # last: a fetch that was cut short is begun again


def check(wheels: Path) -> None:
    """Every wheel is one that requirements.lock names, by version and SHA-256."""
    lines = {plain(line.partition("=")[0]): line for line in wanted()}
    found = set()
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        line = lines.get(plain(name), "")
        if f"=={version} " not in line:
            raise SystemExit(f"{wheel.name}: requirements.lock has no such version; pin it there")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if f"--hash=sha256:{digest} " not in line:
            raise SystemExit(
                f"{wheel.name}: its SHA-256 is {digest}, which requirements.lock has not; "
                f"if that is meant: make lock; otherwise delete {wheels}, to have all fetched anew"
            )
        found.add(plain(name))
    if missing := sorted(set(lines) - found):
        lacks = ", ".join(missing)
        raise SystemExit(f"{wheels}: no wheel of {lacks}; delete it, to have all fetched anew")


def from_debian(minor: int) -> dict[str, str]:
    """{distribution: Debian's package that a suite's packages take in its place}."""
    return STAGE["FROM_DEBIAN"].get(minor, {})


def copy_tree(work: Path) -> None:
    """What the package is made from, in a folder of its own."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "runs", "training")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, work / name)


def build(suite: str, architecture: str, wheels: Path, work: Path, out: Path) -> None:
    """dpkg-buildpackage in a copy of the tree; nothing is compiled, so any Debian builds for every
    architecture.
    """
    copy_tree(work)
    release, minor = SUITES[suite]
    log = work / "debian/changelog"
    text, suffix = log.read_text(encoding="utf-8"), rf"(\1+deb{release}) {suite}"
    log.write_text(re.sub(r"\(([^)]+)\) unstable", suffix, text, count=1), encoding="utf-8")
    given = {
        "WHEELS": str(wheels),
        "PYTHON_MINOR": str(minor),
        "BUILD_PYTHON": sys.executable,
        "FROM_DEBIAN": ", ".join(from_debian(minor).values()),
        "DEB_BUILD_OPTIONS": "nocheck",
    }
    given["COMPRESSION"] = os.environ.get("COMPRESSION", "3")
    command = [
        "dpkg-buildpackage",
        "--build=binary",
        "--unsigned-changes",
        "--no-check-builddeps",
        "--no-pre-clean",
        f"--host-arch={architecture}",
    ]
    with (work.parent / f"{work.name}.log").open("w") as told:
        done = subprocess.run(
            command,
            cwd=work,
            stdout=told,
            stderr=subprocess.STDOUT,
            env={**os.environ, **given},
            timeout=3600,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"dpkg-buildpackage failed for {suite} {architecture}: {told.name}")
    out.mkdir(parents=True, exist_ok=True)
    for package in work.parent.glob(f"platewarden*+deb{release}_{architecture}.deb"):
        shutil.move(package, out / package.name)
    shutil.rmtree(work)


def digests(folder: Path) -> dict[str, str]:
    """{package: SHA-256} of the packages in a folder."""
    return {
        package.name: hashlib.sha256(package.read_bytes()).hexdigest()
        for package in sorted(folder.glob("*.deb"))
    }


def build_again(suite: str, architecture: str, wheels: Path, work: Path, out: Path) -> None:
    """The same packages in another folder, as a user with other habits; they must be the same."""
    again = work / "again"
    os.umask(0o077)
    os.environ.update(TZ="Pacific/Auckland")
    build(suite, architecture, wheels, work / f"again-{suite}-{architecture}", again)
    first = {name: digest for name, digest in digests(out).items() if f"_{architecture}." in name}
    if first != digests(again):
        raise SystemExit(f"another build gave other bytes; type: diffoscope {out} {again}")
    shutil.rmtree(again)
    for name, digest in first.items():
        print(f"{digest}  {name}", flush=True)


def look_for_programs(architectures: list[str]) -> None:
    """Stop before anything is fetched where a program is missing; say which package has it."""
    packages = {"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "readelf": "binutils"}
    for machine in (MACHINES[architecture] for architecture in architectures):
        native = machine == platform.machine()
        packages[f"{machine}-linux-gnu-gcc"] = (
            "gcc" if native else f"gcc-{machine.replace('_', '-')}-linux-gnu"
        )
    missing = {name: package for name, package in packages.items() if not shutil.which(name)}
    if missing:
        raise SystemExit(
            f"missing: {' '.join(missing)}. "
            f"Type: sudo apt-get install --no-install-recommends {' '.join(missing.values())}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=SUITES, action="append")
    parser.add_argument("--architecture", choices=MACHINES, action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--work", type=Path, default=ROOT / "build/deb")
    parser.add_argument(
        "--twice", action="store_true", help="build again elsewhere, and compare the bytes"
    )
    given = parser.parse_args()
    look_for_programs(given.architecture or list(MACHINES))
    for suite in given.suite or SUITES:
        for architecture in given.architecture or MACHINES:
            wheels = given.work.resolve() / f"wheels-{suite}-{architecture}"
            fetch(MACHINES[architecture], SUITES[suite][1], wheels)
            check(wheels)
            work, out = given.work.resolve(), given.out / suite
            build(suite, architecture, wheels, work / f"{suite}-{architecture}", out)
            print(f"{suite} {architecture}: {out}", flush=True)
            if given.twice:
                build_again(suite, architecture, wheels, work, out)


if __name__ == "__main__":
    main()
