"""Tells a bare tree where this machine fetches packages: mirror, indexes, proxies, certificates.

    sources.py TREE MIRROR SUITE   writes apt's, pip's and npm's settings into TREE, and prints
                                   the folders of this machine that they name, one a line

Read at run time and never kept: the project names no mirror and no index.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# How pip fetches, not what: constraints and formats are the project's own.
PIP_ADDRESSES = ("index-url", "extra-index-url", "find-links")
PIP_FILES = ("cert", "client-cert")
PIP_OTHERS = ("no-index", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
# Debian's own python3 may have no pip; the one that make made has.
PYTHONS = (sys.executable, str(Path(__file__).parents[2] / ".venv/bin/python"))
NPM_KEYS = ("registry", "cafile")
MACHINE = "etc/machine"  # copies of this machine's certificates
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def told(*command: str) -> str:
    """What a program says; nothing where it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def carried(tree: Path, file: str) -> str:
    """Copies a file into the tree and gives its path there."""
    (tree / MACHINE).mkdir(exist_ok=True)
    shutil.copy(file, tree / MACHINE / Path(file).name)
    return f"/{MACHINE}/{Path(file).name}"


def folder(word: str, key: str) -> str | None:
    """The folder that an address names, if it names one.

    A file:// index points to files beside it, so the folder above it must be seen as well.
    """
    path = Path(word.removeprefix("file://"))
    if not path.is_absolute() or not path.is_dir():
        return None
    return str(path if key == "find-links" or len(path.parents) == 1 else path.parent)


def pip_settings() -> Iterator[tuple[str, str, str]]:
    """(section, key, value); what the environment says comes last and wins."""
    listed = ""
    for python in PYTHONS:
        listed = listed or told(python, "-m", "pip", "config", "list")
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    for name, _, value in sorted(lines, key=lambda line: line[0].startswith(":env:")):
        section, _, key = name.partition(".")
        yield section.replace(":env:", "global"), key, ast.literal_eval(value)


def give_pip(tree: Path) -> list[str]:
    """Writes pip.conf; the folders that it names."""
    folders: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    for section, key, value in pip_settings():
        words = value.split()
        if key in PIP_FILES:
            words = [carried(tree, word) for word in words]
        elif key in PIP_ADDRESSES:
            folders += [found for word in words if (found := folder(word, key))]
        elif key not in PIP_OTHERS:
            continue
        sections.setdefault(section, {})[key] = " ".join(words)
    lines = []
    for section, pairs in sections.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in pairs.items())]
    (tree / "etc/pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folders


def give_npm(tree: Path) -> None:
    """Registry and certificates, where this machine has npm; otherwise npm's own defaults."""
    values = {key: told("npm", "config", "get", key).strip() for key in NPM_KEYS}
    if Path(values["cafile"]).is_file():
        values["cafile"] = carried(tree, values["cafile"])
    lines = [f"{key}={value}" for key, value in values.items() if value not in ("", "null")]
    (tree / "root/.npmrc").write_text("\n".join(lines) + "\n", encoding="utf-8")


def give_apt(tree: Path, mirror: str, suite: str) -> list[str]:
    """Mirror, proxies and certificates; the folder, if the mirror is one."""
    line = f"deb {mirror} {suite} main\n"
    (tree / "etc/apt/sources.list").write_text(line, encoding="utf-8")
    proxies = [line for line in told("apt-config", "dump").splitlines() if "::Proxy" in line]
    if AUTHORITIES.is_file():
        proxies.append(f'Acquire::https::CAInfo "{carried(tree, str(AUTHORITIES))}";')
    settings = tree / "etc/apt/apt.conf.d/90machine"
    settings.write_text("\n".join(proxies) + "\n", encoding="utf-8")
    return [found] if (found := folder(mirror, "find-links")) else []


def main() -> None:
    tree, mirror, suite = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    folders = [*give_apt(tree, mirror, suite), *give_pip(tree)]
    give_npm(tree)
    for name in dict.fromkeys(folders):
        print(name)


if __name__ == "__main__":
    main()
