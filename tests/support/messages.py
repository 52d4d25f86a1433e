"""What the product's messages name: the strings of a module, and of the pages beside it, without
its docstrings.
"""

import ast
from pathlib import Path

from agent.doc_paths import NAMED

ROOT = Path(__file__).parents[2]


def named_in(file: Path) -> set[str]:
    """Documents that a file under agent/ names where people see it."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return set(NAMED.findall(text))
    tree = ast.parse(text)
    # a string that stands alone is a docstring, which nobody is shown
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
        for name in NAMED.findall(node.value)
    }


def named() -> dict[str, set[str]]:
    """{path of a file in agent/: the documents that it names}, files that name none left out."""
    files = [path for kind in ("*.py", "*.html") for path in (ROOT / "agent").rglob(kind)]
    found = {str(file.relative_to(ROOT)): named_in(file) for file in files}
    return {file: names for file, names in sorted(found.items()) if names}
