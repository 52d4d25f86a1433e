"""One broker's turn: everything starts, reads flow, receivers and nodes are killed, everything is
counted.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fleet import brokers
from tests.fleet.city import FleetCity
from tests.fleet.counting import Told, faults
from tests.fleet.gaps import Gap, Moment, gaps
from tests.fleet.receivers import IN_HAND, Receivers
from tests.fleet.session_pool import SessionPool, resident_bytes
from tests.fleet.sizes import Sizes
from tests.support.postgresql import Postgresql

STEP_S, UP_S = 0.05, 900.0  # a busy machine starts RabbitMQ in minutes
Show = Callable[[str, int, int], None]
"""What is going on; so many of so many."""


class StuckError(AssertionError):
    """Something did not come in its time."""


@dataclass
class Outcome:
    """One broker's figures. `faults`: empty where every promise held. `back_s`: seconds from the
    start of each broker or node that was killed until all let in again, `after_s` at least.
    """

    broker: str
    cameras: int
    sessions: int
    connected: int = 0
    signing_s: float = 0.0
    connect_s: float = 0.0
    reads: int = 0
    flowing_s: float = 0.0
    settled_s: float = 0.0
    kills: int = 0
    ended: list[str] = field(default_factory=list)
    rung_again: int = 0
    told_again: int = 0
    sessions_mb: float = 0.0
    cameras_mb: float = 0.0
    broker_mb: float = 0.0
    back_s: list[float] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def table(self) -> dict[str, object]:
        """For JSON."""
        rounded = {
            name: round(one, 2) if isinstance(one, float) else one
            for name, one in asdict(self).items()
        }
        rounded["back_s"] = [round(one, 1) for one in self.back_s]
        rounded["gaps"] = [
            {key: round(one, 2) if isinstance(one, float) else one for key, one in gap.items()}
            for gap in rounded["gaps"]
        ]
        return rounded


class Play:
    """Holds all that runs, for one broker; `run` plays it through."""

    def __init__(self, folder: Path, name: str, sizes: Sizes, show: Show) -> None:
        self._sizes, self._show, self._folder = sizes, show, folder
        self.outcome = Outcome(name, sizes.cameras, sizes.sessions)
        show("certificates", 0, sizes.sessions + sizes.cameras)
        self._broker = brokers.broker_in(folder / "broker", name, sizes.store)
        self._postgresql = Postgresql(durable=True)

    def run(self) -> Outcome:
        """Raises nothing that a fault of the fleet may raise: it stands in `faults`."""
        with self._postgresql:
            self._url = self._postgresql.url()
            self._city = FleetCity(self._folder, self._broker, self._url, self._sizes)
            self.outcome.signing_s = self._city.signing_s
            with self._broker:
                self._receivers = Receivers(self._folder, self._city.shared)
                self._make_cameras()
                try:
                    self._with_all()
                except AssertionError as error:
                    self.outcome.faults.append(f"{error}")
                finally:
                    self._pool.kill()
                    self._cameras.end()
                    self._receivers.discard()
        return self.outcome

    def _make_cameras(self) -> None:
        self._cameras = self._city.made_cameras()
        self._pool = SessionPool([], self._folder / "sessions.out")

    def _with_all(self) -> None:
        self._start()
        moments = self._flow()
        end_s = time.monotonic()
        self._settle()
        self.outcome.settled_s = time.monotonic() - end_s
        self._count()
        sent, got = self._pool.sent | self._cameras.sent, self._pool.got | self._cameras.got
        self.outcome.gaps = gaps(moments, end_s, sent, got)

    def _start(self) -> None:
        sizes, outcome, desk = self._sizes, self.outcome, self._city.desk
        addresses = len(desk.place.addresses)
        self._until(
            lambda: not brokers.unanswered(desk), "the broker", UP_S, lambda: (0, addresses)
        )
        self._receivers.start()
        self._until(self._receivers.ready, "the receivers", UP_S, lambda: (0, 2))
        began_s = time.monotonic()
        self._pool = SessionPool(self._city.tasks(sizes), self._folder / "sessions.out")
        self._cameras.start()
        self._until(
            lambda: self._pool.sum("connected") == sizes.sessions,
            "the sessions",
            sizes.connect_s,
            lambda: (self._pool.sum("connected"), sizes.sessions),
        )
        outcome.connect_s, outcome.connected = (
            time.monotonic() - began_s,
            self._pool.sum("connected"),
        )

    def _flow(self) -> list[Moment]:
        """Reads flow, and what is to be killed is killed."""
        sizes, began_s = self._sizes, time.monotonic()
        moments = [Moment("nothing is killed", began_s)]
        self._pool.tell("go")
        self._wait(sizes.calm_s, "calm")
        for _ in range(sizes.rounds):
            for number in range(sizes.receiver_kills):
                moments.append(Moment("a receiver", time.monotonic()))
                self._receivers.kill(number % 2)
                self._wait(sizes.kill_every_s, "a receiver is killed")
            for what in self._broker.kills:
                moments.append(Moment(what, time.monotonic()))
                self._kill(what)
        moments.append(Moment(f"{self._broker.kills[-1]}, and a receiver", time.monotonic()))
        self._receivers.kill(0)
        self._kill(self._broker.kills[-1], last=True)
        self._weigh()
        self._pool.tell("stop")
        self.outcome.flowing_s, self.outcome.kills = time.monotonic() - began_s, len(moments) - 1
        return moments

    def _kill(self, what: str, *, last: bool = False) -> None:
        """It stays away for a while, comes back, and is there again before anything else is
        killed. The last one is waited for by nobody: what it had must be settled all the same.
        """
        killed_s, back = time.monotonic(), self._broker.kill(what)
        self._wait(self._sizes.down_s, f"{what} is killed")
        back()
        self._wait(self._sizes.after_s - (time.monotonic() - killed_s), f"{what} is killed")
        if last:
            return
        desk = self._city.desk
        self._until(lambda: not brokers.unanswered(desk), f"{what} again", UP_S, lambda: (0, 1))
        self.outcome.back_s.append(time.monotonic() - killed_s - self._sizes.down_s)

    def _weigh(self) -> None:
        self.outcome.sessions_mb = self._pool.resident_bytes() / 1e6
        self.outcome.cameras_mb = self._cameras.resident_bytes() / 1e6
        self.outcome.broker_mb = sum(map(resident_bytes, self._broker.pids())) / 1e6

    def _settle(self) -> None:
        def waiting() -> int:
            return self._pool.sum("waiting") + self._cameras.waiting() + self._left()

        most, quiet = waiting(), lambda: not waiting()
        self._until(
            quiet,
            "every receipt",
            self._sizes.settle_s,
            lambda: (most - waiting(), most),
            fatal=False,
        )
        self._pool.end()

    def _count(self) -> None:
        if self._sizes.plant == "double-ring":
            self._ring_again()
        codes = self._receivers.stop()
        if self._sizes.plant == "lost-read":  # not before: a receiver may still store it again
            self._ask(
                "DELETE FROM reads WHERE read_id = (SELECT min(read_id) FROM reads) RETURNING 1"
            )
        lines, rung = self._receivers.lines(), self._receivers.rung.leads()
        stored = dict(self._ask("SELECT read_id, count(*) FROM reads GROUP BY read_id"))
        told = Told(
            sent=(self._pool.sent | self._cameras.sent).keys(),
            receipted=(self._pool.got | self._cameras.got).keys(),
            stored=stored,
            lines=lines,
            rung=rung,
            waiting=self._left(),
            odd=self._pool.sum("odd") + self._cameras.odd,
            may_tell_again=IN_HAND * self._receivers.kills,
            may_ring_again=self._receivers.may_ring_again,
        )
        self.outcome.reads = len(told.sent)
        self.outcome.told_again = lines.total() - len(lines)
        self.outcome.rung_again = rung - len(stored)
        self.outcome.faults += faults(told)
        self.outcome.faults += [f"a camera has ended: {one}" for one in self._cameras.dead()]
        self.outcome.faults += [f"a receiver ended with {code}" for code in codes if code]
        self.outcome.ended = self._receivers.ended

    def _ring_again(self) -> None:
        """Leads that rang are put among those that wait to be rung."""
        row = "INSERT INTO to_ring SELECT 'desk', device, read_id FROM reads LIMIT 5 RETURNING 1"
        self._ask(row)
        self._until(lambda: not self._left(), "the planted ring", 90.0, lambda: (0, 1))

    def _left(self) -> int:
        [(rows,)] = self._ask(
            "SELECT (SELECT count(*) FROM to_tell) + (SELECT count(*) FROM to_ring)"
        )
        return int(rows)

    def _ask(self, query: str) -> list[tuple[object, ...]]:
        return list(self._postgresql.ask(self._url, query))

    def _turn(self, *, sending: bool) -> None:
        """Play watch, and keep the real cameras' reads coming."""
        if sending and self._cameras.all:
            share = self._sizes.cameras / (self._sizes.cameras + self._sizes.sessions)
            if time.monotonic() >= self._next_s:
                self._cameras.send()
                self._next_s = max(self._next_s, time.monotonic() - 1) + 1 / (
                    self._sizes.rate * share
                )
        self._cameras.settle()
        self._receivers.supervise()
        time.sleep(STEP_S)

    _next_s = 0.0

    def _wait(self, seconds: float, what: str) -> None:
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            self._show(what, int(passed_s), int(seconds))
            self._turn(sending=True)

    def _until(
        self,
        done: Callable[[], bool],
        what: str,
        within_s: float,
        far: Callable[[], tuple[int, int]],
        *,
        fatal: bool = True,
    ) -> None:
        """Raises StuckError, unless the counting will tell."""
        end_s = time.monotonic() + within_s
        while not done():
            self._show(what, *far())
            for _ in range(10):
                self._turn(sending=False)
            if time.monotonic() > end_s and not fatal:
                return
            if time.monotonic() > end_s:
                raise StuckError(f"waited {within_s:g} s for {what}: {far()[0]} of {far()[1]}")
