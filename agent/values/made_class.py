"""Makes a slotted class of a class body with annotations, as `dataclasses.dataclass(slots=True)`
does, and compiles none of its methods before it is first called.

The standard library compiles six methods of each class at import.
With some hundred classes that was a third of the start of `status`.
What is not supported raises TypeError at import: the standard library has it.
"""

from __future__ import annotations

from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agent.values.method_text import Field, Missing, Shape, compiled

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
_SHAPE = "__value_shape__"
_NO_FIELDS = frozenset({"ClassVar", "InitVar", "KW_ONLY", "_KW_ONLY_TYPE"})
_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")


def field(
    *,
    default: Any = Missing,
    default_factory: Any = Missing,
    init: bool = True,
    repr: bool = True,  # noqa: A002 (the standard library's name)
) -> Any:
    """As the standard library's; `repr` false: the value is a secret, or long."""
    if default is not Missing and default_factory is not Missing:
        raise ValueError("cannot specify both default and default_factory")
    return Field("", default, default_factory, init=init, shown=repr)


def dataclass(
    *, slots: bool, frozen: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type[Value]], type[Value]]:
    """As the standard library's, for a class of its own that inherits nothing.

    Raises TypeError, and ValueError where the standard library does.
    """
    if not slots:
        raise TypeError("only slots=True is made here")
    if order and not eq:
        raise ValueError("eq must be true if order is true")
    return lambda plain: _made(plain, frozen=frozen, eq=eq, order=order)


def _made(plain: type[Value], *, frozen: bool, eq: bool, order: bool) -> type[Value]:
    if plain.__bases__ != (object,):
        raise TypeError(f"{plain.__qualname__} inherits, which is not made here")
    body = dict(vars(plain))
    shape = Shape(_fields(plain, body), frozen=frozen, post_init="__post_init__" in body)
    for name in ("__dict__", "__weakref__", *shape.names):
        body.pop(name, None)
    methods = _methods(body, frozen=frozen, eq=eq, order=order)
    told = {
        "__qualname__": plain.__qualname__,
        "__slots__": shape.names,
        "__match_args__": tuple(one.name for one in shape.fields if one.init),
        "__dataclass_fields__": _FIELDS,
        "__dataclass_params__": _PARAMS,
        "__signature__": _SIGNATURE,
        _SHAPE: shape,
    }
    kind: Any = type(plain)
    return cast("type[Value]", kind(plain.__name__, (object,), methods | body | told))


def _fields(plain: type, body: dict[str, Any]) -> tuple[Field, ...]:
    found: list[Field] = []
    for name, annotation in plain.__annotations__.items():
        if _is_no_field(annotation):
            raise TypeError(f"{name}: {annotation} is not made here")
        default = body.get(name, Missing)
        one: Field = default if isinstance(default, Field) else field(default=default)
        if one.default.__class__.__hash__ is None:
            raise ValueError(f"mutable default for field {name} is not allowed")
        if one.init and one.required and any(known.init and not known.required for known in found):
            raise TypeError(f"non-default argument {name!r} follows default argument")
        one.name, one.annotation = name, annotation
        found.append(one)
    return tuple(found)


def _is_no_field(annotation: object) -> bool:
    """What the standard library reads as a word of its own (its manual, "dataclasses")."""
    if not isinstance(annotation, str):
        kind = getattr(annotation, "__origin__", annotation)
        named = kind if isinstance(kind, type) else type(kind)
        annotation = getattr(kind, "_name", None) or named.__name__
    return annotation.partition("[")[0].rpartition(".")[2] in _NO_FIELDS


def _methods(body: dict[str, Any], *, frozen: bool, eq: bool, order: bool) -> dict[str, Any]:
    """What the class gets beside what it says itself, which goes before."""
    methods: dict[str, Any] = {"__init__": _LATE["__init__"], "__repr__": _shown}
    if eq:
        methods["__eq__"] = _LATE["__eq__"]
        # A class that says what is equal, and not its hash, has None for one.
        if body.get("__hash__") is None and "__eq__" in body:
            body.pop("__hash__", None)
        methods["__hash__"] = _LATE["__hash__"] if frozen else None
    refused = [*(_ORDER if order else ()), *(("__setattr__", "__delattr__") if frozen else ())]
    if stated := [name for name in refused if name in body]:
        raise TypeError(f"cannot overwrite attribute {stated[0]}")
    if order:
        methods |= {name: _LATE[name] for name in _ORDER}
    if frozen:
        methods |= {"__setattr__": _no_setting, "__delattr__": _no_removing}
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    return methods


def _owner(kind: type) -> type:
    """The class that was made here: itself, or the one that a plain subclass has it from."""
    return next(one for one in kind.__mro__ if _SHAPE in vars(one))


def _late(name: str) -> Callable[..., Any]:
    """The method that takes its own place when it is called first.

    Two threads that call it at once compile it twice, and both get the same.
    """

    def method(self: Any, *values: Any, **named: Any) -> Any:
        owner = _owner(type(self))
        made = compiled(name, owner, getattr(owner, _SHAPE))
        setattr(owner, name, made)
        return made(self, *values, **named)

    method.__name__ = name
    return method


_LATE = {name: _late(name) for name in ("__init__", "__eq__", "__hash__", *_ORDER)}


@recursive_repr()
def _shown(self: Any) -> str:
    shape: Shape = getattr(self, _SHAPE)
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in shape.fields if one.shown)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _no_setting(self: Any, name: str, value: object) -> None:
    _stop_frozen(self, name, "assign to")
    object.__setattr__(self, name, value)


def _no_removing(self: Any, name: str) -> None:
    _stop_frozen(self, name, "delete")
    object.__delattr__(self, name)


def _stop_frozen(one: object, name: str, act: str) -> None:
    """A plain subclass may have attributes of its own."""
    if _SHAPE in vars(type(one)) or name in getattr(one, _SHAPE).names:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {act} field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, _SHAPE).names]


def _restore(self: Any, values: list[Any]) -> None:
    for name, value in zip(getattr(self, _SHAPE).names, values, strict=True):
        object.__setattr__(self, name, value)


class _Told:
    """What only the standard library's functions ask of a class, found out when they do."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[type], object]) -> None:
        self._find = find

    def __get__(self, _one: object, owner: type) -> Any:
        return self._find(_twin(_owner(owner)))


def _twin(owner: type) -> type:
    """The standard library's class of the same fields."""
    import dataclasses

    shape: Shape = getattr(owner, _SHAPE)
    twin_fields = [
        (
            one.name,
            one.annotation,
            dataclasses.field(
                init=one.init,
                repr=one.shown,
                **({} if one.default is Missing else {"default": one.default}),
                **({} if one.factory is Missing else {"default_factory": one.factory}),
            ),
        )
        for one in shape.fields
    ]
    return dataclasses.make_dataclass(owner.__name__, twin_fields, frozen=shape.frozen)


def _signature(twin: type) -> object:
    import inspect

    return inspect.signature(twin)


_FIELDS = _Told(attrgetter("__dataclass_fields__"))
_PARAMS = _Told(attrgetter("__dataclass_params__"))
_SIGNATURE = _Told(_signature)


def fields(one: Any) -> tuple[Field, ...]:
    """The fields in order, of a value or a class that was made here. Raises AttributeError."""
    shape: Shape = getattr(one, _SHAPE)
    return shape.fields


def replace(one: Value, /, **changes: Any) -> Value:
    """As the standard library's. Raises TypeError, or ValueError for a field that is not given."""
    shape: Shape = getattr(one, _SHAPE)
    for own in shape.fields:
        if own.init:
            if own.name not in changes:
                changes[own.name] = getattr(one, own.name)
        elif own.name in changes:
            raise ValueError(f"field {own.name} is declared with init=False")
    return type(one)(**changes)


def asdict(one: Any) -> dict[str, Any]:
    """As the standard library's; what is no value, list, tuple or dict stays as it is."""
    shape: Shape = getattr(one, _SHAPE)
    return {name: _plain(getattr(one, name)) for name in shape.names}


def _plain(value: Any) -> Any:
    if hasattr(type(value), _SHAPE):
        return asdict(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(name): _plain(one) for name, one in value.items()}
    return value
