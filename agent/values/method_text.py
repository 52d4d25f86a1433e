"""The methods of a value's class as text, compiled one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARED = {"__eq__": "==", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


class Missing:
    """Stands for no default, and for an argument that was not given."""


class Field:
    """One field. `default` or `factory` makes what is not given; `shown`: in the repr."""

    __slots__ = ("annotation", "default", "factory", "init", "name", "shown")

    def __init__(
        self,
        name: str,
        default: Any,
        factory: Any,
        *,
        init: bool,
        shown: bool,
        annotation: Any = None,
    ) -> None:
        self.name = name
        self.default = default
        self.factory = factory
        self.init = init
        self.shown = shown
        self.annotation = annotation

    @property
    def required(self) -> bool:
        """Whether its maker must give it."""
        return self.init and self.default is Missing and self.factory is Missing


class Shape:
    """What the methods of one class are made of."""

    __slots__ = ("fields", "frozen", "names", "post_init")

    def __init__(self, fields: tuple[Field, ...], *, frozen: bool, post_init: bool) -> None:
        self.fields = fields
        self.names = tuple(one.name for one in fields)
        self.frozen = frozen
        self.post_init = post_init


def compiled(name: str, owner: type, shape: Shape) -> Callable[..., Any]:
    """The method of that name."""
    known: dict[str, Any] = {"__missing": Missing}
    if name == "__init__":
        head, lines = _making(owner, shape, known)
    elif name == "__hash__":
        head, lines = "self", [f"return hash({_values('self', shape)})"]
    else:
        compared = f"{_values('self', shape)} {_COMPARED[name]} {_values('other', shape)}"
        same = "other.__class__ is self.__class__"
        head, lines = "self, other", [f"return {compared} if {same} else NotImplemented"]
    text = "\n ".join([f"def {name}({head}):", *(lines or ["pass"])])
    exec(text, known)  # noqa: S102 (names of fields of our own classes, and no other words)
    method: Any = known[name]
    method.__qualname__ = f"{owner.__qualname__}.{name}"
    method.__module__ = owner.__module__
    return method  # type: ignore[no-any-return]


def _values(whose: str, shape: Shape) -> str:
    return f"({''.join(f'{whose}.{name}, ' for name in shape.names)})"


def _making(owner: type, shape: Shape, known: dict[str, Any]) -> tuple[str, list[str]]:
    """`__init__`: its parameters and its lines.

    A frozen value is filled through the slots themselves, which takes half the time of
    `object.__setattr__`.
    """
    head, lines = ["self"], []
    for one in shape.fields:
        known[f"__default_{one.name}"] = one.default
        known[f"__made_{one.name}"] = one.factory
        if one.init:
            head.append(_parameter(one))
        if not (value := _value(one)):
            continue
        if shape.frozen:
            known[f"__set_{one.name}"] = vars(owner)[one.name].__set__
            lines.append(f"__set_{one.name}(self, {value})")
        else:
            lines.append(f"self.{one.name} = {value}")
    if shape.post_init:
        lines.append("self.__post_init__()")
    return ", ".join(head), lines


def _parameter(one: Field) -> str:
    if one.required:
        return one.name
    return f"{one.name}={'__missing' if one.default is Missing else f'__default_{one.name}'}"


def _value(one: Field) -> str:
    """What a field is filled with; empty: `__post_init__` fills it."""
    if one.factory is not Missing:
        made = f"__made_{one.name}()"
        return f"{made} if {one.name} is __missing else {one.name}" if one.init else made
    if one.init:
        return one.name
    return "" if one.default is Missing else f"__default_{one.name}"
