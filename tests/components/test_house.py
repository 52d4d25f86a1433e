"""The tree shows its subjects: no circle between files, no crowded folder, names that one can
search for.
"""

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "agent"
MOST_FILES = 13  # about a dozen, and `__init__.py`
CROWDED = {
    "agent/commands": "one file a command without a group: its name is what one types",
    "agent/bundles": (
        "the verifying client, a file a step; the city's side is in bundles/repository"
    ),
    "agent/city": "the clerk's acts, a file an act",
}
TYPED = "a command's file is named for what one types after its group"
TWICE = {
    "add": "a command of `hotlist`, and one of `receiver account`",
    "aim": "a side is named for its command",
    "apply": TYPED,
    "check": TYPED,
    "deliver": "a side is named for its command",
    "doctor": TYPED,
    "hotspot": "a side is named for its unit; agent/aim/hotspot.py is the network itself",
    "init": TYPED,
    "key": TYPED,
    "keys": "`receiver keys`; agent/doctor/keys.py looks at a camera's",
    "list": TYPED,
    "open_": TYPED,
    "publish": TYPED,
    "remove": TYPED,
    "run": TYPED,
    "show": TYPED,
    "sign": TYPED,
    "status": TYPED,
    "update": "a side is named for its command",
    "walls": "a side is named for its command",
    "watch": "a side is named for its command",
}
GERUNDS = {
    "barring": "the table [[barred]]; the noun of the policy's own words",
    "encoding": "the noun of the field",
    "finding": "a noun: what a check found",
    "founding": "a noun: the founding of a city",
    "matching": "the noun of the field",
    "plate_drawing": "a noun: the drawing of a plate",
    "pooling": "opinion pooling, as the literature calls it",
    "ring": "no gerund: the command `receiver ring`",
    "sighting": "a noun: what the camera saw",
    "tracking": "the noun of the field (multi-object tracking)",
    "voting": "the noun of the field",
}
SUBJECTS = (
    "camera",
    "hotlist",
    "judging",
    "log",
    "policy",
    "reading",
    "software",
    "text",
    "time",
    "wire",
)


def modules() -> dict[str, Path]:
    found = {}
    for file in AGENT.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """Our modules that a file names in an import anywhere, for types too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found |= {inner if inner in known else node.module} & known.keys()
    return found


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules that reach themselves: what is left when all that imports nothing, or is imported by
    nothing, is taken away again and again.
    """
    left = {name: set(targets) for name, targets in graph.items()}
    while True:
        imported = {target for targets in left.values() for target in targets}
        gone = {name for name, targets in left.items() if not targets or name not in imported}
        if not gone:
            return sorted(left)
        left = {name: targets - gone for name, targets in left.items() if name not in gone}


def test_no_two_files_import_each_other_in_any_number_of_steps():
    known = modules()
    graph = {
        name: imports(ast.parse(file.read_text()), known) - {name} for name, file in known.items()
    }
    assert circles(graph) == []


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]


def test_no_folder_is_crowded():
    counts = Counter(str(file.parent.relative_to(ROOT)) for file in modules().values())
    assert {name for name, count in counts.items() if count > MOST_FILES} == CROWDED.keys()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_of_the_core_has_its_sentence_and_a_dozen_files_at_most(subject):
    folder = AGENT / "core" / subject
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert len(list(folder.rglob("*.py"))) >= 3
    assert all(
        len(list(inner.glob("*.py"))) <= MOST_FILES
        for inner in [folder, *folder.iterdir()]
        if inner.is_dir()
    )


def test_the_core_holds_its_subjects_and_the_reasons_and_nothing_else():
    inside = {path.stem for path in (AGENT / "core").iterdir() if path.name != "__pycache__"}
    assert inside == {*SUBJECTS, "reasons", "__init__"}


def test_a_name_used_in_two_folders_has_its_reason():
    folders = defaultdict(set)
    for file in modules().values():
        if file.stem != "__init__":
            folders[file.stem].add(file.parent)
    assert {name for name, used in folders.items() if len(used) > 1} == TWICE.keys()


def test_a_bare_gerund_has_its_reason():
    assert {file.stem for file in modules().values() if file.stem.endswith("ing")} == GERUNDS.keys()
