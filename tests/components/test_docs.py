"""The documents say what the code does: settings, reasons, promises, links; and no file tells more
than it should.
"""

import ast
import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.text.schema.section import Section
from agent.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MAX_COLUMNS = 100
MAX_LINES = 400
MAX_FUNCTION_LINES = 40
# What is longer, as `path` or `path:function`, and why.
LONG = {
    "bench/__main__.py:parse": "a command's options, one call each, and nothing else",
    "hw_tests/conftest.py:pytest_addoption": "a command's options, one call each, and nothing else",
    "tests/golden/alterations.py:_header_alterations": "a list: one alteration after the other",
    "tests/fuzz/make_seeds.py:device": "one document after the other, each a line or two",
    "tests/golden/make.py:make": "one vector, field by field, read beside the JSON that it writes",
    "tests/support/bundle_attacks.py": "a list: one attack after the other, each a few lines",
    "tests/unit/test_policy_file.py": "one fault of a policy after the other, over one example",
    "tests/unit/test_trusted_time.py": "one machine's clock, played through its cases in order",
    "tests/picamera/glue.py:install": "holds the classes that derive from a library of one tree",
}


def tracked():
    """Files that git has or would take; in an unpacked archive without git, all files."""
    listing = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file()
            and not any(part.startswith(".") or part == "node_modules" for part in path.parts)
        ]
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


PYTHON = [path for path in tracked() if path.suffix == ".py"]
TEXT = [
    path
    for path in tracked()
    if path.suffix not in {".onnx", ".png", ".jpg", ".ttf", ".woff2", ".mp4", ".sealed"}
]


def shown(path):
    return str(path.relative_to(ROOT))


# --- settings, reasons ---


def in_code(model, prefix=""):
    """{dotted key: default as the document writes it}."""
    found = {}
    for name, field in model.own_fields().items():
        if not prefix and name in {"file", "root"}:  # filled in by `load`, refused in the file
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= in_code(field.annotation, f"{name}.")
        else:
            found[prefix + name] = written(field)
    return found


def written(field):
    """A default as TOML writes it."""
    if field.default is None:
        return "required"
    default = field.default()
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{list(default) if isinstance(default, tuple) else default}`"


def in_document():
    section, found = "", {}
    for line in (DOCS / "ref/settings.md").read_text().splitlines():
        if heading := re.match(r"## (?:`\[(\w+)\]`|top level)$", line):
            section = f"{heading[1]}." if heading[1] else ""
        elif row := re.match(r"\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", line):
            found[section + row[1]] = row[2].strip()
    return found


def test_every_setting_is_documented_with_its_default_and_no_other():
    assert in_document() == in_code(Settings)


def test_the_example_shows_every_setting():
    text = (ROOT / "config/platewarden.example.toml").read_text()
    for key in in_code(Settings):
        assert re.search(rf"^(# )?{key.rsplit('.')[-1]} = ", text, re.MULTILINE), (
            f"{key} is not in the example"
        )


def test_every_reason_is_documented_and_no_other():
    text = (DOCS / "ref/reasons.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) == {
        reason.value for reason in Reason
    }


def test_every_kind_of_leaf_is_documented_and_no_other():
    text = (DOCS / "ref/audit-log.md").read_text()
    rows = re.findall(
        r"^\| ((?:`[a-z]+`(?:, )?)+) \| (?:both|watch|deliver|the city|the inbox|the receiver) \|",
        text,
        re.MULTILINE,
    )
    told = {kind for row in rows for kind in re.findall(r"[a-z]+", row)}
    assert told == {kind.value for kind in LeafKind}


# --- promises ---


def promises():
    parts = re.split(r"^## (P\d+)\b", (DOCS / "promises.md").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_all_ten_promises_stand_there():
    assert list(promises()) == [f"P{number}" for number in range(1, 11)]


@pytest.mark.parametrize("name", [f"P{number}" for number in range(1, 11)])
def test_a_promise_says_all_five_things(name):
    text = promises()[name]
    for part in ("Promise", "Mitigates against", "Limit", "Status", "Test"):
        assert f"**{part}" in text, f"{name} says nothing of: {part}"
    files = re.findall(r"`(tests/[^`:]+\.py)", text)
    status = re.search(r"\*\*Status[:.]\*\* *(holds now|holds in part|not yet)", text)
    assert status, f"{name}: status is none of: holds now, holds in part, not yet"
    assert files or status[1] == "not yet", f"{name} holds, but no test is named"
    for file in files:
        assert (ROOT / file).is_file(), f"{name} names {file}, which is not there"


def test_every_promise_test_is_named():
    text = (DOCS / "promises.md").read_text()
    for file in (ROOT / "tests/promises").glob("test_*.py"):
        assert f"`{shown(file)}`" in text, f"docs/promises.md does not name {shown(file)}"


def test_every_design_note_is_in_the_index():
    index = (DOCS / "design/index.md").read_text()
    for note in (DOCS / "design").glob("*.md"):
        assert note.name == "index.md" or f"({note.name})" in index, (
            f"docs/design/index.md does not name {note.name}"
        )


@pytest.mark.parametrize(
    "page", [*sorted((DOCS / "ref").glob("*.md")), DOCS / "glossary.md"], ids=shown
)
def test_every_reference_page_is_in_the_index(page):
    index = (DOCS / "design/index.md").read_text()
    assert f"(../{page.relative_to(DOCS)})" in index


# --- the files themselves ---


PAGES = [path for path in tracked() if path.suffix == ".md"]
FENCED = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)


def anchors(text):
    """The anchors of a page's headings, by GitHub's rule: links and marks away, small letters,
    hyphens for spaces, a number behind one that is there already.
    """
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", FENCED.sub("", text), re.MULTILINE):
        shown_as = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", shown_as).replace(" ", "-")
        names = itertools.chain([anchor], (f"{anchor}-{count}" for count in itertools.count(1)))
        found.add(next(name for name in names if name not in found))
    return found


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{shown(page)}: {target} is not there"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_to_a_heading(page):
    text = FENCED.sub("", page.read_text())
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text):
        other = (page.parent / target) if target else page
        if "://" not in target and other.suffix == ".md":
            assert anchor in anchors(other.read_text()), f"{shown(page)}: {target}#{anchor}"


def test_how_a_heading_becomes_an_anchor():
    page = "# What it is\n```\n# no heading\n```\n## `[a_b]` and *c*: 1.2\n## [A link](b.md)\n"
    page += "## What it is\n"
    assert anchors(page) == {"what-it-is", "a_b-and-c-12", "a-link", "what-it-is-1"}


FILES = {shown(path) for path in PYTHON}
ELSEWHERE = {
    "ARCHITECTURE.md": "tests/components/test_architecture.py looks",
    "docs/design/layout.md": "tells old names",
    "docs/design/layers.md": "`helpers.py` is the file that must not be",
}


@pytest.mark.parametrize(
    "file", [*PAGES, *(path for path in PYTHON if shown(path).startswith("agent/"))], ids=shown
)
def test_a_python_file_that_is_named_is_there(file):
    if shown(file) in ELSEWHERE:
        pytest.skip(ELSEWHERE[shown(file)])
    named = re.findall(r"(?<![\w/.*-])((?:[\w-]+/)*[\w-]+\.py)\b", file.read_text())
    for name in named:
        assert any(f"/{path}".endswith(f"/{name}") for path in FILES), f"{name} is not there"


def test_no_file_names_this_machine_or_a_registry():
    forbidden = [
        "/work" + "/",
        "/opt/" + "pypi",
        "/opt/" + "wheels",
        "pythonhosted" + ".org",
        "pypi" + ".org",
        "registry." + "npmjs",
        "deb.debian" + ".org",
    ]
    for path in TEXT:
        content = path.read_text(errors="replace")
        for word in forbidden:
            assert word not in content, f"{shown(path)}: {word}"


def test_nothing_lets_a_line_be_longer():
    """Ruff's E501 looks at every line (less a trailing pragma), W505 at comments and docstrings."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    ignored = set(ruff["lint"]["ignore"]).union(*ruff["lint"]["per-file-ignores"].values())
    assert ruff["line-length"] == ruff["lint"]["pycodestyle"]["max-doc-length"] == MAX_COLUMNS
    assert not ignored & {"E", "E5", "E50", "E501", "W", "W5", "W50", "W505"}
    silenced = re.compile(r"# (ruff: )?noqa(?!:)|noqa:[^#\n]*\b[EW]50[15]\b")
    assert not [shown(path) for path in PYTHON if silenced.search(path.read_text())]


@pytest.fixture(scope="module")
def trees():
    """Every Python file, parsed once."""
    return {path: ast.parse(path.read_text()) for path in PYTHON}


def functions(body):
    """Functions and methods, nested ones too, without walking into every expression."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for inner in ("body", "orelse", "finalbody", "handlers"):
            yield from functions(getattr(node, inner, []))


def body_lines(function):
    """Lines of a function without its signature and docstring.

    These are its interface: a command's options stand in its signature, and each is an argument
    that somebody types. Only what is done can be split.
    """
    body = function.body[ast.get_docstring(function) is not None :]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_what_is_long_has_its_reason(trees):
    """Files over MAX_LINES, blank ones not counted; functions over MAX_FUNCTION_LINES."""
    found = {}
    for path, tree in trees.items():
        lines = sum(bool(line.strip()) for line in path.read_text().splitlines())
        if lines > MAX_LINES:
            found[shown(path)] = lines
        for node in functions(tree.body):
            if body_lines(node) > MAX_FUNCTION_LINES:
                found[f"{shown(path)}:{node.name}"] = body_lines(node)
    reasonless = {name: lines for name, lines in found.items() if name not in LONG}
    assert not reasonless, "split them, or say why in LONG"
    assert set(LONG) == set(found), "no longer long: take them out of LONG"


def test_every_module_says_what_it_does(trees):
    for path, tree in trees.items():
        assert not tree.body or ast.get_docstring(tree), f"{shown(path)} has no sentence at its top"
