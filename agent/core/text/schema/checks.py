"""From a field's type to the function that checks a value: strictly, and with every misfit noted.

No type is guessed: text is no number, `true` is no 1, and no number is infinite.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from agent.core.text.schema.notes import Between, By, Form, Length, Misfit, Place

Check = Callable[[Any, Place, list[Misfit]], Any]
WRONG: Any = object()
_NAMED = {str: "string_type", bool: "bool_type", int: "int_type"}


def wrong(kind: str, place: Place, given: object, misfits: list[Misfit], words: str = "") -> Any:
    """Note a misfit; the mark that stands for no value."""
    misfits.append(Misfit(kind, place, given, words))
    return WRONG


def bare(annotation: Any) -> tuple[Any, tuple[object, ...]]:
    """A type without `Annotated` and `| None`, and the notes that stood in them."""
    notes: list[object] = []
    while True:
        origin, inside = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation, *more = inside
            notes += more
        elif origin in {Union, UnionType}:
            annotation = next(one for one in inside if one is not type(None))
        else:
            return annotation, tuple(notes)


def check_of(annotation: Any) -> Check:
    """The check of a type as it stands in a section. Raises TypeError for one that none has."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        return _or_none(*(one for one in inside if one is not type(None)))
    if origin is not Annotated:
        return _of_type(annotation)
    kind, *notes = inside
    check = _of_type(kind)
    for note in notes:
        if not isinstance(note, By):
            check = _limited(check, _broken(note))
    for note in notes:
        if isinstance(note, By):
            check = _turned(check, note.function)
    return check


def _or_none(annotation: Any) -> Check:
    check = check_of(annotation)
    return lambda given, place, misfits: None if given is None else check(given, place, misfits)


def _turned(check: Check, function: Callable[[object], object]) -> Check:
    def turn(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        try:
            value = function(given)
        except ValueError as error:
            return wrong("value_error", place, given, misfits, str(error))
        return check(value, place, misfits)

    return turn


def _limited(check: Check, broken: Callable[[Any], str]) -> Check:
    def limit(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        value = check(given, place, misfits)
        if value is WRONG or not (kind := broken(value)):
            return value
        return wrong(kind, place, given, misfits)

    return limit


def _broken(note: object) -> Callable[[Any], str]:
    """Which limit a value is beyond; empty for none."""
    if isinstance(note, Between):
        return note.beyond
    if isinstance(note, Length):
        return note.beyond
    if isinstance(note, Form):
        form = re.compile(note.pattern)
        return lambda value: "" if form.fullmatch(value) else "string_pattern_mismatch"
    raise TypeError(f"{note!r} is no note of a section")


def _of_type(annotation: Any) -> Check:
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return lambda given, _place, _misfits: given
    if annotation is float:
        return _float
    if origin is not None:
        return _of_parts(origin, inside)
    if not isinstance(annotation, type):
        raise TypeError(f"{annotation!r} is no type of a section's field")
    judged: Check | None = getattr(annotation, "judged", None)  # a section's
    return judged or (_plain if annotation in _NAMED else _instance)(annotation)


def _of_parts(origin: Any, inside: tuple[Any, ...]) -> Check:
    """Of a type that is written with brackets."""
    if origin is Literal:
        return _literal(inside)
    if origin is list or (origin is tuple and inside[1:] == (Ellipsis,)):
        return _sequence(origin, check_of(inside[0]))
    if origin is tuple:
        return _tuple([check_of(one) for one in inside])
    if origin is dict:
        return _dict(check_of(inside[1]))
    raise TypeError(f"{origin!r} is no type of a section's field")


def _plain(kind: type) -> Check:
    said = _NAMED[kind]

    def plain(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        # not isinstance: `true` is an int to Python
        return given if type(given) is kind else wrong(said, place, given, misfits)

    return plain


def _instance(kind: type) -> Check:
    def instance(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        if isinstance(given, kind):
            return given
        return wrong("is_instance_of", place, given, misfits)

    return instance


def _float(given: Any, place: Place, misfits: list[Misfit]) -> Any:
    if type(given) not in {int, float}:
        return wrong("float_type", place, given, misfits)
    try:
        number = float(given)
    except OverflowError:
        return wrong("float_type", place, given, misfits)
    return number if math.isfinite(number) else wrong("finite_number", place, given, misfits)


def _literal(allowed: tuple[object, ...]) -> Check:
    def literal(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        if any(type(given) is type(one) and given == one for one in allowed):
            return given
        return wrong("literal_error", place, given, misfits)

    return literal


def _sequence(kind: Any, check: Check) -> Check:
    def sequence(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        if not isinstance(given, kind):
            return wrong(f"{kind.__name__}_type", place, given, misfits)
        before = len(misfits)
        values = [check(one, (*place, index), misfits) for index, one in enumerate(given)]
        return WRONG if len(misfits) > before else kind(values)

    return sequence


def _tuple(checks: list[Check]) -> Check:
    def entries(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        if not isinstance(given, tuple) or len(given) != len(checks):
            return wrong("tuple_type", place, given, misfits)
        before = len(misfits)
        values = [
            check(given[index], (*place, index), misfits) for index, check in enumerate(checks)
        ]
        return WRONG if len(misfits) > before else tuple(values)

    return entries


def _dict(check: Check) -> Check:
    def table(given: Any, place: Place, misfits: list[Misfit]) -> Any:
        if not isinstance(given, dict):
            return wrong("dict_type", place, given, misfits)
        before = len(misfits)
        values = {name: check(one, (*place, name), misfits) for name, one in given.items()}
        return WRONG if len(misfits) > before else values

    return table
