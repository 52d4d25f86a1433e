"""Small faults put into a module's source, one at a time: comparisons, boolean operators,
constants, return values, removed statements.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Mutant:
    """One fault.

    `tree`: the whole module with it; `function`: dotted name of the function around it, empty at
    module or class level.
    """

    line: int
    function: str
    was: str
    now: str
    tree: ast.Module


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source.

    Annotations, decorators, imports, docstrings and what only type checkers see are left alone.
    """
    tree = ast.parse(source)
    for path, node, function in _places(tree, (), ""):
        for changed in _changes(node):
            whole = copy.deepcopy(tree)
            _put(whole, path, changed)
            yield Mutant(
                getattr(node, "lineno", 0),
                function,
                _told(node),
                _told(changed),
                ast.fix_missing_locations(whole),
            )


def _told(node: ast.AST) -> str:
    if isinstance(node, ast.Pass):
        return "(removed)"
    return " ".join(
        (f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else ast.unparse(node)).split()
    )


def _places(node: ast.AST, path: tuple, function: str) -> Iterator[tuple[tuple, ast.AST, str]]:
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "bases"} or (
            isinstance(node, ast.keyword) and field == "arg"
        ):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child):
                continue
            here = (*path, (field, index))
            inner = function
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inner = f"{function}.{child.name}".lstrip(".")
            elif not isinstance(node, ast.ClassDef) or field != "body":
                yield here, child, function
            else:
                yield here, child, ""
            yield from _places(child, here, inner)


def _left_alone(node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return docstring or for_types or isinstance(node, (ast.Import, ast.ImportFrom))


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
        yield from (
            ast.BoolOp(node.op, [*node.values[:index], *node.values[index + 1 :]])
            for index in range(len(node.values))
        )
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
    for field, index in path[:-1]:
        tree = getattr(tree, field) if index is None else getattr(tree, field)[index]
    field, index = path[-1]
    if index is None:
        setattr(tree, field, new)
    else:
        getattr(tree, field)[index] = new
