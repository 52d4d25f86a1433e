"""Says what is wrong with a value of a closed schema, in our own words: what the field takes, and
what to do.

The library's messages reach nobody.

Of what was written only a number that is out of range is repeated here: anything else could be a
key, a pin or a plate that stands in the wrong place.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agent.core.text.suggestion import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic_core import ErrorDetails

MOST_SHOWN = 20  # characters of a number
_RANGE = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_COUNT = frozenset({"too_short", "too_long"})


@dataclass(frozen=True, slots=True)
class _Field:
    """What a place of a schema takes: its type without `None`, and its limits."""

    kind: Any
    limits: tuple[object, ...] = ()

    def limit(self, name: str) -> Any:
        """`ge`, `gt`, `le`, `lt`, `min_length` or `max_length`; None where there is none."""
        found = (getattr(one, name, None) for one in self.limits)
        return next((value for value in found if value is not None), None)

    def span(self, least: str = "ge", most: str = "le") -> str:
        """`from 1 to 16`, `at least 1`, `more than 0 and at most 60`; empty without limits."""
        low, high = self.limit(least), self.limit(most)
        if low is not None and high is not None:
            return f"from {low} to {high}"
        above, below = self.limit("gt"), self.limit("lt")
        parts = (
            f"at least {low}" if low is not None else "",
            f"more than {above}" if above is not None else "",
            f"at most {high}" if high is not None else "",
            f"less than {below}" if below is not None else "",
        )
        return " and ".join(part for part in parts if part)

    def names(self) -> tuple[str, ...]:
        """The keys of a table, but those that no file may hold (`exclude`); nothing where it is no
        table.
        """
        if not isinstance(self.kind, type) or not issubclass(self.kind, BaseModel):
            return ()
        return tuple(
            sorted(name for name, info in self.kind.model_fields.items() if not info.exclude)
        )

    def at(self, part: str | int) -> _Field:
        """The field under one key, or one element of a list."""
        if isinstance(part, str):
            return _field_of(self.kind.model_fields[part]) if part in self.names() else _Field(Any)
        elements = get_args(self.kind)
        if not elements:
            return _Field(Any)
        return _bare(elements[part] if 0 < part < len(elements) else elements[0])


def in_words(fault: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """A fault that pydantic found in a table of this model, as (what, fix)."""
    *above, last = fault["loc"] or ("",)
    table = _Field(model)
    for part in above:
        table = table.at(part)
    kind = fault["type"]
    if kind == "extra_forbidden":
        return "unknown key", _known(str(last), table.names())
    if kind == "missing":
        return "missing", "add it"
    if kind == "value_error":  # a sentence of our own: `what | fix`
        what, _, fix = fault["msg"].removeprefix("Value error, ").partition(" | ")
        return what, fix
    field = table.at(last) if fault["loc"] else table
    if kind in _RANGE:
        shown = str(fault["input"])[:MOST_SHOWN]
        return f"{shown} is out of range: it must be {_number(field)}", "write a number in range"
    if kind in _COUNT:
        return _count(field), "name more" if kind == "too_short" else "name fewer"
    what, fix = _TAKES.get(kind, _anything)(field)
    unquoted = isinstance(fault["input"], str) and field.kind in {int, float, bool}
    return what, f"{fix}, without quotes" if unquoted else fix


def first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a file whose lines nobody knows, as `field: what`."""
    fault = error.errors(include_url=False, include_context=False)[0]
    what, _fix = in_words(fault, model)
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {what}"


def _known(untrusted_key: str, names: tuple[str, ...]) -> str:
    near = nearest(untrusted_key, names)
    return f"did you mean `{near}`?" if near else f"allowed here: {', '.join(names)}"


def _number(field: _Field) -> str:
    """`a whole number from 1 to 16`."""
    span = field.span()
    return f"{'a whole number' if field.kind is int else 'a number'}{' ' if span else ''}{span}"


def _must_be_number(field: _Field) -> tuple[str, str]:
    return f"must be {_number(field)}", "write a number"


def _flag(_field: _Field) -> tuple[str, str]:
    return "must be true or false", "write one of them"


def _text(_field: _Field) -> tuple[str, str]:
    return "must be text in quotes", "put quotes around it"


def _table(_field: _Field) -> tuple[str, str]:
    return "must be a table", "write it as [name] with its keys below"


def _list(field: _Field) -> tuple[str, str]:
    element = field.at(0)
    if element.names() or get_origin(element.kind) is dict:
        return "must be tables", "write each as [[name]] with its keys below"
    return "must be a list", "write it in [ ]"


def _choice(field: _Field) -> tuple[str, str]:
    values = [str(value) for value in get_args(field.kind)]
    one = len(values) == 1
    return f"must be {'' if one else 'one of: '}{', '.join(values)}", (
        "write that" if one else "write one of them"
    )


def _count(field: _Field) -> str:
    return f"must have {field.span('min_length', 'max_length')} entries"


def _length(field: _Field) -> tuple[str, str]:
    return f"must have {field.span('min_length', 'max_length')} characters", "write another"


def _anything(_field: _Field) -> tuple[str, str]:
    return "is not what this key takes", "compare with the example in its documentation"


# What a field takes, by pydantic's name for the fault.
_TAKES: Mapping[str, Callable[[_Field], tuple[str, str]]] = {
    "bool_type": _flag,
    "dict_type": _table,
    "finite_number": _must_be_number,
    "float_type": _must_be_number,
    "int_from_float": _must_be_number,
    "int_type": _must_be_number,
    "is_instance_of": _text,  # of a path, which is made of text before
    "list_type": _list,
    "literal_error": _choice,
    "model_type": _table,
    "string_too_long": _length,
    "string_too_short": _length,
    "string_type": _text,
    "tuple_type": _list,
}


def _field_of(info: FieldInfo) -> _Field:
    found = _bare(info.annotation)
    return _Field(found.kind, (*found.limits, *_limits(info)))


def _bare(annotation: Any) -> _Field:
    """Without `Annotated` and `| None`, whose limits are gathered."""
    limits: list[object] = []
    while True:
        origin, inside = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation, *more = inside
            limits += [limit for one in more for limit in _limits(one)]
        elif origin in {Union, UnionType}:
            annotation = next(one for one in inside if one is not type(None))
        else:
            return _Field(annotation, tuple(limits))


def _limits(one: object) -> Iterator[object]:
    """What pydantic keeps in `Field(ge=1)`, taken apart."""
    if isinstance(one, FieldInfo):
        yield from one.metadata
    else:
        yield one
