"""A pytest plugin for emulated runs: the quick tests of four parts, found by what their files
import, so that no list of files goes stale.

A file belongs to a part if it imports one of the part's modules. Files that start processes stay
out: each process would be emulated from its first instruction, and they test a command line, not a
processor.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parent.parent
FOLDERS = ("unit", "contracts", "components")
PARTS = {
    "vision": ("agent.vision",),
    "sealing": ("agent.sealing", "agent.verifying"),
    "policy": ("agent.core.policy.decider", "agent.core.hotlist.matching"),
    "mailbox": ("agent.storage",),
}
# Processes; what needs libraries that the tree leaves out; the recipient's side, which stands on no
# pole.
NOT_HERE = ("subprocess", "bench", "torch", "agent.receiver", "tests.support.receiving")

settings.register_profile(
    "emulated",
    deadline=None,
    derandomize=True,
    max_examples=5,
    suppress_health_check=list(HealthCheck),
)


def imported(text: str) -> Iterator[str]:
    """Dotted names, imports inside functions too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def touches(names: set[str], modules: tuple[str, ...]) -> bool:
    """Whether one of the names is one of the modules, or inside it."""
    return any(f"{name}.".startswith(f"{module}.") for name in names for module in modules)


def helpers(names: set[str]) -> set[str]:
    """What the modules of tests/support among these names import, and their own helpers."""
    modules = {name.split(".")[2] for name in names if name.startswith("tests.support.")}
    found = {
        name
        for module in modules
        for name in imported((TESTS / f"support/{module}.py").read_text(encoding="utf-8"))
    }
    return found if found <= names else found | helpers(names | found)


def parts_of(file: Path) -> set[str]:
    """The parts that a test file is about; none, if it starts processes."""
    text = file.read_text(encoding="utf-8")
    if not any(
        module.rpartition(".")[2] in text for modules in PARTS.values() for module in modules
    ):
        return set()  # most files: not worth an emulated parse
    names = set(imported(text))
    return (
        set()
        if touches(names | helpers(names), NOT_HERE)
        else {part for part, modules in PARTS.items() if touches(names, modules)}
    )


# Asked for each file that pytest meets. Parsing is what takes long under emulation.
@functools.cache
def chosen() -> dict[Path, set[str]]:
    """Every file to run, with its parts."""
    files = [file for folder in FOLDERS for file in sorted((TESTS / folder).glob("test_*.py"))]
    return {file: parts for file in files if (parts := parts_of(file))}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Nothing else is even imported."""
    if collection_path.name.startswith("test_") and collection_path.suffix == ".py":
        return collection_path not in chosen() or None
    return (
        True
        if collection_path.is_dir()
        and collection_path.parent == TESTS
        and collection_path.name not in FOLDERS
        else None
    )


def pytest_report_header() -> str:
    """What is run, and why."""
    files = chosen()
    return "\n".join(
        f"{part}: {', '.join(file.stem for file, parts in files.items() if part in parts)}"
        for part in PARTS
    )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A part without a test that ran would be a silent hole."""
    missing = [part for part in PARTS if not any(part in parts for parts in chosen().values())]
    if missing and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"no test was found for: {', '.join(missing)}")
