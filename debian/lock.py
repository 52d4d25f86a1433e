"""`make lock`: writes requirements.lock from constraints.txt and setup.py, with the SHA-256 of each
file that the index has of a version. `make` and the Debian packages install from it.

Each line ends with the extras of setup.py that need it, so that `grep` picks one's lines.
"""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
STAGE = runpy.run_path(str(ROOT / "debian/stage.py"))
# torch and what only trainings need: of another index, hundreds of megabytes a file
UNLOCKED = frozenset({"train"})
HEADER = """\
# Made by `make lock` from constraints.txt and setup.py; do not write here by hand.
# A line: a distribution, its version, where it is wanted, the SHA-256 of its files,
# and after # the extras of setup.py that need it (desk: all do).
"""


def compile_(lines: list[str], *options: str) -> dict[str, str]:
    """{plain name: the rest of its line} of what uv finds for these requirements, on any system
    with Python 3.11 or newer.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version=3.11"]
    command += ["--no-annotate", "--no-header", "--only-binary=:all:", *options, "-"]
    done = subprocess.run(
        command, input="\n".join(lines), check=True, capture_output=True, text=True, timeout=600
    )
    joined = done.stdout.replace("\\\n", " ").splitlines()
    pairs = (re.match(r"([\w.-]+)(.*)", line) for line in joined if line[:1].isalnum())
    return {
        STAGE["plain"](found[1]): f"{found[1]}{found[2]}"
        for found in pairs
        if found and "; sys_platform == 'win32'" not in found[2]  # nothing of ours runs there
    }


def locked() -> list[str]:
    """The lines of the lock, sorted as constraints.txt is."""
    given = STAGE["setup_arguments"]()
    pinned = f"--constraint={ROOT / 'constraints.txt'}"
    base = [*given["install_requires"], "setuptools>=77"]  # what builds us, as in pyproject.toml
    wanted = {"desk": compile_(base, pinned)}
    for extra, lines in given["extras_require"].items():
        if extra not in UNLOCKED:
            wanted[extra] = compile_([*base, *lines], pinned)
    versions = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    hashed = compile_(versions, "--no-deps", "--generate-hashes")
    lines = []
    for name in sorted(set().union(*wanted.values())):
        # wanted everywhere by one extra, and only somewhere by another: without the condition
        told = min((found[name] for found in wanted.values() if name in found), key=len)
        if name not in hashed:
            raise SystemExit(f"{told}: constraints.txt does not pin it")
        digests = sorted(set(re.findall(r"--hash=sha256:[0-9a-f]{64}", hashed[name])))
        extras = sorted(extra for extra, found in wanted.items() if name in found)
        lines.append(" ".join([told.strip(), *digests, "#", *extras]))
    return lines


def main() -> None:
    lines = locked()
    LOCK.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{LOCK.name}: {len(lines)} distributions")


if __name__ == "__main__":
    main()
