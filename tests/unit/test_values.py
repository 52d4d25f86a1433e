"""Our slotted classes, held against the standard library's dataclasses: the same body is made by
both, and both answer alike.
"""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar

import pytest

import agent
from agent import values
from agent.values.made_class import _SHAPE, _twin
from agent.values.method_text import compiled

THEN = datetime(2026, 11, 29, tzinfo=UTC)


def bodies(of):
    """Classes with all that ours use: made by `of`, which is either module."""
    return plain(of) | with_own_methods(of)


def plain(of):
    """Nothing but fields."""

    @of.dataclass(frozen=True, slots=True)
    class Frozen:
        """Says something."""

        text: str
        number: int = 7
        many: tuple[int, ...] = of.field(default=())
        table: dict[str, int] = of.field(default_factory=dict)
        secret: str = of.field(default="", repr=False)

    @of.dataclass(slots=True)
    class Counted:
        text: str
        counts: Counter[str] = of.field(default_factory=Counter)
        since: datetime = of.field(init=False)
        _again: float = of.field(default=0.5, init=False)

        def __post_init__(self):
            self.since = THEN

    @of.dataclass(frozen=True, slots=True, order=True)
    class Ordered:
        first: int
        second: str = "b"

    @of.dataclass(frozen=True, slots=True, eq=False)
    class Unlike:
        one: int

    @of.dataclass(frozen=True, slots=True)
    class Empty:
        pass

    return {one.__name__: one for one in vars().copy().values() if isinstance(one, type)}


def with_own_methods(of):
    """Methods that go before those that are made."""

    @of.dataclass(slots=True)
    class FilledLate:
        since: datetime = of.field(init=False)
        text: str

        def __post_init__(self):
            self.since = THEN

    @of.dataclass(frozen=True, slots=True)
    class Judged:
        value: str

        def __post_init__(self):
            if not self.value:
                raise ValueError("no value")

        def __repr__(self):
            return "<masked>"

        def __len__(self):
            return len(self.value)

    @of.dataclass(frozen=True, slots=True)
    class Folded:
        value: str

        def __eq__(self, other):
            return isinstance(other, Folded) and self.value.lower() == other.value.lower()

        def __hash__(self):
            return hash(self.value.lower())

    @of.dataclass(frozen=True, slots=True)
    class HalfSaid:  # noqa: PLW1641 (its hash is what is tested)
        value: str

        def __eq__(self, other):
            return True

    return {one.__name__: one for one in vars().copy().values() if isinstance(one, type)}


OURS, THEIRS = bodies(values), bodies(dataclasses)
CALLS = {
    "Frozen": [(("a",), {}), (("a", 8), {"table": {"x": 1}}), ((), {"text": "b", "secret": "s"})],
    "Counted": [(("a",), {}), ((), {"text": "b", "counts": Counter("xyx")})],
    "FilledLate": [(("a",), {}), ((), {"text": "b"})],
    "Ordered": [((1,), {}), ((1, "a"), {}), ((2, "a"), {}), ((1, "b"), {})],
    "Unlike": [((1,), {}), ((1,), {})],
    "Judged": [(("a",), {}), (("b",), {})],
    "Folded": [(("a",), {}), (("A",), {}), (("b",), {})],
    "HalfSaid": [(("a",), {}), (("b",), {})],
    "Empty": [((), {})],
}
NAMES = sorted(OURS)


def answer(ask, *given):
    """What came of it; of an error its class and its words."""
    try:
        found = ask(*given)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is compared)
        return type(error), str(error)
    return found.__name__ if isinstance(found, type) else found


def both(name):
    """The same values of each class."""
    return [
        [kinds[name](*args, **copy.deepcopy(named)) for args, named in CALLS[name]]
        for kinds in (OURS, THEIRS)
    ]


def alike(name, ask):
    """Whether each value of ours answers as its like."""
    ours, theirs = both(name)
    assert [answer(ask, one) for one in ours] == [answer(ask, one) for one in theirs]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_shows_its_fields(name):
    for ask in (repr, str, bool):
        alike(name, ask)
    alike(name, lambda one: [getattr(one, field.name) for field in dataclasses.fields(one)])


@pytest.mark.parametrize("name", NAMES)
def test_values_are_equal_and_ordered_where_theirs_are(name):
    ours, theirs = both(name)
    for ask in (
        *(lambda a, b: a == b, lambda a, b: a != b, lambda a, b: a < b, lambda a, b: a <= b),
        *(lambda a, b: a > b, lambda a, b: a >= b, lambda a, b: {a: 1}.get(b)),
    ):
        found, due = (
            [answer(ask, one, other) for one in given for other in [*given, "text", None]]
            for given in (ours, theirs)
        )
        assert found == due
    if name != "Unlike":  # which hashes by its place
        alike(name, hash)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        ((1, 2, 3, 4, 5, 6, 7), {}),
        ((), {"nobody": 1}),
        (("a",), {"text": "b"}),
        (("",), {}),
    ],
)
def test_wrong_arguments_are_told_in_the_same_words(name, given, named):
    found, due = (
        answer(lambda kind=kinds[name]: repr(kind(*given, **named))) for kinds in (OURS, THEIRS)
    )
    assert found == due


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_value_cannot_be_changed(name):
    def assign(one, field):
        setattr(one, field.name, "new")

    for field in dataclasses.fields(THEIRS[name]):
        for act in (assign, lambda one, field: delattr(one, field.name)):
            found, due = (
                [(answer(act, one, field), answer(repr, one)) for one in given]
                for given in both(name)
            )
            assert found == due
    # Before 3.14 the standard library answers a foreign name with a TypeError of its own.
    due = AttributeError if name in {"Counted", "FilledLate"} else dataclasses.FrozenInstanceError
    with pytest.raises(due):
        both(name)[0][0].nobody = 1


@pytest.mark.parametrize("name", NAMES)
def test_the_class_is_told_alike(name):
    ours, theirs = OURS[name], THEIRS[name]
    for told in ("__slots__", "__match_args__", "__qualname__", "__module__", "__annotations__"):
        assert getattr(ours, told) == getattr(theirs, told), told
    assert not hasattr(ours, "__dict__") or "__dict__" not in dir(ours(*CALLS[name][0][0]))
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert dataclasses.is_dataclass(ours)


@pytest.mark.parametrize("name", NAMES)
def test_the_standard_librarys_functions_take_our_values(name):
    alike(name, dataclasses.asdict)
    alike(name, dataclasses.astuple)
    alike(name, lambda one: [field.name for field in dataclasses.fields(one)])
    alike(name, lambda one: repr(dataclasses.replace(one)))


@pytest.mark.parametrize("name", NAMES)
def test_our_functions_do_the_same(name):
    ours, theirs = both(name)
    for one, other in zip(ours, theirs, strict=True):
        if name != "Counted":  # of whose Counter the standard library of 3.11 makes nonsense
            assert values.asdict(one) == dataclasses.asdict(other)
        assert [field.name for field in values.fields(one)] == [
            field.name for field in dataclasses.fields(other)
        ]
        for changes in ({}, {"text": "new"}, {"since": THEN}, {"nobody": 1}, {"value": ""}):
            found = answer(lambda one=one, changes=changes: repr(values.replace(one, **changes)))
            due = answer(
                lambda other=other, changes=changes: repr(dataclasses.replace(other, **changes))
            )
            # of a field that is not given, the standard library says more
            assert found == due or (
                "since" in changes and "init=False" in due[1] and found[0] is ValueError
            )


def test_a_table_within_a_value_is_plain():
    inner, outer = OURS["Ordered"], OURS["Frozen"]
    made = outer("a", many=(inner(1), [inner(2)]), table={"x": inner(3)})
    assert values.asdict(made)["many"] == (
        {"first": 1, "second": "b"},
        [{"first": 2, "second": "b"}],
    )
    assert values.asdict(made) == dataclasses.asdict(made)


@pytest.mark.parametrize("name", NAMES)
def test_copies_are_equal(name):
    for one in both(name)[0]:
        if name != "Unlike":
            assert copy.copy(one) == one
            assert copy.deepcopy(one) == one


@values.dataclass(frozen=True, slots=True)
class Sent:
    """Pickled by its name."""

    text: str
    more: tuple[int, ...] = ()


def test_a_value_travels_to_another_process():
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Sent("a", (1, 2)), protocol)) == Sent("a", (1, 2))


def test_each_value_has_its_own_table():
    one, other = OURS["Frozen"]("a"), OURS["Frozen"]("a")
    one.table["x"] = 1
    assert other.table == {}


def test_a_value_matches_by_place():
    ordered = OURS["Ordered"]
    match ordered(1, "z"):
        case ordered(first, second):
            assert (first, second) == (1, "z")


def test_a_value_that_holds_itself_can_be_shown():
    found, due = (kinds["Counted"]("a") for kinds in (OURS, THEIRS))
    found.text, due.text = [found], [due]
    assert repr(found) == repr(due)


def test_a_plain_subclass_may_have_attributes_of_its_own():
    class More(OURS["Frozen"]):
        def __init__(self, text, extra):
            super().__init__(text)
            self.extra = extra  # which the standard library answers with an error before 3.14

    one = More("a", 3)
    one.extra = 4
    assert repr(one).endswith("More(text='a', number=7, many=(), table={})")
    del one.extra
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "b"


def test_threads_that_make_the_first_values_at_once_all_get_theirs():
    for _ in range(50):
        kind = bodies(values)["Frozen"]
        barrier, made = threading.Barrier(4), []

        def make(kind=kind, barrier=barrier, made=made):
            barrier.wait()
            made.append(kind("a", 1))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [kind("a", 1)] * 4


def mutable_default(of):
    @of.dataclass(slots=True)
    class Wrong:
        table: list[int] = []  # noqa: RUF012


def default_before(of):
    @of.dataclass(slots=True)
    class Wrong:
        one: int = 1
        other: int


def own_setattr(of):
    @of.dataclass(slots=True, frozen=True)
    class Wrong:
        one: int

        def __setattr__(self, name, value):
            pass


def own_order(of):
    @of.dataclass(slots=True, order=True)
    class Wrong:
        one: int

        def __lt__(self, other):
            return True


def order_alone(of):
    of.dataclass(slots=True, order=True, eq=False)(type("Wrong", (), {}))


def two_defaults(of):
    of.field(default=1, default_factory=list)


WRONG = (mutable_default, default_before, own_setattr, own_order, order_alone, two_defaults)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.__name__)
def test_what_they_refuse_is_refused(wrong):
    found, due = (answer(wrong, of)[0] for of in (values, dataclasses))
    assert found is due
    assert issubclass(found, (TypeError, ValueError))


def test_what_is_not_made_here_is_refused():
    with pytest.raises(TypeError, match="inherits"):
        values.dataclass(slots=True)(type("Lower", (OURS["Frozen"],), {}))
    with pytest.raises(TypeError, match="slots=True"):
        values.dataclass(slots=False)(type("Loose", (), {}))


@pytest.mark.parametrize(
    "annotation",
    [
        *(ClassVar, ClassVar[int], dataclasses.InitVar, dataclasses.InitVar[int]),
        *("ClassVar[int]", "typing.ClassVar", "dataclasses.InitVar[int]", "KW_ONLY"),
        dataclasses.KW_ONLY,
    ],
    ids=range(9),  # workers must agree on names, and KW_ONLY's own has an address
)
def test_what_the_standard_library_takes_for_no_field_is_refused(annotation):
    """Such a name would have become a field, and its value a place in `__init__`."""
    with pytest.raises(TypeError, match="not made here"):
        values.dataclass(slots=True)(type("Odd", (), {"__annotations__": {"one": annotation}}))


def of_the_product():
    """Every class of ours that was made so."""
    for module in pkgutil.walk_packages(agent.__path__, "agent."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [
        kind
        for kind in object.__subclasses__()
        if _SHAPE in vars(kind) and kind.__module__.startswith("agent.")
    ]


@pytest.mark.slow
def test_every_class_of_the_product_is_made_as_the_standard_library_would():
    kinds = of_the_product()
    assert len(kinds) > 400
    for kind in kinds:
        shape, twin = vars(kind)[_SHAPE], _twin(kind)
        made = inspect.signature(compiled("__init__", kind, shape))
        due = inspect.signature(twin)
        assert [*made.parameters][1:] == [*due.parameters], kind
        for name, one in due.parameters.items():
            assert (made.parameters[name].default is one.empty) == (one.default is one.empty), kind
        assert kind.__match_args__ == twin.__match_args__
