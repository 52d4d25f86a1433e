"""Builds and runs `deliver`: the only process with a network.

It holds no plate, no key that opens a read, no hot list (P2).
"""

import os
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.layout import HOTLIST
from agent.core.log.checkpoint import origin_of
from agent.core.log.closing_words import DeliverTotals, deliver_totals
from agent.core.log.collected import MAX_ANSWER_BYTES
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import LeafKind
from agent.core.policy.camera_roster import require_broker
from agent.core.policy.policy import require_in_force
from agent.core.reasons import Reason, reason_of
from agent.delivery import Delivery, PassResult, Route
from agent.disk.atomic_file import private_folder
from agent.errors import (
    NetworkError,
    PlatewardenError,
    PolicyRefusedError,
    StorageError,
)
from agent.host.clock import SystemClock, TrustedClock
from agent.host.folder_bell import FolderBell
from agent.host.link_ledger import LinkLedger
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop
from agent.host.teller import Teller
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES, health_topic
from agent.network.broker_link import LinkLimits
from agent.network.checkpoint_post import CheckpointPost
from agent.network.egress import Egress, install_guard, refuse_proxies
from agent.network.health_post import HealthPost
from agent.network.policy_tls import context_for
from agent.network.publisher import MqttPublisher
from agent.settings import Settings
from agent.sides.health.deliver_health import DeliverHealth
from agent.sides.signed_city import SignedCity, in_force, no_bundles
from agent.software.running_version import running, told
from agent.storage.attempts import Attempts
from agent.storage.audit_log import AuditLog
from agent.storage.floor_file import FloorKeeper
from agent.storage.growth_mailbox import OwnGrowth, WatchGrowth
from agent.storage.kept_receipts import KeptReceipts
from agent.storage.log_key import load_signing_key
from agent.storage.mailbox import COLLECTED, GROWTH, OutboxReader
from agent.verifying.device_public_file import load_own_public
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.receipt_check import ReceiptVerifier

if TYPE_CHECKING:
    from agent.ports import Clock

PASS_EVERY_S = 0.25
"""So long a pass waits on the sockets; so soon a new file in the outbox is noticed where no bell
rings."""
_JITTER = secrets.SystemRandom().random


def run(
    settings: Settings,
    *,
    allow_unsigned: bool,
    until_empty_s: float | None = None,
    teller: Teller | None = None,
    closing: Callable[[DeliverTotals], None] = lambda _: None,
) -> None:
    """Deliver until SIGTERM, or until the outbox is empty (NetworkError after `until_empty_s`).

    Raises PlatewardenError.

    From the start on, and for ever in this process, no other destination than the brokers that the
    policy has for this camera can be reached.

    `teller`: says each change of state; `closing` is told at the end, whatever ended it.
    """
    load_own_public(settings)
    stop, notifier = Stop(), Notifier()
    private_folder(settings.state / "deliver")
    trusted = TrustedClock(settings.state / "deliver") if settings.anchor.exists() else None
    clock: Clock = trusted or SystemClock()
    egress, guarded = Egress(notify_socket=notifier.address), deque[tuple[str, str]](maxlen=100)
    install_guard(egress, lambda event, destination: guarded.append((event, destination)))
    with ExitStack() as stack:
        log = _opened_log(settings, clock)
        stack.callback(log.close)
        ledger = LinkLedger(settings.state / "deliver", clock, teller or Teller("deliver"))
        stack.callback(lambda: closing(deliver_totals(log.tally, _waiting(settings), ledger.why())))
        try:
            refuse_proxies(os.environ)
            signed = (
                SignedCity(settings, "deliver", trusted, log, frozenset({HOTLIST}))
                if trusted
                else None
            )
            side = DeliverySide(
                settings, log, clock, egress, stop, signed, allow_unsigned=allow_unsigned
            )
        except PlatewardenError as error:
            log.append(LeafKind.REFUSAL, {"reason": reason_of(error), "what": error.what})
            raise
        stack.callback(side.close)
        log.append(LeafKind.START, {**side.in_force(), **told(running())})
        notifier.ready()
        try:
            _loop(side, guarded, clock, stop, notifier, ledger, until_empty_s)
        finally:
            notifier.stopping()
            ledger.stop()
            side.delivery.refusals.write_counts(now=True)
            log.append(LeafKind.STOP, {})
            if trusted:
                trusted.save()


def _opened_log(settings: Settings, clock: "Clock") -> AuditLog:
    return AuditLog(
        settings.state / "deliver" / "log.sqlite",
        origin_of(settings.camera_id, "deliver", load_own_public(settings).domain),
        load_signing_key(settings.device / "deliver-log.key"),
        clock.now,
    )


def _loop(
    side: "DeliverySide",
    guarded: deque[tuple[str, str]],
    clock: "Clock",
    stop: Stop,
    notifier: Notifier,
    ledger: LinkLedger,
    until_empty_s: float | None,
) -> None:
    give_up_s = clock.monotonic_s() + until_empty_s if until_empty_s is not None else None
    while not stop():
        result = side.pass_once(notifier)
        while guarded:
            event, destination = guarded.popleft()
            details = {
                "reason": Reason.DESTINATION_NOT_IN_POLICY,
                "what": event,
                "destination": destination,
            }
            side.delivery.refusals.note(("guard", event, destination), details)
        if not stop():  # a pass that was cut short says nothing of brokers
            ledger.look(side.links(), result.waiting, result.receipts, result.trouble)
        notifier.progress()  # a pass is done: nothing else feeds the watchdog
        notifier.status(
            f"{result.waiting} reads wait{': ' + result.trouble if result.trouble else ''}"
        )
        if give_up_s is not None and result.waiting == 0:
            return
        if give_up_s is not None and clock.monotonic_s() >= give_up_s:
            raise NetworkError(
                f"{result.waiting} reads still wait for a receipt "
                f"after {until_empty_s:g} s{': ' + result.trouble if result.trouble else ''}",
                where="outbox",
                fix="are broker and receiver up, and does watch run to take them out?",
            )


class DeliverySide:
    """The parts of one deliver process, and the policy in force: taken as a whole when the city's
    changes.

    `signed`: the bundles that this process verified; while none are in force, nothing is published.
    None on a rig with an unsigned folder: there, a policy that cannot be read or is refused stops
    publication until one is there that can; the old one is not kept.
    """

    def __init__(
        self,
        settings: Settings,
        log: AuditLog,
        clock: "Clock",
        egress: Egress,
        stop: Stop,
        signed: SignedCity | None = None,
        *,
        allow_unsigned: bool,
    ) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._egress = egress
        self._allow_unsigned = allow_unsigned
        self._stop, self._signed = stop, signed
        public = load_own_public(settings)
        self._stamp: tuple[object, ...] = ()
        self._route: Route | None = None
        self._refused = "nothing is published: no bundles have come yet"
        if signed is None:
            self._stamp, self._route = self._stamp_now(), self._new_route()
        self._attempts = Attempts(settings.state / "deliver" / "attempts.sqlite")
        self._outbox = OutboxReader(settings.outbox, settings.limits.max_envelope_bytes)
        receipts = KeptReceipts(settings.receipts, log, settings.limits.max_receipt_bytes)
        receipts.recover()
        watch = origin_of(public.device, "watch", public.domain)
        self._floor = _floor(settings, watch, public.watch_log)
        logs = _growing_logs(settings, log, watch, public.watch_log, clock)
        self._bell = FolderBell(settings.outbox)
        self.delivery = Delivery(
            settings.camera_id,
            self._outbox,
            EnvelopeVerifier({public.device: public.seal}, settings.limits.max_envelope_bytes),
            receipts,
            self._attempts,
            log,
            clock,
            _JITTER,
            self._bell,
        )
        self._post = CheckpointPost(logs, self.delivery.refusals, clock, _JITTER)
        self._health = HealthPost(self._health_teller(), self.delivery.refusals, clock, _JITTER)

    def in_force(self) -> Mapping[str, object]:
        """The policy in force, for a leaf."""
        return in_force(self._route.policy, signed=self._signed is not None) if self._route else {}

    def pass_once(self, notifier: Notifier) -> PassResult:
        """Look for a new policy, then deliver under the one in force.

        Raises PolicyRefusedError once an unsigned one has expired.
        """
        self._log.copy_checkpoint()
        self._keep_floor()
        self._follow_policy()
        self._health.turn(self._route.publisher if self._route else None)
        if self._route is None:
            self._clock.sleep(PASS_EVERY_S)
            return PassResult(len(self._outbox.pending()), 0, 0, self._refused)
        try:
            require_in_force(self._route.policy, self._clock.now())
        except PolicyRefusedError as refusal:
            if self._signed is not None:  # the next bundles bring another policy: wait for them
                self._withdraw(refusal)
                self._clock.sleep(PASS_EVERY_S)
                return PassResult(len(self._outbox.pending()), 0, 0, self._refused)
            self._log.append(LeafKind.REFUSAL, {"reason": refusal.reason, "what": refusal.what})
            raise
        publisher = self._route.publisher
        result = self.delivery.pass_once(self._route, notifier.progress, self._stop, PASS_EVERY_S)
        self._post.turn(publisher)
        return result

    def links(self) -> Mapping[str, str] | None:
        """Each broker that the policy in force has for this camera, and what keeps it out of reach;
        None: no policy is in force.
        """
        if self._route is None:
            return None
        troubles = self._route.publisher.troubles()
        return {
            broker.id: next((line for line in troubles if f"broker {broker.id!r}" in line), "")
            for broker in self._route.policy.brokers_of(self._settings.camera_id)
        }

    def _health_teller(self) -> DeliverHealth:
        return DeliverHealth(
            self._settings,
            self._log.origin,
            load_signing_key(self._settings.device / "deliver-log.key"),
            self._clock,
            policy=lambda: self._route.policy if self._route else None,
            standing=lambda: self._signed.standing if self._signed else None,
            links=self.links,
            topic=health_topic(self._settings.camera_id),
        )

    def _keep_floor(self) -> None:
        wrong = self._floor.look()
        if wrong is not None:
            details = {"reason": wrong[0], "what": wrong[1]}
            self.delivery.refusals.note(("floor", *wrong), details, once=True)

    def close(self) -> None:
        """Disconnect and release the database."""
        if self._route:
            self._route.publisher.close()
        self._bell.close()
        self._attempts.close()

    def _follow_policy(self) -> None:
        if self._signed is not None:
            self._signed.look()
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._disconnect()
        try:
            self._route, self._refused = self._new_route(), ""
        except PlatewardenError as error:
            self._withdraw(error)
        else:
            self._log.append(LeafKind.POLICY, self.in_force())

    def _withdraw(self, error: PlatewardenError) -> None:
        """No policy is in force: no connection, and no destination that could be reached."""
        self._disconnect()
        self._refused = f"nothing is published: {error}"
        self._log.append(
            LeafKind.REFUSAL, {"reason": reason_of(error), "what": f"policy: {error.what}"}
        )

    def _disconnect(self) -> None:
        if self._route:
            self._route.publisher.close()
        self._route = None
        self._egress.replace(())

    def _new_route(self) -> Route:
        """Everything that follows from the city's files, or an error and no trace."""
        city = self._city()
        limits = LinkLimits(max_receipt_bytes=self._settings.limits.max_receipt_bytes)
        policy, _ = city.obeyed()
        require_in_force(policy, self._clock.now())
        if self._signed is None and not self._allow_unsigned:
            raise PolicyRefusedError(
                Reason.POLICY_UNSIGNED,
                "the policy is unsigned",
                where=self._settings.city / "policy.toml",
                fix="only tests and rigs may give --allow-unsigned",
            )
        require_broker(policy, self._settings.camera_id)
        brokers = policy.brokers_of(self._settings.camera_id)
        client = client_certificate(self._settings)
        longest = max(limits.max_receipt_bytes, MAX_ANSWER_BYTES) + PACKET_OVERHEAD_BYTES
        contexts = {
            broker.id: context_for(
                broker, city.ca(broker), f"broker {broker.id!r}", longest, client
            )
            for broker in brokers
        }
        receipt_verifier = ReceiptVerifier(
            {recipient.id: recipient.signing_key for recipient in policy.recipients.values()},
            limits.max_receipt_bytes,
        )
        publisher = MqttPublisher(
            brokers,
            contexts,
            self._settings.camera_id,
            self._egress,
            now=lambda: self._clock.now().utc,
            jitter=_JITTER,
            refused=self._refuse_destination,
            stopping=self._stop,
            limits=limits,
        )
        self._egress.replace(brokers)
        return Route(policy, receipt_verifier, publisher)

    def _city(self) -> CityFolder:
        """The city's files: verified, or a rig's.

        Raises BundleRefusedError while nothing verified is in force.
        """
        if self._signed is None:
            return CityFolder(self._settings.city)
        if self._signed.standing is None:
            raise no_bundles(self._settings)
        self._signed.standing.require_open()
        return self._signed.standing.city

    def _refuse_destination(self, broker: str, address: str, reason: str) -> None:
        self.delivery.refusals.note(
            ("destination", broker, address, reason),
            {"reason": reason, "broker": broker, "address": address},
        )

    def _stamp_now(self) -> tuple[object, ...]:
        """Changes when a file of the city's that deliver reads does, or when bundles lapse.

        Hot lists and key lists are none of its business.
        """
        certificate = _file_stamp(self._settings.device / "tls.crt")
        if self._signed is not None:
            standing = self._signed.standing
            return (
                (certificate, standing.closed, standing.generation.files_but("keys/"))
                if standing
                else ()
            )
        city = self._settings.city
        files = [
            city / "policy.toml",
            city / "charter.toml",
            city / "roster.toml",
            *sorted((city / "ca").glob("*.pem")),
        ]
        return (certificate, *(_file_stamp(path) for path in files))


def _floor(settings: Settings, origin: str, watch_key: bytes) -> FloorKeeper:
    folders = (settings.outbox, settings.state / "deliver", settings.receipts)
    source, kept, shown = (folder / FLOOR for folder in folders)
    return FloorKeeper(source, kept, shown, origin, watch_key)


def _growing_logs(
    settings: Settings, log: AuditLog, watch: str, watch_key: bytes, clock: "Clock"
) -> tuple[OwnGrowth, WatchGrowth]:
    """Both of the camera's, for the city's collector."""
    own = OwnGrowth(log, settings.state / "deliver" / "collected", lambda: clock.now().utc)
    source, shown = settings.outbox / GROWTH, settings.receipts / COLLECTED
    return own, WatchGrowth(source, shown, watch, watch_key)


def client_certificate(settings: Settings) -> tuple[Path, Path] | None:
    """The device's TLS certificate and key, if it has them.

    Raises StorageError when only one is there.
    """
    certificate, key = settings.device / "tls.crt", settings.device / "tls.key"
    if certificate.exists() != key.exists():
        missing = key if certificate.exists() else certificate
        raise StorageError(
            "is missing beside its other half", where=missing, fix="put both there, or neither"
        )
    return (certificate, key) if key.exists() else None


def _waiting(settings: Settings) -> int:
    return len(OutboxReader(settings.outbox, settings.limits.max_envelope_bytes).pending())


def _file_stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns
