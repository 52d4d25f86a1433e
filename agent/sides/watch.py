"""Builds and runs `watch`: the only process that sees plates. It opens no socket but systemd's
notify socket (P2).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from agent import pipeline
from agent.camera.masked_source import MaskedSource, ZonedDetector, load_view
from agent.camera.sources import is_live, open_source
from agent.core.camera import hotlist_facts
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import LeafKind
from agent.core.policy.barring import barred
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.policy.policy import Policy
from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.disk.atomic_file import private_folder, write_atomic
from agent.errors import PlatewardenError
from agent.host.clock import SystemClock, TrustedClock
from agent.host.memory import keep_out_of_swap
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop
from agent.ports import Clock
from agent.ports import Outbox as OutboxPort
from agent.sealing.device_keys import load_sealing_key
from agent.sealing.sealer import Sealer
from agent.settings import Settings
from agent.settlement import Settler
from agent.sides.camera_health import CameraHealth
from agent.sides.camera_orders import (
    Orders,
    obey,
    permitted,
    reason_of,
    signed_orders,
    unsigned_orders,
)
from agent.sides.signed_city import SignedCity, Standing, in_force
from agent.storage.audit_log import AuditLog
from agent.storage.floor_file import FloorWriter, open_above
from agent.storage.log_key import load_signing_key, origin_of
from agent.storage.mailbox import ReceiptBox
from agent.storage.outbox import Outbox
from agent.verifying.receipt_check import ReceiptVerifier
from agent.vision.model_loader import load_vision

SETTLE_EVERY_S = 1.0
SETTLE_POLL_S = 0.2
WAIT_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What one watch process holds from start to end. `city`: its verified bundles; None on a rig
    with an unsigned folder.
    """

    settings: Settings
    clock: Clock
    log: AuditLog
    city: SignedCity | None
    stop: Stop
    notifier: Notifier
    health: CameraHealth


def run(settings: Settings, source: str, *, settle_s: float, allow_unsigned: bool) -> None:
    """Watch until the source ends or SIGTERM; then wait up to `settle_s` for receipts. Raises
    PlatewardenError.

    An enrolled camera (settings.anchor) obeys verified bundles and nothing else; until the first
    have come, or while they bar it, its sensor stays closed.
    """
    stop, notifier = Stop(), Notifier()
    keep_out_of_swap()
    private_folder(settings.state / "watch")
    trusted = TrustedClock(settings.state / "watch") if settings.anchor.exists() else None
    clock: Clock = trusted or SystemClock()
    with ExitStack() as closing:
        key = load_signing_key(settings.device / "watch-log.key")
        log = closing.enter_context(
            open_above(
                settings.state / "watch" / "log.sqlite",
                origin_of(settings.camera_id, "watch"),
                key,
                clock.now,
                settings.receipts / FLOOR,
            )
        )
        city = SignedCity(settings, "watch", trusted, log) if trusted else None
        watch = Watch(
            settings, clock, log, city, stop, notifier, CameraHealth(settings, clock, log, notifier)
        )
        policy = (
            wait_until_permitted(watch, city)
            if city
            else obey(settings, clock, log, allow_unsigned=allow_unsigned)
        )
        if policy is None:
            return  # told to stop before there was anything to obey
        outbox = Outbox(
            settings.outbox,
            log,
            settings.limits.max_outbox_reads,
            settings.limits.max_envelope_bytes,
        )
        for read_id in outbox.recover():
            print(  # noqa: T201 - the journal must show it too
                f"platewarden: read {read_id} was released and is lost; the log says so",
                file=sys.stderr,
            )
        line = build_line(watch, policy, outbox)
        tell_hotlist(settings, line)
        keeper = Keeper(watch, policy, line)
        log.append(
            LeafKind.START,
            {**in_force(policy, signed=city is not None), "hotlist_digest": line.hotlist.digest},
        )
        keeper.floor.write(at_once=True)
        notifier.ready()
        try:
            while (
                not watch_source(watch, keeper, source)
                and city
                and wait_until_permitted(watch, city, keeper.settle)
            ):
                keeper.obey_again()
            keeper.settle_for(settle_s, stop)
        finally:
            notifier.stopping()
            keeper.close()
            log.append(LeafKind.STOP, {})
            keeper.floor.write(at_once=True)
            if trusted:
                trusted.save()


def watch_source(watch: Watch, keeper: "Keeper", source: str) -> bool:
    """Open the source and run the line: True when it ended or SIGTERM came, False when bundles
    barred this camera, whose sensor is closed again.

    In hours that the policy bars the sensor is closed as well; a recording is played through, and
    its sightings are dropped.
    """
    closes = is_live(source)
    while not (keeper.barred or watch.stop()):
        if closes and keeper.hours_barred():
            wait_for_hours(watch, keeper)
            continue
        frames = MaskedSource(
            open_source(source, watch.settings, watch.clock, tell=watch.health.tell),
            load_view(watch.settings.view),
        )
        try:
            seen = watch.health.looked(frames.frames()) if closes else frames.frames()
            closed = until(
                lambda: watch.stop() or keeper.barred or (closes and keeper.hours_barred()), seen
            )
            pipeline.watch(keeper.line, closed, keeper.between_frames)
        finally:
            frames.close()
        if not (closes and keeper.hours_barred()):
            break
    return not keeper.barred


def wait_for_hours(watch: Watch, keeper: "Keeper") -> None:
    """Until the policy bars this hour no more, or bundles or SIGTERM end the wait. Receipts,
    bundles and the watchdog go on meanwhile.
    """
    watch.notifier.status("watches nothing: the city bars this hour")
    while keeper.hours_barred() and not keeper.barred and not watch.stop():
        keeper.between_frames()
        watch.clock.sleep(WAIT_POLL_S)
    watch.notifier.status(watch.health.standing())


def wait_until_permitted(
    watch: Watch, city: SignedCity, meanwhile: Callable[[], None] = lambda: None
) -> Policy | None:
    """Wait for verified bundles that let this camera watch; None when SIGTERM came first.
    `meanwhile`: receipts and deadlines go on. Raises StorageError.
    """
    told: Standing | None = None
    watch.notifier.ready()
    while not watch.stop():
        city.look()
        standing = city.standing
        try:
            if standing is not None:
                return permitted(watch.settings, standing)
            watch.notifier.status("waits for its city's bundles")
        except PlatewardenError as error:
            if standing != told:
                watch.log.append(
                    LeafKind.REFUSAL, {"reason": reason_of(error), "what": f"policy: {error.what}"}
                )
            told = standing
            watch.notifier.status(f"watches nothing: {error.what}")
        meanwhile()
        watch.notifier.progress()
        watch.clock.sleep(WAIT_POLL_S)
    return None


def build_line(watch: Watch, policy: Policy, outbox: Outbox) -> pipeline.Line:
    """The parts of the line. Raises ModelError, ConfigError, StorageError, EnvelopeRefusedError."""
    settings = watch.settings
    detector, reader = load_vision(settings.models.threads, settings.models.directory)
    orders = orders_for(watch, policy)
    return pipeline.Line(
        camera=settings.camera_id,
        detector=ZonedDetector(detector, load_view(settings.view)),
        reader=reader,
        tracker=Tracker(),
        hotlist=orders.hotlist,
        decider=Decider(policy),
        sealer=sealer_for(settings, orders),
        outbox=outbox,
        log=watch.log,
        counts=Counts(),
        closed=orders.closed,
    )


def orders_for(watch: Watch, policy: Policy) -> Orders:
    """Hot list and keys beside the policy, from the same bundles."""
    today = watch.clock.now().utc.date()
    if watch.city is None or watch.city.standing is None:
        return unsigned_orders(watch.settings, policy, today)
    return signed_orders(watch.settings, watch.city.standing, policy, today, watch.log)


def sealer_for(settings: Settings, orders: Orders) -> Sealer:
    """Seals with this device's key, to the recipients' keys in force."""
    return Sealer(settings.camera_id, load_sealing_key(settings.device), dict(orders.keys))


def tell_hotlist(settings: Settings, line: pipeline.Line) -> None:
    """How old the list in force is, for `status`, which cannot open it. Raises StorageError."""
    listed = line.hotlist
    write_atomic(
        settings.state / "watch" / hotlist_facts.NAME,
        hotlist_facts.format_facts(listed.as_of, listed.stale_after, listed.digest),
        0o640,
    )


def build_settler(watch: Watch, policy: Policy, outbox: OutboxPort) -> Settler:
    """What empties the outbox: receipts, deadlines, withdrawals."""
    most = watch.settings.limits.max_receipt_bytes
    keys = {recipient.id: recipient.signing_key for recipient in policy.recipients.values()}
    receipts = ReceiptBox(watch.settings.receipts, most)
    return Settler(policy, outbox, receipts, ReceiptVerifier(keys, most), watch.log)


class Keeper:
    """Between frames: settles once a second, follows the bundles, logs the hour's counts, feeds the
    watchdog when a frame is done.

    `line`: the one in force; `barred`: newer bundles bar this camera, or list it no more; `floor`:
    how far the log has come, for deliver to keep.
    """

    def __init__(self, watch: Watch, policy: Policy, line: pipeline.Line) -> None:
        self._watch, self._policy, self.line, self.barred = watch, policy, line, False
        self._settler = build_settler(watch, policy, line.outbox)
        self._next_s = watch.clock.monotonic_s()
        self.floor = FloorWriter(watch.settings.outbox / FLOOR, watch.log)

    def hours_barred(self) -> bool:
        """Does a bar hold for this camera just now? One without hours would have ended the line
        before.
        """
        return (
            barred(self._policy.barred, self._watch.settings.camera_id, self._watch.clock.now().utc)
            is not None
        )

    def between_frames(self) -> pipeline.Line | None:
        """After each frame: real progress, and nothing else, feeds the watchdog. Another line when
        the bundles have changed.
        """
        self._watch.notifier.progress()
        before = self.line
        if self._watch.clock.monotonic_s() >= self._next_s:
            self.settle()
        return self.line if self.line is not before else None

    def settle(self) -> None:
        """One round of bundles, receipts, deadlines and counts."""
        self._next_s = self._watch.clock.monotonic_s() + SETTLE_EVERY_S
        if self._watch.city is not None and self._watch.city.look():
            self.obey_again()
        now = self._watch.clock.now()
        self._settler.settle(now)
        self._watch.log.copy_checkpoint()
        self.floor.write()
        for hour in self.line.counts.flush(now):
            self.line.log.append(LeafKind.COUNTS, hour)

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
        orders = signed_orders(
            self._watch.settings,
            standing,
            policy,
            self._watch.clock.now().utc.date(),
            self._watch.log,
        )
        settler = build_settler(self._watch, policy, self.line.outbox)
        sealer = sealer_for(self._watch.settings, orders)
        decider = self.line.decider.under(policy)
        self.line = replace(
            self.line, hotlist=orders.hotlist, decider=decider, sealer=sealer, closed=orders.closed
        )
        tell_hotlist(self._watch.settings, self.line)
        self._settler, self._policy, self.barred = settler, policy, False
        self.line.log.append(
            LeafKind.POLICY,
            {**in_force(policy, signed=True), "hotlist_digest": orders.hotlist.digest},
        )

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
        """Log the running hour's counts."""
        for hour in self.line.counts.close():
            self.line.log.append(LeafKind.COUNTS, hour)


def until(stopped: Callable[[], bool], frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, up to the signal to stop; the frame in hand is finished first."""
    for frame in frames:
        if stopped():
            return
        yield frame
