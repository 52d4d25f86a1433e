"""Builds and runs `watch`: the only process that sees plates. It opens no socket but systemd's notify socket (P2)."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

from agent import pipeline
from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import read_hotlist
from agent.camera.sources import open_source
from agent.clock import SystemClock
from agent.core.camera_roster import require_camera
from agent.core.counts import Counts
from agent.core.deciding import Decider
from agent.core.epochs import EpochKeys
from agent.core.leaf import LeafKind
from agent.core.policy import Policy, require_in_force
from agent.core.reasons import Reason
from agent.core.sighting import Frame
from agent.core.tracking import Tracker
from agent.errors import PlatewardenError, PolicyRefusedError, RefusedError
from agent.notify import Notifier
from agent.ports import AuditLog as AuditLogPort
from agent.ports import Clock
from agent.sealing.device_keys import load_sealing_key
from agent.sealing.sealer import Sealer
from agent.settings import Settings
from agent.settling import Settler
from agent.stopping import Stop
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import load_signing_key, origin_of
from agent.storage.mailbox import ReceiptBox
from agent.storage.outbox import Outbox
from agent.verifying.device_public import load_device_public
from agent.verifying.envelope import EnvelopeVerifier
from agent.verifying.key_list import verify_key_list
from agent.verifying.receipt import ReceiptVerifier
from agent.vision.loading import load_vision

SETTLE_EVERY_S = 1.0
SETTLE_POLL_S = 0.2


def run(settings: Settings, source: str, *, settle_s: float, allow_unsigned: bool) -> None:
    """Watch until the source ends or SIGTERM; then wait up to `settle_s` for receipts. Raises PlatewardenError."""
    clock, stop, notifier = SystemClock(), Stop(), Notifier()
    with ExitStack() as closing:
        key = load_signing_key(settings.device / "watch-log.key")
        log = closing.enter_context(AuditLog(settings.state / "watch" / "log.sqlite", origin_of(settings.camera_id, "watch"), key, clock.now))
        policy = obey(settings, clock, log, allow_unsigned=allow_unsigned)
        outbox = Outbox(settings.outbox, log, settings.limits.max_outbox_reads, settings.limits.max_envelope_bytes)
        for read_id in outbox.recover():
            print(f"platewarden: read {read_id} was released and is lost; the log says so", file=sys.stderr)  # noqa: T201 - the journal must show it too
        line = build_line(settings, policy, clock, outbox, log)
        frames = open_source(source, settings, clock)
        closing.callback(frames.close)
        keeper = Keeper(build_settler(settings, policy, outbox, log), line, clock, notifier)
        log.append(
            LeafKind.START, {"policy": policy.name, "policy_version": policy.version, "policy_digest": policy.digest, "hotlist_digest": line.hotlist.digest}
        )
        notifier.ready()
        try:
            pipeline.watch(line, until(stop, frames.frames()), keeper.between_frames)
            keeper.settle_for(settle_s, stop)
        finally:
            notifier.stopping()
            keeper.close()
            log.append(LeafKind.STOP, {})


def obey(settings: Settings, clock: Clock, log: AuditLogPort, *, allow_unsigned: bool) -> Policy:
    """The policy, if the charter allows it, it is in force, this camera is listed and not barred, and unsigned ones are accepted here for now.

    Whoever calls it opens no frame source before: a barred camera's sensor stays closed. A refusal is logged before it is raised (P4, P7). Raises PolicyRefusedError and ConfigError.
    """
    city = CityFolder(settings.city)
    try:
        policy, roster = city.obeyed()
        require_in_force(policy, clock.now())
        require_camera(policy, roster, settings.camera_id)
        if not allow_unsigned:
            raise PolicyRefusedError(
                Reason.POLICY_UNSIGNED, "the policy is unsigned", where=settings.city / "policy.toml", fix="only tests and rigs may give --allow-unsigned"
            )
    except PlatewardenError as error:
        reason = error.reason if isinstance(error, RefusedError) else Reason.MALFORMED
        log.append(LeafKind.REFUSAL, {"reason": reason, "what": f"policy: {error.what}"})
        raise
    return policy


def build_line(settings: Settings, policy: Policy, clock: Clock, outbox: Outbox, log: AuditLogPort) -> pipeline.Line:
    """The parts of the line. Raises ModelError, ConfigError, StorageError, EnvelopeRefusedError."""
    detector, reader = load_vision(settings.models.threads, settings.models.directory)
    return pipeline.Line(
        camera=settings.camera_id,
        detector=detector,
        reader=reader,
        tracker=Tracker(),
        hotlist=read_hotlist(
            settings.city, clock.now().utc.date(), {name for rule in policy.releases for name in rule.categories}, timedelta(hours=policy.hotlist.max_age_hours)
        ),
        decider=Decider(policy),
        sealer=Sealer(settings.camera_id, load_sealing_key(settings.device), epoch_keys(settings, policy)),
        outbox=outbox,
        log=log,
        counts=Counts(),
    )


def epoch_keys(settings: Settings, policy: Policy) -> dict[str, EpochKeys]:
    """The verified key list of every recipient to whom a rule releases. Raises ConfigError, EnvelopeRefusedError."""
    city = CityFolder(settings.city)
    named = sorted({rule.recipient for rule in policy.releases})
    return {recipient: verify_key_list(city.key_list(recipient), recipient, policy.recipients[recipient].signing_key) for recipient in named}


def build_settler(settings: Settings, policy: Policy, outbox: Outbox, log: AuditLogPort) -> Settler:
    """What empties the outbox: receipts, deadlines, withdrawals. Raises StorageError, EnvelopeRefusedError."""
    public, limits = load_device_public(settings.device), settings.limits
    receipt_verifier = ReceiptVerifier({r.id: r.signing_key for r in policy.recipients.values()}, limits.max_receipt_bytes)
    verifier = EnvelopeVerifier({public.device: public.seal}, limits.max_envelope_bytes)
    return Settler(policy, outbox, ReceiptBox(settings.receipts, limits.max_receipt_bytes), verifier, receipt_verifier, log)


class Keeper:
    """What watch does beside seeing: settles once a second, logs the hour's counts, feeds the watchdog when a frame is done."""

    def __init__(self, settler: Settler, line: pipeline.Line, clock: Clock, notifier: Notifier) -> None:
        self._settler, self._line, self._clock, self._notifier = settler, line, clock, notifier
        self._next_s = clock.monotonic_s()

    def between_frames(self) -> None:
        """After each frame: real progress, and nothing else, feeds the watchdog."""
        self._notifier.progress()
        if self._clock.monotonic_s() >= self._next_s:
            self.settle()

    def settle(self) -> None:
        """One round of receipts, deadlines and counts."""
        self._next_s = self._clock.monotonic_s() + SETTLE_EVERY_S
        now = self._clock.now()
        self._settler.settle(now)
        for hour in self._line.counts.flush(now):
            self._line.log.append(LeafKind.COUNTS, hour)

    def settle_for(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Wait until the outbox is empty, at most `seconds`; what is left stays for the next start."""
        end_s = self._clock.monotonic_s() + seconds
        self.settle()
        while self._line.outbox.pending() and self._clock.monotonic_s() < end_s and not stopped():
            self._clock.sleep(SETTLE_POLL_S)
            self.settle()
            self._notifier.progress()

    def close(self) -> None:
        """Log the running hour's counts."""
        for hour in self._line.counts.close():
            self._line.log.append(LeafKind.COUNTS, hour)


def until(stopped: Callable[[], bool], frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, up to the signal to stop; the frame in hand is finished first."""
    for frame in frames:
        if stopped():
            return
        yield frame
