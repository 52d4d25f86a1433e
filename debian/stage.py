"""Lays out what the two Debian packages hold: unpacks the wheels and divides our own modules
between camera and city by what imports what, and the documents by who names them.
"""

import argparse
import ast
import re
import runpy
import shutil
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import setuptools

ROOT = Path(__file__).resolve().parent.parent
PRIVATE = Path("usr/lib/platewarden")
CITY_EXTRAS = ("demo", "hsm", "inbox", "peers", "receiver-postgresql")
# The camera's documents besides those that its modules name.
INSTALLERS = frozenset(
    {
        "docs/glossary.md",
        "docs/promises.md",
        "docs/guide/installer.md",
        "docs/guide/mounting.md",
        "docs/img/aim.png",
        "docs/img/mounting.svg",
        "docs/ref/commands.md",
        "docs/ref/delivery.md",
    }
)


def setup_arguments() -> dict:
    """The arguments of setup()."""
    given: dict = {}
    setuptools.setup = given.update
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def plain(requirement: str) -> str:
    """A distribution's name, as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def own_modules() -> dict[str, Path]:
    """{dotted name: file} of everything under agent/."""
    found = {}
    for file in (ROOT / "agent").rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[str]:
    """Our modules that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SystemExit(f"{name}: a relative import; write it in full")
            yield from (
                wanted
                for wanted in [
                    node.module,
                    *(f"{node.module}.{alias.name}" for alias in node.names),
                ]
                if wanted in known
            )


def camera_modules(known: dict[str, Path], city: frozenset[str]) -> set[str]:
    """What the camera's commands reach.

    The demo and the reading of folders are reached by none of them (docs/design/layers.md).
    """
    typed = {
        name: found[1].replace(".", " ")
        for name in known
        if (found := re.fullmatch(r"agent\.commands\.([a-z]+(?:\.[a-z]+)?)", name))
    }
    # a group that is the city's is so with all that is in it
    commands = [name for name, words in typed.items() if city.isdisjoint({words, words.split()[0]})]
    waiting, reached = ["agent.cli", "agent.__main__", *commands], set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
            waiting += [*parents, *imports(name, known[name], known)]
    return reached


def beside(file: Path) -> Iterator[Path]:
    """A module's own data: what stands in its folder and is named in its text (page.html,
    formats.json).
    """
    text = file.read_text(encoding="utf-8")
    yield from (
        data
        for data in file.parent.iterdir()
        if data.is_file() and data.suffix not in {".py", ".pyc"} and f'"{data.name}"' in text
    )


def documents() -> list[Path]:
    """What setup.py installs for readers, as paths in the repository.

    Installed, they stand under agent/.
    """
    given = setup_arguments()
    return [
        file.relative_to(ROOT)
        for package in ("agent.docs", "agent.config")
        for pattern in given["package_data"][package]
        for file in sorted((ROOT / given["package_dir"][package]).glob(pattern))
    ]


def lay_out_documents(camera: Path, city: Path, reached: set[str]) -> None:
    """The camera's package holds what its own modules name, in messages or docstrings, and what an
    installer reads; the city's the rest.
    """
    known = own_modules()
    pattern = runpy.run_path(str(ROOT / "agent/doc_paths.py"))["NAMED"]
    files = [part for name in reached for part in (known[name], *beside(known[name]))]
    named = INSTALLERS.union(*(pattern.findall(file.read_text("utf-8")) for file in files))
    for document in documents():
        its_own = not named.isdisjoint({str(document), str(document.parent)})
        copy(ROOT / document, (camera if its_own else city) / PRIVATE / "agent" / document)


def copy(file: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, into)


def lay_out_ours(camera: Path, city: Path) -> None:
    """agent/, the models, the jurisdictions, the issuers and the documents."""
    known = own_modules()
    reached = camera_modules(known, city_commands())
    for name, file in known.items():
        for part in [file, *beside(file)]:
            copy(part, (camera if name in reached else city) / PRIVATE / part.relative_to(ROOT))
    for file in [
        ROOT / "models/manifest.json",
        *(ROOT / "models").glob("*.onnx"),
        *(ROOT / "models").glob("*.py"),
    ]:
        copy(file, camera / PRIVATE / "models" / file.name)
    for name, side in (("jurisdictions", city), ("issuers", camera)):  # a rig's camera doubts rows
        for file in (ROOT / "config" / name).glob("*.toml"):
            copy(file, side / PRIVATE / "agent" / name / file.name)
    lay_out_documents(camera, city, reached)


def city_commands() -> frozenset[str]:
    """The set CITY of agent/commands/lazy_group.py, read without importing typer."""
    text = (ROOT / "agent/commands/lazy_group.py").read_text(encoding="utf-8")
    found = re.search(r"^CITY = frozenset\(\s*(\{[^}]+\})\s*\)", text, re.MULTILINE)
    return frozenset(ast.literal_eval(found[1]))


def requirements(wheel: Path) -> list[str]:
    """Distributions that a wheel needs, extras and other systems' left out."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = message_from_string(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    return [
        plain(line)
        for line in told
        if "extra ==" not in line
        and not re.search(r"(sys_platform|platform_system) == ['\"](win32|Windows|darwin)", line)
    ]


def lay_out_wheels(folder: Path, camera: Path, city: Path) -> None:
    """The camera's wheels with all that they need, and the city's remainder."""
    wheels = {plain(wheel.name.split("-", 1)[0]): wheel for wheel in folder.glob("*.whl")}
    given = setup_arguments()
    asked = (*given["install_requires"], *given["extras_require"]["camera"])
    waiting, wanted = [plain(line) for line in asked], set()
    while waiting:
        name = waiting.pop()
        if name in wheels and name not in wanted:
            wanted.add(name)
            waiting += requirements(wheels[name])
    for name, wheel in sorted(wheels.items()):
        unpack(wheel, (camera if name in wanted else city) / PRIVATE)


def unpack(wheel: Path, into: Path) -> None:
    """A wheel is a zip: modules at its root, scripts and headers under *.data/ that nobody here
    needs.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            outside = name.startswith("/") or ".." in Path(name).parts
            if outside or re.match(r"[^/]+\.data/(?!scripts/|headers/|data/)", name):
                raise SystemExit(f"{wheel.name}: {name} is not what a wheel should hold")
            if not name.endswith("/") and ".data/" not in name.split("/", 2)[0] + "/":
                target = into / name
                if target.exists():
                    raise SystemExit(f"{wheel.name}: {name} is there already, from another wheel")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--camera", type=Path, required=True)
    parser.add_argument("--city", type=Path, required=True)
    given = parser.parse_args()
    lay_out_ours(given.camera, given.city)
    lay_out_wheels(given.wheels, given.camera, given.city)


if __name__ == "__main__":
    sys.exit(main())
