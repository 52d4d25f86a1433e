"""A closed table as a class: a value for each field, strictly of its type and within its limits, or
all misfits at once.

Pydantic did this until its import and its models were a third of a camera's start
(docs/design/libraries.md). It still judges this file: tests/unit/test_section.py asks both of the
same values.
"""

from __future__ import annotations

from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
    get_origin,
    get_type_hints,
)

from agent.core.text.schema.checks import WRONG, check_of, wrong
from agent.core.text.schema.notes import Misfit, MisfitError
from agent.core.text.strict_json import parse_object
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.text.schema.checks import Check
    from agent.core.text.schema.notes import Place

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `default` makes it, None: the field is required; `hidden`: no file may hold it."""

    annotation: Any
    default: Callable[[], Any] | None
    hidden: bool = False


def made(*, default_factory: Callable[[], Value]) -> Value:
    """The default of a field whose value is made anew each time."""
    return cast("Value", Field(Any, default_factory))


def hidden(*, default: Value) -> Value:
    """The default of a field that code fills in, and that no file may hold."""
    return cast("Value", Field(Any, lambda: default, hidden=True))


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(made, hidden))
class Section:
    """One closed table: unknown keys refuse, and nothing that was written is repeated.

    A subclass names its fields by annotations. Making one checks it, and raises MisfitError.
    """

    def __init__(self, **values: Any) -> None:
        misfits: list[Misfit] = []
        if not _fill(self, values, (), misfits):
            raise MisfitError(tuple(misfits))

    @classmethod
    def from_table(cls, untrusted_table: object) -> Self:
        """The section in a table. Raises MisfitError."""
        misfits: list[Misfit] = []
        found: Self = cls.judged(untrusted_table, (), misfits)
        if misfits:
            raise MisfitError(tuple(misfits))
        return found

    @classmethod
    def from_json(cls, untrusted_text: bytes) -> Self:
        """The section in a JSON object, whose keys must be unique. Raises MisfitError."""
        try:
            table = parse_object(untrusted_text, cls.__name__)
        except EnvelopeRefusedError:
            raise MisfitError((Misfit("json_invalid", (), None),)) from None
        return cls.from_table(table)

    @classmethod
    def judged(cls, given: object, place: Place, misfits: list[Misfit]) -> Any:
        """As checks.Check."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, dict):
            return wrong("model_type", place, given, misfits)
        section = cls.__new__(cls)
        return section if _fill(section, given, place, misfits) else WRONG

    @classmethod
    def own_fields(cls) -> Mapping[str, Field]:
        """The fields in order."""
        # mypy takes the __hash__ of a section for that of its class
        return _fields(cls)  # type: ignore[arg-type]

    def together(self) -> None:
        """What holds of fields together, once each fits. Raises ValueError(`what | fix`)."""

    def changed(self, **changes: Any) -> Self:
        """The same with other values. Raises MisfitError."""
        return type(self)(**(vars(self) | changes))

    def __setattr__(self, name: str, value: object) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot set {name}: a {type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot remove {name}: a {type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        # a table may hold a plate (P9)
        return f"<{type(self).__name__}>"


@cache
def _fields(section: Any) -> Mapping[str, Field]:
    """Annotations are looked up when a table is first read, and not when its module is loaded."""
    found = {}
    for name, annotation in get_type_hints(section, include_extras=True).items():
        if get_origin(annotation) is ClassVar:
            continue
        default = vars(section).get(name, WRONG)
        if isinstance(default, Field):
            found[name] = Field(annotation, default.default, default.hidden)
        else:
            found[name] = Field(annotation, None if default is WRONG else _always(default))
    return found


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


@cache
def _plan(section: Any) -> tuple[tuple[str, Check, Callable[[], Any] | None], ...]:
    return tuple(
        (name, check_of(field.annotation), field.default)
        for name, field in _fields(section).items()
    )


def _fill(section: Section, given: Mapping[Any, Any], place: Place, misfits: list[Misfit]) -> bool:
    """Give a section its values; False, and every misfit noted, where they do not fit."""
    before, values, known = len(misfits), vars(section), 0
    plan = _plan(type(section))  # type: ignore[arg-type]  # as above
    for name, check, default in plan:
        if name in given:
            known += 1
            values[name] = check(given[name], (*place, name), misfits)
        elif default is not None:
            values[name] = default()
        else:
            wrong("missing", (*place, name), None, misfits)
    if known < len(given):
        names = {name for name, _, _ in plan}
        for name in given:
            if name not in names:
                wrong("extra_forbidden", (*place, name), None, misfits)
    if len(misfits) == before:
        try:
            section.together()
        except ValueError as error:
            wrong("value_error", place, None, misfits, str(error))
    return len(misfits) == before
