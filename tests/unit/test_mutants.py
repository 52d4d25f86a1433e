"""The mutator: every fault compiles, knows the function that it must be put into, and its place is
marked for the tests that come by.
"""

from pathlib import Path

import pytest

from tests.mutation.modules import TESTS
from tests.mutation.mutants import MARK, marked, mutants_of

ROOT = Path(__file__).parents[2]

MODULE = '''
"""A docstring is left alone."""
from dataclasses import dataclass

LIMIT = 3


@dataclass
class Gate:
    width: int = 2

    @property
    def open(self) -> bool:
        def wide(least):
            return self.width > least

        return wide(1) and self.width < LIMIT


def told(gate):
    if not gate.open or gate.width == 0:
        raise ValueError("words for people are left alone", f"at {gate.width}x")
    return "yes"
'''


def changes(source):
    return [(one.function, one.was, one.now) for one in mutants_of(source)]


def test_one_operand_left_is_the_operand_itself():
    """`and` over one value compiles in no Python: such a fault counted as noticed."""
    assert ("told", "not gate.open or gate.width == 0", "not gate.open") in changes(MODULE)
    assert ("told", "not gate.open or gate.width == 0", "gate.width == 0") in changes(MODULE)
    for one in mutants_of(MODULE):
        compile(one.tree, "mutant", "exec")


def test_a_constant_of_a_class_lies_in_no_function_and_a_nested_function_in_the_outer_one():
    found = changes(MODULE)
    assert ("", "3", "4") in found
    assert ("", "2", "1") in found
    assert ("Gate.open", "self.width > least", "self.width >= least") in found


def test_words_for_people_are_left_alone():
    was = {was for _, was, _ in changes(MODULE)}
    assert "'yes'" in was
    assert was.isdisjoint({"'words for people are left alone'", "'at '"})


@pytest.mark.parametrize(("width", "passed"), [(2, False), (0, True)])
def test_a_mark_tells_which_places_were_passed(width, passed):
    been: list[int] = []
    space = {MARK: been.append, "__name__": "marked"}
    exec(compile(marked(MODULE), "marked", "exec"), space)
    at_import = set(been)
    been.clear()
    gate = space["Gate"](width)
    if passed:
        with pytest.raises(ValueError, match="left alone"):
            space["told"](gate)
    else:
        assert space["told"](gate) == "yes"
    places = {(one.was, one.place) for one in mutants_of(MODULE)}
    [raising] = {place for was, place in places if was.startswith("raise ")}
    [constant] = {place for was, place in places if was == "3"}
    assert (raising in been) == passed
    assert constant in at_import


def test_each_module_of_the_list_and_each_of_its_tests_is_there():
    """Where one has moved, the list must follow it."""
    listed = [f"agent/{name.replace('.', '/')}.py" for name in TESTS]
    listed += [f"tests/{name}.py" for names in TESTS.values() for name in names]
    assert [name for name in listed if not (ROOT / name).is_file()] == []
