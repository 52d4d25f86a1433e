"""Small faults put into a module's source, one at a time: comparisons, boolean operators,
constants, return values, removed statements. And the source with a mark at each place of a fault,
which tells the tests that come by there.
"""

import ast
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MARK = "__been_at__"
OPPOSITE = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.BitOr: [ast.BitAnd],
    ast.BitAnd: [ast.BitOr],
}


_WORDS_FOR_PEOPLE = {"fix", "where"}
"""Arguments whose words only people read, as a string with a space in it is."""


@dataclass(frozen=True)
class Mutant:
    """One fault. `place`: a number of what it changes, the same for all changes of it; `function`:
    dotted name of the outermost function around it, empty at module or class level. `tree`: the
    whole module with it.
    """

    place: int
    line: int
    function: str
    was: str
    now: str
    tree: ast.Module


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source that Python compiles. Annotations, decorators, imports,
    docstrings, words for people and what only type checkers see are left alone.
    """
    tree = ast.parse(source)
    for place, (path, node, function) in enumerate(_places(tree, (), "")):
        for changed in _changes(node):
            whole = copy.deepcopy(tree)
            _put(whole, path, changed)
            ast.fix_missing_locations(whole)
            if _compiles(whole):
                yield Mutant(
                    place,
                    getattr(node, "lineno", 0),
                    function,
                    _told(node),
                    _told(changed),
                    whole,
                )


def marked(source: str) -> ast.Module:
    """The module, calling MARK with a place's number whenever it comes by that place."""
    tree = ast.parse(source)
    places = {id(node): place for place, (_, node, _) in enumerate(_places(tree, (), ""))}
    return ast.fix_missing_locations(_Marks(places).visit(tree))


class _Marks(ast.NodeTransformer):
    """A mark before each statement, and beside each expression: `(mark(7), expression)[1]`."""

    def __init__(self, places: Mapping[int, int]) -> None:
        self.places = places

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST]:
        place = self.places.get(id(node))
        node = super().visit(node)
        if place is None or not isinstance(node, (ast.stmt, ast.expr)):
            return node
        mark = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(place)], [])
        if isinstance(node, ast.stmt):
            return [ast.Expr(mark), node]
        pair = ast.Tuple([mark, node], ast.Load())
        return ast.Subscript(pair, ast.Constant(1), ast.Load())

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Only text and {…} may stand in an f-string."""
        self.generic_visit(node)
        node.values = [
            value
            if isinstance(value, (ast.Constant, ast.FormattedValue))
            else ast.FormattedValue(value, -1, None)
            for value in node.values
        ]
        return node


def _compiles(tree: ast.Module) -> bool:
    try:
        compile(tree, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _told(node: ast.AST) -> str:
    if isinstance(node, ast.Pass):
        return "(removed)"
    return " ".join(
        (f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else ast.unparse(node)).split()
    )


def _places(node: ast.AST, path: tuple, function: str) -> Iterator[tuple[tuple, ast.AST, str]]:
    """Nodes that have a change, each with its way from the top and the outermost function around
    it.
    """
    scope = path[-1][2] if path else ""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "bases"} or _is_told(node, field):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child):
                continue
            inner, around = scope, function
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inner = f"{scope}.{child.name}".lstrip(".")
                if isinstance(child, ast.FunctionDef):
                    around = function or inner
            here = (*path, (field, index, inner))
            if next(_changes(child), None) is not None:
                yield here, child, around
            yield from _places(child, here, around)


def _is_told(node: ast.AST, field: str) -> bool:
    """A keyword's name; its value, where that is for people; the `strict` of zip, which tells what
    holds anyway.
    """
    return isinstance(node, ast.keyword) and (
        field == "arg" or node.arg in _WORDS_FOR_PEOPLE or node.arg == "strict"
    )


def _left_alone(node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    words = isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return (
        docstring
        or words
        or for_types
        or isinstance(node, (ast.Import, ast.ImportFrom, ast.pattern))
    )


def _changes(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 (one branch for each kind of node)
    """What may stand in this node's place."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in OPPOSITE[type(operator)]:
                yield ast.Compare(
                    node.left,
                    [*node.ops[:index], other(), *node.ops[index + 1 :]],
                    node.comparators,
                )
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        for index in range(len(node.values)):
            left = [*node.values[:index], *node.values[index + 1 :]]
            yield ast.BoolOp(node.op, left) if len(left) > 1 else left[0]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in OPPOSITE:
        yield from (ast.BinOp(node.left, other(), node.right) for other in OPPOSITE[type(node.op)])
    elif isinstance(node, ast.Constant):
        yield from map(ast.Constant, _other_constants(node.value))
    elif isinstance(node, (ast.IfExp, ast.If)):
        yield from _forced(node)
    elif (
        isinstance(node, ast.Return)
        and node.value is not None
        and ast.unparse(node.value) != "None"
    ):
        yield ast.Return(ast.Constant(None))
    if isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Continue)) or (
        isinstance(node, ast.Return) and node.value is not None
    ):
        yield ast.Pass()


def _forced(node: ast.IfExp | ast.If) -> Iterator[ast.AST]:
    for value in (True, False):
        changed = copy.copy(node)
        changed.test = ast.Constant(value)
        yield changed


def _other_constants(value: object) -> list:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value - 1]
    if isinstance(value, str):
        return [value + "XX"]
    return []


def _put(tree: ast.AST, path: tuple, new: ast.AST) -> None:
    for field, index, _ in path[:-1]:
        tree = getattr(tree, field) if index is None else getattr(tree, field)[index]
    field, index, _ = path[-1]
    if index is None:
        setattr(tree, field, new)
    else:
        getattr(tree, field)[index] = new
