"""Builds and runs `watch`: the only process that sees plates. It opens no socket but systemd's
notify socket (P2).
"""

from collections.abc import Callable, Iterator

from agent import pipeline
from agent.camera.masked_source import MaskedSource, load_view
from agent.camera.sources import is_live, open_source
from agent.core.log.checkpoint import origin_of
from agent.core.log.closing_words import WatchTotals, watch_totals
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import LeafKind
from agent.core.policy.policy import Policy
from agent.core.reading.sighting import Frame
from agent.core.reasons import reason_of
from agent.disk.atomic_file import private_folder
from agent.errors import PlatewardenError
from agent.host.clock import SystemClock, TrustedClock
from agent.host.memory import keep_out_of_swap
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop
from agent.host.teller import Teller
from agent.ports import Clock
from agent.settings import Settings
from agent.sides.camera_health import CameraHealth
from agent.sides.camera_orders import obey, permitted
from agent.sides.line_keeper import LineKeeper
from agent.sides.signed_city import SignedCity, Standing, in_force
from agent.sides.watch_parts import Watch, build_line, hotlist_digest, opened_outbox, tell_hotlist
from agent.software.running_version import running, told
from agent.storage.audit_log import AuditLog
from agent.storage.floor_file import open_above
from agent.storage.log_key import load_signing_key
from agent.storage.mailbox import OutboxReader
from agent.verifying.device_public_file import load_own_public

WAIT_POLL_S = 1.0


def run(
    settings: Settings,
    source: str,
    *,
    settle_s: float,
    allow_unsigned: bool,
    stills: bool = False,
    teller: Teller | None = None,
    closing: Callable[[WatchTotals], None] = lambda _: None,
) -> None:
    """Watch until the source ends or SIGTERM; then wait up to `settle_s` for receipts. Raises
    PlatewardenError.

    An enrolled camera (settings.anchor) obeys verified bundles and nothing else; until the first
    have come, or while they bar it, its sensor stays closed.

    `stills`: the source holds pictures that have nothing to do with each other. `teller`: says each
    change of state; `closing` is told at the end, whatever ended it.
    """
    stop, notifier, teller = Stop(), Notifier(), teller or Teller("watch")
    load_own_public(settings)
    keep_out_of_swap()
    private_folder(settings.state / "watch")
    trusted = TrustedClock(settings.state / "watch") if settings.anchor.exists() else None
    clock: Clock = trusted or SystemClock()
    with opened_log(settings, clock) as log:
        try:
            city = SignedCity(settings, "watch", trusted, log) if trusted else None
            health = CameraHealth(settings, clock, log, notifier, teller)
            watch = Watch(settings, clock, log, city, stop, notifier, health, teller, stills)
            _run(watch, source, settle_s, trusted, allow_unsigned=allow_unsigned)
        finally:
            closing(watch_totals(log.tally, waiting(settings)))


def _run(
    watch: Watch,
    source: str,
    settle_s: float,
    trusted: TrustedClock | None,
    *,
    allow_unsigned: bool,
) -> None:
    settings, log, notifier = watch.settings, watch.log, watch.notifier
    policy = (
        wait_until_permitted(watch, watch.city)
        if watch.city
        else obey(settings, watch.clock, log, allow_unsigned=allow_unsigned)
    )
    if policy is None:
        return  # told to stop before there was anything to obey
    line = build_line(watch, policy, opened_outbox(watch))
    tell_hotlist(settings, line)
    keeper = LineKeeper(watch, policy, line)
    begun = {"hotlist_digest": hotlist_digest(settings, line.hotlist.digest)}
    obeyed = in_force(policy, signed=watch.city is not None)
    log.append(LeafKind.START, {**obeyed, **begun, **told(running())})
    keeper.floor.write(at_once=True)
    notifier.ready()
    try:
        watch_while_permitted(watch, keeper, source)
        keeper.settle_for(settle_s, watch.stop)
    finally:
        notifier.stopping()
        keeper.close()
        log.append(LeafKind.STOP, {})
        keeper.floor.write(at_once=True)
        if trusted:
            trusted.save()


def opened_log(settings: Settings, clock: Clock) -> AuditLog:
    """Watch's own log, signed with its key, above the floor that deliver shows.

    Raises StorageError, LogRefusedError.
    """
    return open_above(
        settings.state / "watch" / "log.sqlite",
        origin_of(settings.camera_id, "watch", load_own_public(settings).domain),
        load_signing_key(settings.device / "watch-log.key"),
        clock.now,
        settings.receipts / FLOOR,
    )


def watch_while_permitted(watch: Watch, keeper: LineKeeper, source: str) -> None:
    """Until the source ends or SIGTERM; bundles that bar this camera close its sensor until others
    come.
    """
    while (
        not watch_source(watch, keeper, source)
        and watch.city
        and wait_until_permitted(watch, watch.city, keeper.settle)
    ):
        keeper.obey_again()


def watch_source(watch: Watch, keeper: LineKeeper, source: str) -> bool:
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
            open_source(
                source,
                watch.settings,
                watch.clock,
                stills=watch.stills,
                tell=watch.health.tell,
            ),
            load_view(watch.settings.view),
        )
        try:
            seen = watch.health.looked(frames.frames()) if closes else frames.frames()
            closed = until(
                lambda: watch.stop() or keeper.barred or (closes and keeper.hours_barred()), seen
            )
            play = pipeline.watch_stills if watch.stills else pipeline.watch
            play(keeper.line, closed, keeper.between_frames)
        finally:
            frames.close()
        if not (closes and keeper.hours_barred()):
            break
    return not keeper.barred


def wait_for_hours(watch: Watch, keeper: LineKeeper) -> None:
    """Until the policy bars this hour no more, or bundles or SIGTERM end the wait. Receipts,
    bundles and the watchdog go on meanwhile.
    """
    watch.notifier.status("watches nothing: the city bars this hour")
    watch.teller.tell("camera", "is closed: the city bars this hour")
    while keeper.hours_barred() and not keeper.barred and not watch.stop():
        keeper.between_frames()
        watch.clock.sleep(WAIT_POLL_S)
    watch.notifier.status(watch.health.standing())
    watch.teller.tell("camera", "watches")


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
                policy = permitted(watch.settings, standing)
                watch.teller.tell("bundles", "in force", usual=True)
                return policy
            watch.notifier.status("waits for its city's bundles")
            watch.teller.tell("bundles", waits_for(watch, city))
        except PlatewardenError as error:
            if standing != told:
                watch.log.append(
                    LeafKind.REFUSAL, {"reason": reason_of(error), "what": f"policy: {error.what}"}
                )
            told = standing
            watch.notifier.status(f"watches nothing: {error.what}")
            watch.teller.tell("bundles", f"watches nothing: {error}")
        watch.teller.tell_clock(watch.clock)
        meanwhile()
        watch.notifier.progress()
        watch.clock.sleep(WAIT_POLL_S)
    return None


def waits_for(watch: Watch, city: SignedCity) -> str:
    """Why there is nothing to obey yet."""
    none = f"none have come to {watch.settings.bundles} (run `platewarden update`, or copy a stick)"
    return f"waits for its city's: {city.refusal or none}"


def waiting(settings: Settings) -> int:
    """How many reads lie in the outbox."""
    return len(OutboxReader(settings.outbox, settings.limits.max_envelope_bytes).pending())


def until(stopped: Callable[[], bool], frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, up to the signal to stop; the frame in hand is finished first."""
    for frame in frames:
        if stopped():
            return
        yield frame
