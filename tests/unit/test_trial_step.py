"""A trial at every instant: random releases, failures, kills and power cuts, over a machine of
values. It always runs one whole version that was released, and always comes to an end.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as some

from agent.core.software.health_verdict import Verdict
from agent.core.software.installed import Installed, Memory, Trial
from agent.core.software.software_version import SoftwareVersion
from agent.core.software.trial_step import Act, View, next_act

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BASE = Installed(SoftwareVersion(1, 0, 0), "", 1)


def version(number: int) -> Installed:
    return Installed(SoftwareVersion(1, number, 0), f"{number:064x}", 1)


@dataclass
class Machine:
    """`confirmed`, `memory`, `whole` lie on the card, `linked` in memory; `runs`: what the
    processes run.
    """

    confirmed: Installed = BASE
    memory: Memory = field(default_factory=Memory)
    whole: frozenset[str] = frozenset()
    linked: str = ""
    runs: str = ""
    released: set[str] = field(default_factory=lambda: {""})

    def selected(self) -> str:
        """As the launcher chooses."""
        return self.linked if self.linked in self.whole else self.confirmed.sha256

    def start(self) -> None:
        self.runs = self.selected()
        self.sound()

    def sound(self) -> None:
        """What must hold at every instant."""
        assert self.runs in self.released, "runs what nobody released"
        assert self.runs in self.whole | {""}, "runs half a version"
        assert self.confirmed.sha256 in self.whole | {""}

    def power_cut(self) -> None:
        self.linked = ""
        self.start()
        assert self.runs == self.confirmed.sha256

    def run(self, wanted: Trial | None, health: Verdict, cut: int, *, booting: bool) -> bool:
        """One run of the loop, killed after `cut` single writes. True when it came to its end."""
        mine, restored, looks = False, booting, 0
        while True:
            seen = health if looks > 2 else Verdict.WAITING
            view = View(
                self.confirmed, self.memory, self.linked, self.whole, wanted, mine, seen, restored
            )
            act = next_act(view)
            for write in self.writes(act, wanted):
                if cut <= 0:
                    return False
                cut -= 1
                write()
                self.sound()
            mine = mine or act is Act.BEGIN
            restored = act is Act.ROLL_BACK or (restored and act is not Act.SWITCH)
            looks += act is Act.WAIT
            if act in {Act.FINISH, Act.FAIL}:
                wanted = None
            if act is Act.DONE:
                return True
            assert looks < 10, "waits for ever"

    def writes(self, act, wanted):  # noqa: PLR0911 - one for each step
        """The single writes of one step, in their order."""
        match act:
            case Act.UNPACK:
                return [lambda: self.put("whole", self.whole | {wanted.installed.sha256})]
            case Act.BEGIN:
                return [lambda: self.put("memory", self.memory.begun(wanted))]
            case Act.SWITCH:
                tried = self.memory.trial.installed.sha256
                return [lambda: self.put("linked", tried), self.start]
            case Act.CONFIRM:
                return [lambda: self.put("confirmed", self.memory.trial.installed)]
            case Act.FINISH:
                end = self.memory.ended()
                return [lambda: self.put("linked", ""), lambda: self.put("memory", end)]
            case Act.ROLL_BACK:
                return [lambda: self.put("linked", ""), self.start]
            case Act.FAIL:
                return [lambda: self.put("memory", self.memory.ended(3))]
        return []

    def put(self, name, value):
        setattr(self, name, value)


runs = some.tuples(
    some.integers(1, 4),  # the version
    some.sampled_from([Verdict.GOOD, Verdict.BAD]),
    some.integers(0, 12),  # killed after so many writes
    some.booleans(),  # by a power cut, which takes the links in memory
)


@settings(max_examples=400)
@given(some.lists(runs, min_size=1, max_size=8))
def test_one_whole_released_version_runs_at_every_instant(story):
    machine = Machine()
    for signed, (number, health, cut, power) in enumerate(story):
        wanted = Trial(version(number), signed)
        machine.released.add(wanted.installed.sha256)
        before = machine.confirmed
        whole = machine.run(wanted, health, cut, booting=False)
        if power:
            machine.power_cut()
        # the boot's unit, or the one that follows a kill
        assert machine.run(None, Verdict.WAITING, 99, booting=power)
        assert machine.memory.trial is None
        assert machine.linked == ""
        assert machine.runs == machine.confirmed.sha256, "an unconfirmed version goes on running"
        assert machine.confirmed in {before, wanted.installed}
        if whole and wanted.installed != before:
            assert (machine.confirmed == wanted.installed) == (health is Verdict.GOOD)
            assert machine.memory.given_up(wanted.installed.sha256, signed) == (
                health is Verdict.BAD
            )


def cut_runs(health):
    """The confirmed version after a kill at each of the writes, and what settles it."""
    found = []
    for cut in range(20):
        machine = Machine(released={"", version(2).sha256})
        machine.run(Trial(version(2), 1), health, cut, booting=False)
        machine.run(None, Verdict.WAITING, 99, booting=False)
        assert machine.runs == machine.confirmed.sha256
        found.append(machine.confirmed.sha256)
    return found


def test_a_kill_before_the_confirmation_leads_back_and_one_after_it_does_not():
    found = cut_runs(Verdict.GOOD)
    new = version(2).sha256
    assert found == sorted(found), "once confirmed, always confirmed"
    assert found[0] == ""
    assert found[-1] == new
    assert set(cut_runs(Verdict.BAD)) == {""}


def test_a_version_whose_files_have_gone_is_given_up():
    memory = Memory(Trial(version(2), 1))
    view = View(BASE, memory, version(2).sha256, frozenset(), mine=True, health=Verdict.GOOD)
    assert next_act(view) is Act.ROLL_BACK
    assert next_act(replace(view, linked="", restored=True)) is Act.FAIL


def test_a_link_that_nobody_wrote_down_is_removed():
    view = View(BASE, Memory(), version(2).sha256, frozenset({version(2).sha256}))
    assert next_act(view) is Act.ROLL_BACK


def test_what_is_confirmed_already_is_not_tried():
    runs_two = View(version(2), Memory(), "", frozenset(), Trial(version(2), 1))
    assert next_act(runs_two) is Act.DONE


def test_it_is_given_up_when_its_health_failed_or_it_was_cut_off_three_times():
    begun = Memory().begun(Trial(version(2), 5))
    sha256 = version(2).sha256
    assert begun.ended(3).given_up(sha256, 5)
    assert not begun.ended(3).given_up(sha256, 6)
    memory = Memory()
    for _ in range(3):
        assert not memory.given_up(sha256, 5)
        memory = memory.begun(Trial(version(2), 5)).ended(1)
    assert memory.given_up(sha256, 5)
    assert Memory().ended(3) == Memory()


class TestSteps:
    """What happened, for the log."""

    def test_they_are_numbered_on_and_the_oldest_go(self):
        memory = Memory()
        for number in range(120):
            memory = memory.noted(NOW, "begins", version(number))
        assert [one.n for one in memory.steps] == list(range(21, 121))

    def test_a_refusal_is_told_once(self):
        once = Memory().noted(NOW, "refused", version(2), "software-older")
        assert once.noted(NOW, "refused", version(2), "software-older") == once
        assert len(once.noted(NOW, "refused", version(3), "software-older").steps) == 2
