"""A closed table as a class, held against pydantic: over every field of every section that there
is, both take the same values, make the same of them, and name the same misfits.
"""

import math
import pickle
from datetime import UTC, date, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as PydanticField

from agent import settings
from agent.core.hotlist import compiled_format
from agent.core.hotlist.intake import manual_acts
from agent.core.policy import camera_roster, charter, jurisdiction
from agent.core.policy.schema import hotlist_rules, tables
from agent.core.text.schema.checks import WRONG, check_of
from agent.core.text.schema.notes import Between, By, Form, Length, MisfitError
from agent.core.text.schema.section import Section, hidden, made
from agent.peers import plate_config
from agent.receiver import receiver_settings
from agent.receiver.inbox import inbox_settings
from agent.receiver.ringing import ring_settings
from agent.vision import models

OF = (
    *(settings, compiled_format, manual_acts, camera_roster, charter, jurisdiction),
    *(hotlist_rules, tables, plate_config, receiver_settings, ring_settings, models),
    inbox_settings,
)
SECTIONS = sorted(
    {
        one
        for module in OF
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Section) and one is not Section
    },
    key=lambda one: f"{one.__module__}.{one.__name__}",
)
FIELDS = [
    pytest.param(field.annotation, id=f"{section.__name__}.{name}")
    for section in SECTIONS
    for name, field in section.own_fields().items()
    if not field.hidden
]
STRICT = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
SIZES = {"too_short", "too_long", "string_too_short", "string_too_long"}
VALUES = (
    *(None, True, False, 0, 1, -1, 2, 8, 10, 16, 24, 80, 320, 1883, 4096, 65_536, 10**12, 10**400),
    *(0.0, 0.05, 0.5, 1.0, 1.5, 60.0, -0.5, 1e300, math.nan, math.inf, -math.inf),
    *("", "a", "10", "true", "x" * 49, "x" * 700, "Main Street", "cam-01", "line\n", "\u0130", "*"),
    *(
        "US-CA",
        "21d",
        "1d",
        "22:00-06:00Z",
        "mqtt.example.org",
        "203.0.113.10",
        "203.0.113.10:8883",
    ),
    *("ca.pem", "sha256/" + "A" * 43 + "=", "A" * 43, "0" * 64, "ab" * 32, "ab" * 64, "##-####"),
    *("exact", "fixed", "none", "linear", "rgb", "A", "permit", "approval", "retention", "plate"),
    *("stolen-vehicle", "school", "local-agency", "postgresql://u@h/d", "postgresql://u:p@h/d"),
    *([], ["a"], ["a", 1], [1], [1, 2, 3], [[1]], [[1], ["a"]], ["plate"], ["exact", "text"]),
    *([0.1, 0.1, 0.5, 0.5], [0.1], [2, 0, 0, 0], ["a"] * 1001, ["203.0.113.10:8883"], ["rate"]),
    *(
        "America/Los_Angeles",
        "tls",
        "camera",
        "https://ring.example.org/x",
        "desk@example.org",
        ["desk@example.org"],
    ),
    *("add", "detector.onnx", "B" * 42 + "E", ["sha256/" + "A" * 43 + "="]),
    *((), (1, 2, 3), ("a",), (0.1, 0.1, 0.5, 0.5), (300, 0, 0)),
    *({}, {"a": 1}, {"a": "b"}, {"a": ["b"]}, {"city": "c", "nosuch": 1}, {"width": 640}),
    *([{}], [{"a": 1}], [{"key": "ab" * 32, "signature": "ab" * 64}], [{"key": 1}]),
    *(
        date(2026, 11, 29),
        datetime(2026, 11, 29, 12, tzinfo=UTC),
        b"x",
        b"x" * 32,
        Path("x"),
        {1},
        object(),
    ),
)


def as_pydantic(annotation):
    """The same type in pydantic's words."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, *notes = inside
        return Annotated[as_pydantic(kind), *map(as_note, notes)]
    if origin in {Union, UnionType}:
        return Union[tuple(map(as_pydantic, inside))]  # noqa: UP007 - of a tuple
    if origin in {list, dict, tuple}:
        return origin[tuple(one if one is Ellipsis else as_pydantic(one) for one in inside)]
    return (
        twin(annotation)
        if isinstance(annotation, type) and issubclass(annotation, Section)
        else annotation
    )


def as_note(note):
    match note:
        case By(function):
            return BeforeValidator(function)
        case Form(pattern):
            return PydanticField(pattern=pattern)
        case Between(ge, gt, le, lt):
            return PydanticField(ge=ge, gt=gt, le=le, lt=lt)
        case Length(least, most):
            return PydanticField(min_length=least, max_length=most)
    raise AssertionError(note)


def twin(section):
    """A pydantic model of the same fields, as it stood here before."""

    class Twin(BaseModel):
        model_config = STRICT

        def model_post_init(self, _context):
            section.together(self)

    for name, field in section.own_fields().items():
        Twin.__annotations__[name] = as_pydantic(field.annotation)
        if field.default is not None:
            setattr(Twin, name, PydanticField(default_factory=field.default))
    space = {
        "__annotations__": Twin.__annotations__,
        "__module__": __name__,
        **{name: vars(Twin)[name] for name in Twin.__annotations__ if name in vars(Twin)},
    }
    return type(section.__name__, (BaseModel,), {"model_config": STRICT, **space})


def judged_by_pydantic(adapter, value):
    """The value, or {(kind, place)}."""
    try:
        return adapter.validate_python(value, strict=True), set()
    except ValidationError as error:
        return WRONG, {
            (one["type"], one["loc"])
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        }


def plain(value):
    """Sections and models as their values, so that both can be compared."""
    if isinstance(value, Section | BaseModel):
        return {name: plain(one) for name, one in vars(value).items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def odd_number(value):
    """No number that a table could mean, somewhere in a value."""
    if isinstance(value, list | tuple):
        return any(map(odd_number, value))
    return (isinstance(value, float) and not math.isfinite(value)) or value == 10**400


@pytest.mark.parametrize("annotation", FIELDS)
def test_pydantic_says_the_same_of_every_value(annotation):
    adapter = TypeAdapter(as_pydantic(annotation))
    check, taken, refused = check_of(annotation), 0, 0
    for value in VALUES:
        misfits = []
        found = check(value, (), misfits)
        assert (found is WRONG) == bool(misfits)
        try:
            theirs, why = judged_by_pydantic(adapter, value)
        except (OverflowError, TypeError):
            theirs, why = WRONG, set()
        taken, refused = taken + (found is not WRONG), refused + (found is WRONG)
        if found is WRONG and (odd_number(value) or (value == 1 and type(value) is not int)):
            continue  # pydantic takes infinite numbers, and `true` and 1.0 for the literal 1
        assert (found is WRONG) == (theirs is WRONG), (value, misfits, why)
        if found is not WRONG:
            assert plain(found) == plain(theirs)
            assert type(found) is type(theirs) or isinstance(found, Section)
        elif why and not {kind for kind, _ in why} & (SIZES | {"missing"}):
            assert {(one.kind, one.place) for one in misfits} == why, value
    assert refused
    assert taken


class Inner(Section):
    low: Annotated[int, Between(ge=0, lt=10)] = 1
    high: Annotated[float, Between(gt=0, le=1)] = 1.0

    def together(self):
        if self.low > self.high * 10:
            raise ValueError("low is above high | swap them")


class Outer(Section):
    name: Annotated[str, Form(r"[a-z]+"), Length(2, 8)]
    inner: Inner = Inner()
    more: list[Inner] = made(default_factory=list)
    way: Literal["up", "down"] | None = None
    where: Path = hidden(default=Path("x"))


def misfits_of(table):
    with pytest.raises(MisfitError) as refused:
        Outer.from_table(table)
    return [(one.kind, one.place) for one in refused.value.misfits]


def test_every_misfit_is_told_at_once_in_the_order_of_the_fields():
    table = {"nosuch": 1, "inner": {"low": 10, "high": True}, "more": [{}, {"low": "1"}], "way": 1}
    assert misfits_of(table) == [
        ("missing", ("name",)),
        ("less_than", ("inner", "low")),
        ("float_type", ("inner", "high")),
        ("int_type", ("more", 1, "low")),
        ("literal_error", ("way",)),
        ("extra_forbidden", ("nosuch",)),
    ]


def test_what_holds_of_fields_together_is_asked_once_each_fits():
    assert misfits_of({"name": "ab", "inner": {"low": 9, "high": 0.5}}) == [
        ("value_error", ("inner",))
    ]
    assert misfits_of({"name": "ab", "inner": {"low": 9, "high": 5}}) == [
        ("less_than_equal", ("inner", "high"))
    ]


@pytest.mark.parametrize("name", ["a", "abcdefghi", "Ab", "ab\n", "abc "])
def test_the_whole_text_has_the_form_and_the_length(name):
    assert [place for _, place in misfits_of({"name": name})] == [("name",)]


def test_a_section_is_made_of_values_checked_and_frozen():
    made_so = Outer(name="ab", inner=Inner(low=3))
    assert (made_so.inner.low, made_so.way, made_so.where) == (3, None, Path("x"))
    assert made_so == Outer.from_table({"name": "ab", "inner": {"low": 3}}) != Outer(name="ab")
    assert hash(made_so.inner) == hash(Inner(low=3))
    assert pickle.loads(pickle.dumps(made_so)) == made_so
    for change in (lambda: setattr(made_so, "name", "cd"), lambda: delattr(made_so, "name")):
        with pytest.raises(AttributeError, match="frozen"):
            change()
    with pytest.raises(MisfitError):
        Outer(name=1)
    with pytest.raises(MisfitError):
        made_so.changed(name="")
    assert made_so.changed(name="cd").inner == made_so.inner


def test_a_list_that_is_a_default_is_nobody_elses():
    first = Outer(name="ab")
    first.more.append(Inner())
    assert Outer(name="ab").more == []


def test_nothing_that_was_written_is_repeated():
    """A table may hold a key or a plate (P9)."""
    with pytest.raises(MisfitError) as refused:
        Outer(name="SECRET")
    assert "SECRET" not in str(refused.value) + repr(Outer(name="secret")).upper()


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"name": "ab", "name": "cd"}', b'{"name": NaN}']
)
def test_json_is_one_object_with_unique_keys(text):
    with pytest.raises(MisfitError) as refused:
        Outer.from_json(text)
    assert [one.kind for one in refused.value.misfits] == ["json_invalid"]
    assert Outer.from_json(b'{"name": "ab"}').name == "ab"


@pytest.mark.parametrize("kind", [set, list[Any] | int | str, Annotated[int, "note"], type[int]])
def test_a_type_that_no_section_holds_is_a_fault_of_the_code(kind):
    if kind is set:
        kind = set[int]
    with pytest.raises((TypeError, ValueError)):
        check_of(kind)
