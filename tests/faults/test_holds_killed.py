"""Random reads, epochs and holds, and a receiver that dies between any two steps: nothing is lost
that is held, nothing is kept that is not, and each act is told once.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

import pytest

from agent.core.time.instant import Instant
from agent.core.wire.epochs import deadline_of
from agent.errors import RefusedError
from agent.receiver.epoch_keys import EpochKeyStore
from agent.receiver.holds import hold_keeper
from agent.receiver.holds.hold_desk import Asked
from agent.receiver.holds.hold_keys import HoldKeys
from agent.receiver.holds.hold_log import HoldLog
from agent.receiver.store.holds.sqlite_holds import SqliteHolds
from agent.receiver.store.received_reads import ReceivedReads
from agent.receiver.workplace import Workplace
from agent.sealing.sealer import Sealer
from agent.verifying.hold_check import claimed_hold
from tests.support.holding import DAY, HOUR, Court, take
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE, RECIPIENT, release, sighting

pytestmark = pytest.mark.usefixtures("quick_disk")

OTHER = "cam-test-2"
TURNS = 16
STEPS = (
    (HoldKeys, ("make", "destroy")),
    (SqliteHolds, ("add", "keep", "end", "told")),
    (HoldLog, ("begun", "held", "ended")),
    (EpochKeyStore, ("destroy_due",)),
    (ReceivedReads, ("delete_due",)),
)


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


class Steps:
    """Counts the steps that change something, and dies at the one that was chosen."""

    def __init__(self, monkeypatch):
        self.left = None
        for kind, names in STEPS:
            for name in names:
                monkeypatch.setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, real):
        def step(*arguments, **options):
            self._pass()
            result = real(*arguments, **options)
            self._pass()
            return result

        return step

    def _pass(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KilledError

    def until(self, nth, act):
        """Whether it came to its end."""
        self.left = nth
        try:
            act()
        except KilledError:
            return False
        else:
            return True
        finally:
            self.left = None


@pytest.fixture
def steps(monkeypatch):
    return Steps(monkeypatch)


@dataclass
class World:
    """A receiver with two cameras, and what must be true of it. `holds`: those that were obeyed, by
    id, with the reads that were there then or came since.
    """

    enrolled: Enrolled
    court: Court
    reads: dict = field(default_factory=dict)
    holds: dict = field(default_factory=dict)

    @property
    def place(self):
        return Workplace(self.enrolled.folder)  # each time as after a restart

    def receive(self, captured, retention, device, now):
        enrolled = self.enrolled
        seen = replace(sighting(captured), camera=device)
        sealer = Sealer(device, enrolled.device_key, {RECIPIENT: enrolled.key_list()})
        read = sealer.seal(seen, release(retention_days=retention), len(self.reads) + 1)
        take(self.place, read, now)
        self.reads[read.tags.read_id] = read
        for held in self.holds.values():
            if not now.reached(held["hold"].expires_at) and covered(held["hold"], read):
                held["reads"].add(read.tags.read_id)

    def apply(self, record, now):
        place = self.place
        with closing(place.store()) as store:
            try:
                kept = place.holds.apply(store, record, now).kept
            except RefusedError as error:
                return error.reason
        hold = claimed_hold(record)
        there = {
            name
            for name, read in self.reads.items()
            if covered(hold, read) and now.utc < read.tags.deadline
        }
        self.holds.setdefault(kept.id, {"hold": hold, "reads": there})
        return ""

    def apply_and_say(self, record, now, said):
        said.append(self.apply(record, now))

    def tidy(self, now):
        self.place.tidy(now)

    def check(self, now):
        """After a pass that came to its end."""
        place = self.place
        lasting = {
            name: one for name, one in self.holds.items() if not now.reached(one["hold"].expires_at)
        }
        assert set(place.holds._keys.ids()) == set(lasting)
        assert all(deadline_of(epoch) > now.utc for epoch in place.keys.epochs())
        with closing(place.store()) as store:
            assert {row.read_id for row in store.reads()} == {
                name for name, read in self.reads.items() if now.utc < read.tags.deadline
            }
            for name, one in self.holds.items():
                held = {read.read_id for read in store.holds.reads(name) if not read.refused}
                assert held == (one["reads"] if name in lasting else set())
                if held:
                    asked = Asked(name, None, self.court.holder_key, "C. Custodian")
                    shown = list(place.holds.opened(store, asked, now))
                    assert {each.tags.read_id for each in shown} == held
        self.check_leaves(lasting)

    def check_leaves(self, lasting):
        told = [leaf for leaf in leaves(self.enrolled.folder) if leaf["act"] != "open"]
        wanted = []
        for name, one in self.holds.items():
            wanted += [("begin", name, ""), *(("keep", name, each) for each in one["reads"])]
            wanted += [] if name in lasting else [("end", name, "")]
        assert sorted((one["act"], one["hold"], one.get("read", "")) for one in told) == sorted(
            wanted
        )


def covered(hold, read):
    return hold.covers(read.tags.device, read.tags.read_id, read.tags.captured_at)


def leaves(folder):
    path = folder / "hold-log" / "log.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as log:
        return [json.loads(one) for (one,) in log.execute("SELECT details FROM leaf ORDER BY n")]


@pytest.fixture
def world(tmp_path):
    enrolled = Enrolled(tmp_path / "recipient", now=Instant(CAPTURED))
    key = enrolled.device_key.public_key().public_bytes_raw()
    enrolled.enrol({DEVICE: key, OTHER: key})
    court = Court(tmp_path, minutes=24 * 60)
    court.grant(enrolled)
    return World(enrolled, court)


def random_record(world, random, now):
    """A hold of a few hours before now; sometimes of one read, sometimes signed by one only."""
    until = now.utc - random.choice((0, 1, 5, 20)) * HOUR
    read = random.choice([None, None, None, random.choice([None, *world.reads])])
    hands = random.choice((1, 2, 2, 2, 3))
    return hands, world.court.record(
        hands,
        reference=f"27CR-{random.randrange(10**4):04}",
        device=random.choice((DEVICE, DEVICE, OTHER)),
        since=until - random.choice((12, 24)) * HOUR,
        until=until,
        issued_at=now.utc,
        expires_at=now.utc + random.choice((3, 20, 60, 150)) * HOUR,
        read_id=read,
    )


def insist(steps, random, act):
    """Again and again, each time killed a little later, until it comes to its end."""
    nth = random.randrange(6)
    while not steps.until(nth, act):
        nth += 1 + random.randrange(4)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_that_is_held_and_nothing_is_kept_that_is_not(world, steps, seed):
    random, now = Random(seed), Instant(CAPTURED)
    obeyed = 0
    for _ in range(TURNS):
        now = Instant(now.utc + 9 * HOUR)
        for _ in range(random.randrange(4)):
            captured = now.utc - random.choice((0, 1, 3, 20)) * HOUR
            world.receive(captured, random.choice((2, 3, 5)), random.choice((DEVICE, OTHER)), now)
        if random.random() < 0.9:
            hands, record = random_record(world, random, now)
            said = []
            insist(steps, random, partial(world.apply_and_say, record, now, said))
            assert (hands == 1) == (said[-1] == "signature-invalid")
            assert said[-1] in {"", "signature-invalid", "hold-nothing-here"}
            obeyed += not said[-1]
        insist(steps, random, partial(world.tidy, now))
        world.check(now)
    assert obeyed
    assert any(one["reads"] for one in world.holds.values())


def test_every_step_of_a_holds_life_may_be_the_last(world, steps):
    """Killed at each step once, and finished by the next pass, whoever makes it."""
    nth, now = 0, Instant(CAPTURED + HOUR)
    world.receive(CAPTURED, 3, DEVICE, Instant(CAPTURED))
    (read,) = world.reads.values()
    while True:
        end = now.utc + HOUR / 60
        record = world.court.record(reference=f"case {nth}", issued_at=now.utc, expires_at=end)
        if steps.until(nth, partial(world.apply, record, now)):
            break
        world.tidy(now)  # finishes it, or clears away what was begun
        assert set(HoldKeys(world.enrolled.folder / "epochs").ids()) == _lasting(world)
        assert not world.apply(record, now)
        world.check(now)
        nth, now = nth + 1, Instant(end)
        world.tidy(now)
    assert nth > 8
    world.apply(world.court.record(issued_at=now.utc), now)
    for now in (Instant(read.tags.deadline), Instant(CAPTURED + 31 * DAY)):
        nth = 0
        while not steps.until(nth, partial(world.tidy, now)):
            nth += 1
        world.check(now)


def _lasting(world):
    with closing(world.place.store()) as store:
        return {one.id for one in hold_keeper.open_holds(store)}
