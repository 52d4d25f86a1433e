"""What runs in a forked process of the rounds: the product's own commands, with eyes that see what
a round asks for, a clock that a round can move, and shorter waits.
"""

import faulthandler
import os
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from agent import cli, ledger, pipeline
from agent.bundles import follower
from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.time.instant import Instant
from agent.core.time.trusted_time import Look
from agent.host import clock
from agent.network import checkpoint_post, health_post, publisher
from agent.network.broker_link import LinkLimits
from agent.receiver import connection
from agent.sides import deliver, line_keeper, watch, watch_parts
from agent.storage import growth_mailbox
from agent.storage.health import watch_health
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.faults.rounds import plants, stages
from tests.faults.rounds.city import LATE
from tests.faults.walls import confinement
from tests.support.camera_rig import PLATE
from tests.support.drawn import drawn_car

ATTEMPTS, PLANT = "attempts", "PLATEWARDEN_TEST_PLANT"
CARS, CLOCK = "cars", "clock-moved-s"
LATE_CAR = "late"
_SHOWN = 8
_SEEN = FakePlate(PLATE, box=(250, 280, 140, 44), confidence=0.99, state="US-CA")
_picture = None


def load() -> None:
    """What every start needs, once: the drawn car, and the commands."""
    global _picture  # noqa: PLW0603 - drawn once, before the forks
    _picture = drawn_car(PLATE)
    import agent.commands.deliver
    import agent.commands.receiver.run
    import agent.commands.watch
    import agent.commands.watch_start
    import agent.receiver.service  # noqa: F401 - loaded for the forks


def run(role: str, arguments: list[str], control: Path) -> int:
    """The command to its end; its exit code. `control`: where the round leaves its wishes."""
    faulthandler.enable()  # a signal that ends it says where
    if role == ATTEMPTS:
        return confinement.run(arguments)
    shorten_waits()
    move_clock(control / CLOCK)
    if role == "watch":
        open_eyes(control / CARS)
    stages.install(role, control)
    if planted := os.environ.get(PLANT):
        plants.PLANTS[planted]()
    try:
        cli.main(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def shorten_waits() -> None:
    """A round is a few seconds long: the product's waits, by the same ratio each."""
    ledger.FIRST_WAIT_S, ledger.LONGEST_WAIT_S = 0.5, 2.0
    publisher.FIRST_WAIT_S, publisher.LONGEST_WAIT_S = 0.2, 1.0
    connection.FIRST_PAUSE_S, connection.LONGEST_PAUSE_S = 0.2, 1.0
    connection.SUBSCRIBE_TIMEOUT_S = 6.0
    line_keeper.SETTLE_EVERY_S = 0.1
    growth_mailbox.GROWTH_EVERY_S = 0.3
    checkpoint_post.FIRST_WAIT_S, checkpoint_post.TRY_AGAIN_S = 0.3, 0.5
    checkpoint_post.POST_EVERY_S = 2.0
    watch_health.FIRST_AFTER_S, watch_health.TOLD_EVERY_S = 0.2, 0.5
    health_post.FIRST_WAIT_S, health_post.EVERY_S, health_post.TRY_AGAIN_S = 0.05, 0.7, 0.3
    follower.LOOK_EVERY_S = 0.3
    deliver.PASS_EVERY_S = 0.1
    deliver.LinkLimits = partial(
        LinkLimits, connect_timeout_s=3.0, answer_timeout_s=3.0, acknowledge_timeout_s=4.0
    )


def move_clock(moved: Path) -> None:
    """The wall clock of this machine stands as far off as the file says; by the seam that the
    product has for its clock (clock.Machine). One that was moved is not synchronised.
    """
    right = clock._now

    def by() -> timedelta:
        try:
            return timedelta(seconds=float(moved.read_text()))
        except FileNotFoundError:
            return timedelta()

    class Moved(clock.LinuxMachine):
        def look(self) -> Look:
            return Look(clock._now(), self.boot_s(), self._boot_id(), not by(), rtc=False)

    clock._now = lambda: right() + by()
    clock.LinuxMachine = Moved


def open_eyes(cars: Path) -> None:
    """Watch sees the cars that are asked for, one a file, and settles in between."""
    seen = [_SEEN]
    watch_parts.load_vision = lambda *_, **_more: (FakeDetector(seen), FakeReader(seen))

    def street(parts: watch_parts.Watch, keeper: line_keeper.LineKeeper, _source: str) -> bool:
        while not (keeper.barred or parts.stop()):
            for car in sorted(cars.iterdir()):
                if car.name.startswith("."):
                    continue
                drive(keeper.line, parts.clock.now(), late=LATE_CAR in car.name)
                car.unlink()  # only now: a car that a crash cut short comes again
                keeper.between_frames()
            keeper.between_frames()
            time.sleep(0.01)
        return not keeper.barred

    watch.watch_source = street


def drive(line: pipeline.Line, now: Instant, *, late: bool) -> None:
    """One car through the real line: detect, read, track, vote, match, decide, seal."""
    until = now.utc - LATE if late else now.utc
    tracker = Tracker()
    for number in range(_SHOWN):
        captured = Instant(until - timedelta(seconds=0.1 * (_SHOWN - number)), now.trust)
        frame = Frame(_picture, captured, number)
        for track in tracker.add(frame, pipeline.plates_in(line.detector, line.reader, frame)):
            pipeline.report(line, track)
    for track in tracker.finish():
        pipeline.report(line, track)


if __name__ == "__main__":  # by hand, to look at one process
    sys.exit(run(sys.argv[1], sys.argv[3:], Path(sys.argv[2])))
