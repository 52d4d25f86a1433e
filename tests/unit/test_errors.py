"""The tree of errors: each one says who must act, in its exit code and in one line."""

import inspect
import re
from pathlib import Path

import pytest

import agent.errors
from agent.errors import PlatewardenError, RefusedError

DOCS = Path(__file__).parents[2] / "docs"
TREE = [
    thing
    for _, thing in inspect.getmembers(agent.errors, inspect.isclass)
    if thing.__module__ == "agent.errors"
]


@pytest.mark.parametrize("error", TREE)
def test_each_error_has_an_exit_code(error):
    assert issubclass(error, PlatewardenError)
    assert error.exit_code in {1, 2, 3}
    assert error.__doc__


def test_one_line_where_what_and_next_step():
    assert (
        str(PlatewardenError("no such folder", where=Path("a/b"), fix="make it"))
        == "a/b: no such folder (make it)"
    )
    assert str(PlatewardenError("no such folder")) == "no such folder"


def test_a_refusal_leads_with_its_reason():
    error = RefusedError(
        "spki-pin-mismatch", "the key is another", where="broker city-hall", fix="ask the city"
    )
    assert (
        str(error)
        == "refused [spki-pin-mismatch]: broker city-hall: the key is another (ask the city)"
    )
    assert error.reason == "spki-pin-mismatch"


def test_documented_under_its_code():
    rows = re.findall(
        r"^\| (\d) \| .* \|(.*)\|$", (DOCS / "ref/exit-codes.md").read_text(), re.MULTILINE
    )
    documented = {name: int(code) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {error.__name__: error.exit_code for error in TREE}
