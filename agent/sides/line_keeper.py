"""Keeps the line of watch in force while it runs: follows the bundles, settles the outbox, logs the
counts.
"""

from collections.abc import Callable

from agent import pipeline
from agent.core.camera.health.watch_facts import WatchFacts
from agent.core.camera.hotlist_facts import NEVER
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import LeafKind
from agent.core.policy.barring import barred
from agent.core.policy.policy import Policy
from agent.core.policy.schema.witness_rules import WitnessRules
from agent.core.reasons import Reason, reason_of
from agent.core.software.installed import FOLDER
from agent.core.text.rfc3339 import from_posix_s
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PlatewardenError
from agent.sides.camera_orders import permitted
from agent.sides.health.reading_keeper import ReadingKeeper
from agent.sides.signed_city import in_force, sentence
from agent.sides.watch_parts import (
    Watch,
    build_outcomes,
    build_settler,
    hotlist_digest,
    orders_for,
    sealer_for,
    tell_hotlist,
)
from agent.software.step_leaves import StepLeaves
from agent.storage.floor_file import FloorWriter
from agent.storage.growth_mailbox import WITNESSED, GrowthWriter
from agent.storage.health.reading_days import NAME as READING
from agent.storage.health.watch_health import WatchHealthWriter
from agent.storage.log_growth import demanded_since
from agent.storage.mailbox import COLLECTED, GROWTH, HEALTH
from agent.values import replace

SETTLE_EVERY_S = 1.0
SETTLE_POLL_S = 0.2


class LineKeeper:
    """Between frames: settles once a second, follows the bundles, logs the hour's counts, feeds the
    watchdog when a frame is done.

    `line`: the one in force; `barred`: newer bundles bar this camera, or list it no more; `floor`:
    how far the log has come, for deliver to keep.
    """

    def __init__(self, watch: Watch, policy: Policy, line: pipeline.Line) -> None:
        self._watch, self._policy, self.line, self.barred = watch, policy, line, False
        self._settler = build_settler(watch, policy, line.outbox)
        self._outcomes = build_outcomes(watch, policy)
        line.decider.stop(self._outcomes.stopped)
        self._next_s = watch.clock.monotonic_s()
        self.floor = FloorWriter(watch.settings.outbox / FLOOR, watch.log)
        self._growth = GrowthWriter(
            watch.settings.outbox / GROWTH,
            watch.settings.receipts / COLLECTED,
            watch.log,
            lambda: watch.clock.now().utc,
            watch.clock.monotonic_s,
            watch.settings.state / "watch" / WITNESSED,
        )
        self._health = WatchHealthWriter(watch.settings.outbox / HEALTH, watch.clock.monotonic_s)
        self._reading = ReadingKeeper(
            watch.settings.state / "watch" / READING,
            line.tally,
            watch.log,
            watch.health.tell,
            watch.clock.monotonic_s,
        )
        self._software = StepLeaves(watch.settings.state / FOLDER, watch.log)
        self._ordered, self._unwitnessed = line.closed, False
        self._ask_for_witnesses()
        self._look_for_witnesses()

    def hours_barred(self) -> bool:
        """Does a bar hold for this camera just now?

        One without hours would have ended the line before.
        """
        return (
            barred(self._policy.barred, self._watch.settings.camera_id, self._watch.clock.now().utc)
            is not None
        )

    def between_frames(self) -> pipeline.Line | None:
        """After each frame: real progress, and nothing else, feeds the watchdog.

        Another line when the bundles have changed.
        """
        self._watch.notifier.progress()
        before = self.line
        if self._watch.clock.monotonic_s() >= self._next_s:
            self.settle()
        return self.line if self.line is not before else None

    def settle(self) -> None:
        """One round of bundles, receipts, deadlines and counts."""
        self._next_s = self._watch.clock.monotonic_s() + SETTLE_EVERY_S
        self._watch.teller.tell_clock(self._watch.clock)
        if self._watch.city is not None and self._watch.city.look():
            self.obey_again()
        now = self._watch.clock.now()
        self._settler.settle(now)
        self._settle_outcomes(now)
        self._watch.log.copy_checkpoint()
        self.floor.write()
        self._growth.write()
        self._reading.look(now)
        self._software.tell()
        self._look_for_witnesses()
        self._health.write(lambda: self._facts(now))
        for hour in self.line.counts.flush(now):
            self.line.log.append(LeafKind.COUNTS, hour)
        self._tell_bundles()

    def obey_again(self) -> None:
        """Policy, hot list, keys and settler from the bundles that are verified now: all of them,
        between two frames, or none.
        """
        standing = self._watch.city.standing if self._watch.city else None
        if standing is None:
            return
        try:
            policy = permitted(self._watch.settings, standing)
        except PlatewardenError as error:
            # told and logged by wait_until_permitted, which comes next
            self.barred = True
            # the car that is in the picture just now must not slip out
            self.line = replace(self.line, closed=Reason(reason_of(error)))
            return
        orders = orders_for(self._watch, policy)
        asked = (self._policy.digest, self.line.hotlist.digest, self.line.closed)
        settler = build_settler(self._watch, policy, self.line.outbox)
        outcomes = build_outcomes(self._watch, policy)
        sealer = sealer_for(self._watch.settings, orders)
        decider = self.line.decider.under(policy)
        decider.stop(outcomes.stopped)
        self.line = replace(
            self.line, hotlist=orders.hotlist, decider=decider, sealer=sealer, closed=orders.closed
        )
        self.line.tracker.wait_for(policy.surest_wanted)
        if asked != (policy.digest, orders.hotlist.digest, orders.closed):
            self.line.tracker.tell_dropped_again()
        tell_hotlist(self._watch.settings, self.line)
        self._settler, self._outcomes, self._policy = settler, outcomes, policy
        self.barred, self._ordered = False, orders.closed
        self._ask_for_witnesses()
        self.line.log.append(
            LeafKind.POLICY,
            {
                **in_force(policy, signed=True),
                "hotlist_digest": hotlist_digest(self._watch.settings, orders.hotlist.digest),
            },
        )

    def _facts(self, now: Instant) -> WatchFacts:
        """How watch is, for deliver to tell."""
        listed = self.line.hotlist
        there = listed.as_of != NEVER
        age_h = (now.utc - listed.as_of).total_seconds() / 3_600
        return WatchFacts(
            now.utc,
            self._watch.health.alarms,
            max(0, int(age_h)) if there else None,
            listed.stale(now.utc),
            now.trust,
            self.line.closed,
            self._reading.state,
        )

    def _settle_outcomes(self, now: Instant) -> None:
        """What became of leads; a rule that stops is told aloud."""
        self._outcomes.settle(now)
        stopped = self._outcomes.stopped
        self.line.decider.stop(stopped)
        names = ", ".join(sorted(stopped))
        told = f"{names} stopped: too many false leads" if stopped else "all release"
        self._watch.teller.tell("rules", told, usual=not stopped)

    def _ask_for_witnesses(self) -> None:
        """What the charter in force says of them, and of reading; since when is looked up once."""
        standing = self._watch.city.standing if self._watch.city else None
        self._witnesses = standing.city.witnesses() if standing else None
        self._reading.obey(standing.city.reading() if standing else None)
        self._demanded_s: int | None = None

    def _look_for_witnesses(self) -> None:
        """Close where too few witnesses have vouched for this log for too long, or where it reads
        worse than promised; and open again.
        """
        rules, now = self._witnesses, self._watch.clock.now()
        late = False
        if rules is not None and rules.close_after_s is not None:
            if now.trust is ClockTrust.UNTRUSTED:
                return  # nothing is released just now
            now_s = int(now.utc.timestamp())
            if self._demanded_s is None:
                self._demanded_s = demanded_since(self._watch.log, rules, now_s)
            found = self._growth.witnessed(rules)
            since_s = max(self._demanded_s, found.at_s if found else 0)
            late = now_s - since_s > rules.close_after_s
            self._tell_witnesses(rules, since_s, late=late)
        worse = Reason.READS_WORSE if self._reading.closes else None
        closed = self._ordered or (Reason.NOT_WITNESSED if late else worse)
        if not self.barred and closed != self.line.closed:
            self.line = replace(self.line, closed=closed)
            self.line.tracker.tell_dropped_again()

    def _tell_witnesses(self, rules: WitnessRules, since_s: int, *, late: bool) -> None:
        """A leaf and a line where it changed."""
        since = from_posix_s(since_s)
        what = f"unwitnessed since {since}: by the charter nothing is released"
        self._watch.teller.tell("witnesses", what if late else "vouch", usual=not late)
        if late == self._unwitnessed:
            return
        self._unwitnessed = late
        if late:
            details = {"reason": Reason.NOT_WITNESSED, "what": f"{what}; wanted: {rules.policy}"}
            self._watch.log.append(LeafKind.REFUSAL, details)
        else:
            self._watch.log.append(LeafKind.CHECKPOINT, {"outcome": "witnessed", "at": since})

    def _tell_bundles(self) -> None:
        """What was refused, and what closes the line although it runs."""
        city = self._watch.city
        if city is None:
            return
        lapses = "; ".join(map(sentence, city.standing.lapses)) if city.standing else ""
        state = city.refusal or lapses
        self._watch.teller.tell("bundles", state or "in force", usual=not state)

    def settle_for(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Wait until the outbox is empty, at most `seconds`; what is left stays for the next
        start.
        """
        clock = self._watch.clock
        end_s = clock.monotonic_s() + seconds
        self.settle()
        while self.line.outbox.pending() and clock.monotonic_s() < end_s and not stopped():
            clock.sleep(SETTLE_POLL_S)
            self.settle()
            self._watch.notifier.progress()

    def close(self) -> None:
        """Log the running hour's counts, and keep how it read."""
        self._reading.keep()
        for hour in self.line.counts.close():
            self.line.log.append(LeafKind.COUNTS, hour)
