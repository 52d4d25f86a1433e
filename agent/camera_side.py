"""Builds and runs `watch`: the only process that sees plates. It opens no socket but systemd's notify socket (P2)."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

from agent import pipeline
from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import read_hotlist
from agent.camera.sources import open_source
from agent.clock import SystemClock
from agent.core.charter import require
from agent.core.counts import Counts
from agent.core.deciding import Decider
from agent.core.leaf import LeafKind
from agent.core.policy import Policy
from agent.core.policy_file import require_in_force
from agent.core.reasons import Reason
from agent.core.sighting import Frame
from agent.core.tracking import Tracker
from agent.errors import PolicyRefusedError, RefusedError
from agent.notify import Notifier
from agent.ports import Clock, FrameSource
from agent.sealing.device_keys import load_sealing_key
from agent.sealing.sealer import Sealer
from agent.settings import Settings
from agent.settling import Settler
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import load_log_key
from agent.storage.mailbox import ReceiptBox
from agent.storage.outbox import Outbox
from agent.verifying.key_list import verify_key_list
from agent.verifying.receipt import ReceiptVerifier
from agent.vision.detector import OnnxPlateDetector
from agent.vision.recognizer import OnnxPlateReader

SETTLE_EVERY_S = 1.0


def run(settings: Settings, source: str, *, settle_s: float, allow_unsigned: bool) -> None:
    """Watch until the source ends or SIGTERM; then wait up to `settle_s` for receipts. Raises PlatewardenError."""
    clock, stop, notifier = SystemClock(), Stop(), Notifier()
    with ExitStack() as closing:
        key = load_log_key(settings.device / "watch-log.key")
        log = closing.enter_context(AuditLog(settings.state / "watch" / "log.sqlite", f"platewarden/{settings.camera_id}/watch", key, clock.now))
        policy = load_policy(settings, clock, log, allow_unsigned=allow_unsigned)
        outbox = Outbox(settings.outbox, log, settings.limits.max_outbox_reads, settings.limits.max_envelope_bytes)
        outbox.recover()
        line = build_line(settings, policy, outbox, log)
        keeper = Keeper(build_settler(settings, policy, outbox, log), line, clock, notifier)
        frames = closing.enter_context(closing_source(open_source(source, settings, clock)))
        log.append(LeafKind.START, {"policy": policy.name, "policy_version": policy.version, "policy_digest": policy.digest})
        notifier.ready()
        try:
            pipeline.watch(line, stop.until(frames.frames()), keeper.between_frames)
            keeper.settle_for(settle_s, stop)
        finally:
            notifier.stopping()
            keeper.close()
            log.append(LeafKind.STOP, {})
