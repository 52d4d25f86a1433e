"""Which witnesses must have cosigned: k of these n, groups of groups where a file says so.

A file has the form of https://c2sp.org/tlog-policy: `witness <name> <vkey> [<url>]`, `group <name>
<k|all|any> <name>…`, `quorum <name>`. `log` lines are read over: an auditor's keys of logs come
from the city.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from agent.core.log.cosignature import WitnessKey, parse_witness_key
from agent.values import dataclass, field

MAX_POLICY_BYTES = 262_144
MAX_LINES = 1_000
NONE = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """`name`: the policy's own for it; `url`: where it takes checkpoints, or ""."""

    name: str
    key: WitnessKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `least` of `members`, which are witnesses or groups."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """`quorum`: the name of a witness or a group, or "none"."""

    witnesses: tuple[Witness, ...]
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def met(self, cosigned: Collection[str]) -> bool:
        """Are these witnesses (by the policy's names) enough?"""
        return self.quorum == NONE or self._counts(self.quorum, cosigned)

    def since(self, cosigned: Mapping[str, int]) -> int | None:
        """When the last one signed that was needed; None: too few did. `cosigned`: POSIX seconds by
        name.
        """
        in_order = sorted(cosigned, key=lambda name: (cosigned[name], name))
        for number, name in enumerate(in_order, 1):
            if self.met(in_order[:number]):
                return cosigned[name]
        return None

    def __str__(self) -> str:
        group = self.groups.get(self.quorum)
        if group is None:
            return f"witness {self.quorum}" if self.quorum != NONE else "no witness"
        return f"{group.least} of {len(group.members)} ({', '.join(group.members)})"

    def _counts(self, name: str, cosigned: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._counts(one, cosigned) for one in group.members) >= group.least


def k_of(least: int | None, witnesses: Sequence[Witness]) -> WitnessPolicy:
    """`least` of these, or all of them. Raises ValueError."""
    names = tuple(one.name for one in witnesses)
    least = len(names) if least is None else least
    if not 1 <= least <= len(names):
        msg = f"{least} of {len(names)} witnesses is no quorum"
        raise ValueError(msg)
    _no_twins(witnesses)
    quorum = "quorum"
    while quorum in names:
        quorum += "'"
    return WitnessPolicy(tuple(witnesses), {quorum: Group(least, names)}, quorum)


def parse_policy(untrusted: bytes) -> WitnessPolicy:
    """The file. Raises ValueError, with the line's number where a line is wrong."""
    if len(untrusted) > MAX_POLICY_BYTES:
        msg = f"more than {MAX_POLICY_BYTES} bytes"
        raise ValueError(msg)
    taken = _Lines()
    lines = untrusted.decode("utf-8").split("\n")
    if len(lines) > MAX_LINES:
        msg = f"more than {MAX_LINES} lines"
        raise ValueError(msg)
    for number, line in enumerate(lines, 1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            taken.take(words)
        except ValueError as error:
            msg = f"line {number}: {error}"
            raise ValueError(msg) from None
    if taken.quorum is None:
        msg = "no line `quorum <name>`"
        raise ValueError(msg)
    _no_twins(taken.witnesses)
    return WitnessPolicy(tuple(taken.witnesses), taken.groups, taken.quorum)


class _Lines:
    """The lines so far. A line names only what stands above it, so that nothing goes in a circle
    and no witness counts twice.
    """

    def __init__(self) -> None:
        self.witnesses: list[Witness] = []
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        forms: dict[str, tuple[range, Callable[..., None]]] = {
            "log": (range(1, 3), lambda *_: None),
            "witness": (range(2, 4), self._witness),
            "group": (range(3, MAX_LINES), self._group),
            "quorum": (range(1, 2), self._quorum),
        }
        lengths, taking = forms.get(words[0], (range(0), self._quorum))
        if len(words) - 1 not in lengths:
            msg = "is no line `log`, `witness`, `group` or `quorum` of a witness policy"
            raise ValueError(msg)
        taking(*words[1:])

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        self._new(name)
        self.witnesses.append(Witness(name, parse_witness_key(vkey), url))

    def _group(self, name: str, least: str, *members: str) -> None:
        for member in members:
            if member not in self._names:
                msg = f"{member} is named before it is defined"
                raise ValueError(msg)
            if member in self._members:
                msg = f"{member} is a member already"
                raise ValueError(msg)
            self._members.add(member)
        self._new(name)
        words = {"all": len(members), "any": 1}
        number = words.get(least) or (int(least) if least.isascii() and least.isdigit() else 0)
        if not 1 <= number <= len(members):
            msg = f"{least} of {len(members)} is no quorum"
            raise ValueError(msg)
        self.groups[name] = Group(number, members)

    def _quorum(self, name: str) -> None:
        if self.quorum is not None or (name != NONE and name not in self._names):
            msg = "one quorum, of a name that is defined above"
            raise ValueError(msg)
        self.quorum = name

    def _new(self, name: str) -> None:
        if name in self._names or name == NONE:
            msg = f"{name} is taken"
            raise ValueError(msg)
        self._names.add(name)


def _no_twins(witnesses: Sequence[Witness]) -> None:
    """Mitigates against: one witness that counts as two under two names."""
    if len({one.key.raw for one in witnesses}) != len(witnesses):
        msg = "two witnesses have the same key"
        raise ValueError(msg)
    if len({one.name for one in witnesses}) != len(witnesses):
        msg = "two witnesses have the same name"
        raise ValueError(msg)
