"""Lays out what the Debian packages hold: divides our own modules between camera, receiver and city
by what imports what, the documents by who names them, and of the wheels what each side loads.
"""

import argparse
import ast
import re
import runpy
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator
from email import message_from_string
from pathlib import Path

import setuptools

ROOT = Path(__file__).resolve().parent.parent
PRIVATE = Path("usr/lib/platewarden")
SIDES = ("camera", "receiver", "city")
CITY_EXTRAS = ("demo", "hsm", "inbox", "peers", "receiver-postgresql")
# In no package: they look at pictures with a camera's libraries, and a camera may not hold them.
READERS = frozenset({"demo", "read"})
# A desk makes the folders of a batch of cameras; a camera makes its own.
ALSO_CITY = frozenset({"provision"})
# Imported by another name than the distribution's.
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "paho": "paho-mqtt"}
# What our modules do not import themselves, and a side loads.
ALSO_LOADED = {"receiver": ("psycopg-binary",), "city": ("python-pkcs11",)}
# Imported inside functions, for what not every machine does. A camera decodes no video unless its
# source is one or a USB camera: then PyAV is Debian's. No camera is given an iPhone's pictures.
NOT_CARRIED = frozenset({"av", "libcamera", "pi-heif", "picamera2"})
# Named by a wheel, for parts of it that STRIPPED leaves out.
NOT_NEEDED = {"onnxruntime": frozenset({"flatbuffers", "packaging", "protobuf"})}
# Debian's own, where it is as new as setup.py asks: by Python's minor version, then distribution.
FROM_DEBIAN = {13: {"numpy": "python3-numpy (>= 1:2.0)"}}
# Never loaded: tests, headers, what is for compilers and type checkers.
USELESS = re.compile(
    r"(^|/)(tests|test_data|__pycache__)/|\.(h|hpp|c|a|pxd|pyx|pyi|pyc)$|(^|/)py\.typed$"
)
# By wheel: parts for those who train and convert networks, and a second copy of onnxruntime for C.
STRIPPED = {
    "numpy": re.compile(
        r"numpy/(distutils|f2py|_pyinstaller|_core/(include|lib))/"
        r"|numpy/_core/_(\w+_tests|simd)\."
    ),
    "onnxruntime": re.compile(
        r"onnxruntime/(backend|datasets|quantization|tools|transformers)/"
        r"|onnxruntime/capi/(libonnxruntime\.so|training/)"
    ),
}
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
# The receiver's, likewise.
RECIPIENTS = frozenset(
    {
        "docs/glossary.md",
        "docs/promises.md",
        "docs/guide/broker.md",
        "docs/guide/recipient.md",
        "docs/img/inbox.png",
        "docs/ref/commands.md",
        "docs/ref/sealed-read.md",
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


def imported(file: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file that are carried out at run time, inside functions too."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        waiting += node.orelse if for_types else ast.iter_child_nodes(node)


def imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[str]:
    """Our modules that a file imports."""
    for node in imported(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif node.level:
            raise SystemExit(f"{name}: a relative import; write it in full")
        else:
            wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (module for module in wanted if module in known)


def foreign(files: Iterable[Path]) -> set[str]:
    """Distributions whose modules these files import."""
    tops = {
        top.partition(".")[0]
        for file in files
        for node in imported(file)
        for top in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    return {plain(DISTRIBUTIONS.get(top, top)) for top in tops - sys.stdlib_module_names}


def typed(name: str) -> str | None:
    """The words that a command's module is typed as, None for a module that is no command."""
    words = name.removeprefix("agent.commands.").split(".")
    inside = [word for word in words if "_" in word and not word.endswith("_")]
    if inside or not name.startswith("agent.commands."):
        return None
    return " ".join(word.removesuffix("_").replace("_", "-") for word in words)


def reached_from(commands: Iterable[str], known: dict[str, Path]) -> set[str]:
    """The modules that these commands need, those of the command line among them."""
    waiting, reached = ["agent.cli", "agent.__main__", *commands], set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
            waiting += [*parents, *imports(name, known[name], known)]
    return reached


def commands_of(side: str, known: dict[str, Path], city: frozenset[str]) -> Iterator[str]:
    """The modules of one side's commands. A group that is a side's is so with all that is in it."""
    for name in known:
        words = typed(name)
        if words is None:
            continue
        top = words.split()[0]
        if top in READERS:
            continue
        citys = not city.isdisjoint({words, top})
        if {
            "camera": not citys,
            "receiver": top == "receiver",
            "city": (citys and top != "receiver") or top in ALSO_CITY,
        }[side]:
            yield name


def camera_modules(known: dict[str, Path], city: frozenset[str]) -> set[str]:
    """What the camera's commands reach.

    The demo and the reading of folders are reached by none of them (docs/design/layers.md).
    """
    return reached_from(commands_of("camera", known, city), known)


def modules(known: dict[str, Path]) -> dict[str, set[str]]:
    """{side: its modules}. The city's package stands on the receiver's, and repeats none of it."""
    city = city_commands()
    reached = {side: reached_from(commands_of(side, known, city), known) for side in SIDES}
    reached["city"] -= reached["receiver"]
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


def documents_of(files: Iterable[Path], readers: frozenset[str]) -> set[Path]:
    """The documents that these files name, in messages or docstrings, and that a side's people
    read.
    """
    pattern = runpy.run_path(str(ROOT / "agent/doc_paths.py"))["NAMED"]
    named = readers.union(
        *(pattern.findall(file.read_text("utf-8", errors="ignore")) for file in files)
    )
    return {
        document
        for document in documents()
        if not named.isdisjoint({str(document), str(document.parent)})
    }


def lay_out_documents(sides: dict[str, Path], held: dict[str, set[str]]) -> None:
    """The camera's and the receiver's package hold what their own modules name and their people
    read; the city's the rest, over the receiver's.
    """
    known = own_modules()
    given = {}
    for side, readers in (("camera", INSTALLERS), ("receiver", RECIPIENTS)):
        files = [part for name in held[side] for part in (known[name], *beside(known[name]))]
        given[side] = documents_of(files, readers)
    given["city"] = set(documents()) - given["receiver"]
    for side, chosen in given.items():
        for document in chosen:
            copy(ROOT / document, sides[side] / PRIVATE / "agent" / document)


def copy(file: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, into)


def lay_out_ours(sides: dict[str, Path]) -> None:
    """agent/, the models, the jurisdictions, the issuers and the documents."""
    known = own_modules()
    held = modules(known)
    for side, names in held.items():
        for name in names:
            for part in (known[name], *beside(known[name])):
                copy(part, sides[side] / PRIVATE / part.relative_to(ROOT))
    for file in [
        ROOT / "models/manifest.json",
        *(ROOT / "models").glob("*.onnx"),
        *(ROOT / "models").glob("*.py"),
    ]:
        copy(file, sides["camera"] / PRIVATE / "models" / file.name)
    # a rig's camera doubts rows, as a clerk's desk does
    for name, holders in (("jurisdictions", ["city"]), ("issuers", ["camera", "city"])):
        for file in (ROOT / "config" / name).glob("*.toml"):
            for side in holders:
                copy(file, sides[side] / PRIVATE / "agent" / name / file.name)
    lay_out_documents(sides, held)


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


def wheels_of(side: str, wheels: dict[str, Path], minor: int) -> set[str]:
    """Distributions that a side loads, by what its modules import and these need in turn."""
    known = own_modules()
    names = reached_from(commands_of(side, known, city_commands()), known)
    waiting = [*foreign(known[name] for name in names), *ALSO_LOADED.get(side, ())]
    debians, wanted = FROM_DEBIAN.get(minor, {}), set()
    while waiting:
        name = waiting.pop()
        if name in wheels and name not in {*wanted, *debians, *NOT_CARRIED}:
            wanted.add(name)
            waiting += {*requirements(wheels[name])} - NOT_NEEDED.get(name, set())
    return wanted


def lay_out_wheels(folder: Path, sides: dict[str, Path], minor: int) -> None:
    """To each side its wheels. The city's package stands on the receiver's."""
    wheels = {plain(wheel.name.split("-", 1)[0]): wheel for wheel in folder.glob("*.whl")}
    receivers = wheels_of("receiver", wheels, minor)
    for side, into in sides.items():
        wanted = wheels_of(side, wheels, minor) - (receivers if side == "city" else set())
        for name in sorted(wanted):
            unpack(wheels[name], into / PRIVATE)
        runpy.run_path(str(ROOT / "debian/absent.py"))["leave_out"](into / PRIVATE)


def unpack(wheel: Path, into: Path) -> None:
    """A wheel is a zip: modules at its root, scripts and headers under *.data/ that nobody here
    needs. What is never loaded stays out; its licences stay in.
    """
    useless = STRIPPED.get(plain(wheel.name.split("-", 1)[0]))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            outside = name.startswith("/") or ".." in Path(name).parts
            if outside or re.match(r"[^/]+\.data/(?!scripts/|headers/|data/)", name):
                raise SystemExit(f"{wheel.name}: {name} is not what a wheel should hold")
            if name.endswith("/") or ".data/" in name.split("/", 2)[0] + "/":
                continue
            if USELESS.search(name) or (useless and useless.match(name)):
                continue
            target = into / name
            if target.exists():
                raise SystemExit(f"{wheel.name}: {name} is there already, from another wheel")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def list_parts(sides: dict[str, Path], wheels: Path, architecture: str) -> None:
    """A CycloneDX list of its parts into each package. Its name is that of the package's folder."""
    write = runpy.run_path(str(ROOT / "debian/sbom.py"))["write"]
    version = re.match(r".*\((.+)\)", (ROOT / "debian/changelog").read_text(encoding="utf-8"))[1]
    for root in sides.values():
        write(root, root.name, version, architecture, wheels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--python-minor", type=int, required=True)
    parser.add_argument("--architecture", required=True)
    for side in SIDES:
        parser.add_argument(f"--{side}", type=Path, required=True)
    given = parser.parse_args()
    sides = {side: getattr(given, side) for side in SIDES}
    lay_out_ours(sides)
    lay_out_wheels(given.wheels, sides, given.python_minor)
    list_parts(sides, given.wheels, given.architecture)


if __name__ == "__main__":
    sys.exit(main())
