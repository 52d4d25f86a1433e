"""Says what is wrong with a value of a closed schema, in our own words: what the field takes, and
what to do.

Of what was written only a number that is out of range is repeated here: anything else could be a
key, a pin or a plate that stands in the wrong place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

from agent.core.text.schema.checks import bare
from agent.core.text.schema.section import Section
from agent.core.text.suggestion import nearest
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.text.schema.notes import Misfit, MisfitError

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
        """The keys of a table, but those that no file may hold; nothing where it is no table."""
        if not isinstance(self.kind, type) or not issubclass(self.kind, Section):
            return ()
        fields = self.kind.own_fields()
        return tuple(sorted(name for name, field in fields.items() if not field.hidden))

    def at(self, part: str | int) -> _Field:
        """The field under one key, or one element of a list."""
        if isinstance(part, str):
            return (
                field_of(self.kind.own_fields()[part].annotation)
                if part in self.names()
                else _Field(Any)
            )
        elements = get_args(self.kind)
        if not elements:
            return _Field(Any)
        return field_of(elements[part] if 0 < part < len(elements) else elements[0])


def in_words(fault: Misfit, section: type[Section]) -> tuple[str, str]:
    """A misfit in a table of this section, as (what, fix)."""
    *above, last = fault.place or ("",)
    table = _Field(section)
    for part in above:
        table = table.at(part)
    kind = fault.kind
    if kind == "extra_forbidden":
        return "unknown key", _known(str(last), table.names())
    if kind == "missing":
        return "missing", "add it"
    if kind == "value_error":  # a sentence of our own: `what | fix`
        what, _, fix = fault.words.partition(" | ")
        return what, fix
    field = table.at(last) if fault.place else table
    if kind in _RANGE:
        shown = str(fault.given)[:MOST_SHOWN]
        return f"{shown} is out of range: it must be {_number(field)}", "write a number in range"
    if kind in _COUNT:
        return _count(field), "name more" if kind == "too_short" else "name fewer"
    what, fix = _TAKES.get(kind, _anything)(field)
    unquoted = isinstance(fault.given, str) and field.kind in {int, float, bool}
    return what, f"{fix}, without quotes" if unquoted else fix


def first_fault(error: MisfitError, section: type[Section]) -> str:
    """The first fault of a file whose lines nobody knows, as `field: what`."""
    fault = error.misfits[0]
    what, _fix = in_words(fault, section)
    return f"{'.'.join(map(str, fault.place)) or 'the file'}: {what}"


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


# What a field takes, by the kind of misfit.
_TAKES: Mapping[str, Callable[[_Field], tuple[str, str]]] = {
    "bool_type": _flag,
    "dict_type": _table,
    "finite_number": _must_be_number,
    "float_type": _must_be_number,
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


def field_of(annotation: Any) -> _Field:
    """What a field of this type takes."""
    return _Field(*bare(annotation))
