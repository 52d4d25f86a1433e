"""The receiver's folder as a whole: making it, and composing its parts.

The composition root of the recipients' side.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import IDENTIFIER
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.epochs import EpochKeys, deadline_of
from agent.core.wire.holds.hold_rules import HoldRules
from agent.core.wire.versions import VERSIONS, Versions
from agent.disk.atomic_file import private_folder, read_bounded, write_atomic, write_new
from agent.disk.private_file import open_private
from agent.errors import (
    ConfigError,
    EnvelopeRefusedError,
    PlatewardenError,
    StorageError,
    StoreAwayError,
)
from agent.mqtt.client_request import make_request
from agent.receiver import receiver_settings
from agent.receiver.epoch_keys import EpochKeyStore
from agent.receiver.holds.hold_desk import HoldDesk
from agent.receiver.holds.hold_parts import HoldParts
from agent.receiver.opener import Opener
from agent.receiver.receiver_settings import BrokerSettings, ReceiverSettings
from agent.receiver.signing_key import FILE_NAME as SIGNING_KEY
from agent.receiver.signing_key import RecipientSigner
from agent.receiver.store.read_store import ReadStore
from agent.receiver.store.received_reads import ReceivedReads
from agent.values import dataclass, replace
from agent.verifying import hold_check, roster_check
from agent.verifying.envelope_check import EnvelopeVerifier

KEY_LIST, LOCK, TLS_KEY, TLS_REQUEST = "key-list.jws", ".lock", "tls.key", "tls.csr"
EPOCHS = "epochs"
MAX_ID = 48  # as in a policy


def trusted(now: Instant) -> Instant:
    """`now`, unless it is surely wrong: such a clock must not decide what is destroyed.

    Raises PlatewardenError.
    """
    if now.trust is ClockTrust.UNTRUSTED:
        least = f", and it is later than {rfc3339(now.at_least)}" if now.at_least else ""
        fix = (
            "set the time (NTP), then start again; "
            "if it was wrong before and is right now, remove clock.json"
        )
        raise PlatewardenError(
            f"the clock says {now.iso()}, which cannot be{least}", where="clock", fix=fix
        )
    return now


def surely(now: Instant) -> datetime:
    """The time by which keys may be destroyed and reads deleted.

    Raises PlatewardenError as `trusted` does.
    """
    trusted(now)
    sure = now.sure()
    assert sure is not None  # noqa: S101  # only of an untrusted time, which has just been refused
    return sure


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The days whose keys are gone, how many reads were deleted, and what was done for holds."""

    epochs: Sequence[date]
    reads: int
    held: Sequence[str] = ()


class Workplace:
    """One recipient's folder (docs/guide/recipient.md).

    `versions`: of the sealed read, those that it takes and lists.
    """

    def __init__(self, folder: Path, versions: Versions = VERSIONS) -> None:
        self.folder, self._versions = folder, versions
        self.settings: ReceiverSettings = receiver_settings.load(folder)
        self.recipient = self.settings.recipient
        self.keys = EpochKeyStore(folder / EPOCHS)
        self.holds = HoldDesk(
            HoldParts(
                folder,
                self.recipient,
                self.settings.client_name,
                makes_keys=self.settings.makes_keys,
                epochs=folder / EPOCHS,
                opener=self.opener,
                enrolled=lambda: self._roster().devices,
                rules=self._hold_rules,
            )
        )

    @classmethod
    def create(
        cls,
        folder: Path,
        recipient: str,
        now: Instant,
        broker: BrokerSettings | None = None,
        epochs_ahead_days: int = 60,
        versions: Versions = VERSIONS,
    ) -> "Workplace":
        """Make folder, signing key, epoch keys, key list and receiver.toml.

        Refuses when one is there already. Raises StorageError or ConfigError.
        """
        if IDENTIFIER.fullmatch(recipient) is None or len(recipient) > MAX_ID:
            raise ConfigError(
                "a recipient id is 1 to 48 letters, digits or hyphens", where="--recipient"
            )
        for name in (receiver_settings.FILE_NAME, SIGNING_KEY, KEY_LIST, EPOCHS):
            if os.path.lexists(folder / name):
                raise StorageError(
                    "exists already; a receiver's keys are never overwritten",
                    where=folder / name,
                    fix="choose another folder",
                )
        trusted(now)
        private_folder(folder)
        RecipientSigner.create(folder)
        made = ReceiverSettings(
            recipient=recipient, broker=broker, epochs_ahead_days=epochs_ahead_days
        )
        write_new(
            folder / receiver_settings.FILE_NAME, receiver_settings.template(made).encode(), 0o644
        )
        place = cls(folder, versions)
        place.renew_keys(now)
        return place

    def signer(self) -> RecipientSigner:
        """The recipient's signing key."""
        return RecipientSigner.load(self.folder)

    def opener(self) -> Opener:
        """Opens reads of the cameras that the city enrolled.

        Raises StorageError or EnvelopeRefusedError.
        """
        return Opener(self.recipient, self.verifier(), self.keys)

    def verifier(self) -> EnvelopeVerifier:
        """Tells whose a read is, and opens none. Raises StorageError or EnvelopeRefusedError."""
        return EnvelopeVerifier(self._roster().devices, versions=self._versions)

    def enrolled(self) -> Sequence[str]:
        """The cameras that the city enrolled. Raises StorageError or EnvelopeRefusedError."""
        return tuple(self._roster().devices)

    def roster_issued_at(self) -> datetime:
        """When the city signed the roster. Raises StorageError or EnvelopeRefusedError."""
        return self._roster().issued_at

    def store(self) -> ReadStore:
        """The sealed reads: of this folder, or those that several receivers share. Raises
        ConfigError, StorageError.
        """
        shared = self.settings.store
        if shared is None:
            return ReceivedReads(self.folder / "store")
        try:
            from agent.receiver.store.postgresql_reads import PostgresqlReads  # noqa: PLC0415
        except ImportError as error:  # an extra, with libpq in it
            raise ConfigError(
                f"[store] needs a library: {error.name or 'libpq'}",
                where=self.folder / receiver_settings.FILE_NAME,
                fix="pip install 'platewarden[receiver-postgresql]'",
            ) from None
        return PostgresqlReads(shared.conninfo)

    def request_certificate(self) -> Path:
        """Make `tls.key` and return the path of the request for its certificate. A key that is
        there is never replaced. Raises StorageError.
        """
        key, csr = make_request(self.settings.client_name)
        write_new(self.folder / TLS_KEY, key)
        write_atomic(self.folder / TLS_REQUEST, csr, 0o644)
        return self.folder / TLS_REQUEST

    def broker(self) -> BrokerSettings:
        """Where the reads come from. Raises ConfigError."""
        if self.settings.broker is None:
            raise ConfigError(
                "[broker] is missing",
                where=self.folder / receiver_settings.FILE_NAME,
                fix="fill in host, address, port and ca",
            )
        return self.settings.broker

    def renew_keys(self, now: Instant) -> EpochKeys:
        """Destroy what is due, make what is missing, sign and write key-list.jws; returns what it
        lists.

        Raises StorageError; ConfigError where another receiver makes the keys.

        Both by the time that is sure: after a jump forward, the days that were jumped over would
        never get a key.
        """
        if not self.settings.makes_keys:
            raise ConfigError(
                "this receiver makes no keys",
                where=self.folder / receiver_settings.FILE_NAME,
                fix="copy epochs/ and key-list.jws from the receiver that does",
            )
        private_folder(self.folder / EPOCHS)
        sure = surely(now)
        if self.keys.due(sure):
            self.destroy_due(now)  # with its holds: no other way destroys a key
        self.keys.extend(sure.date(), self.settings.epochs_ahead_days)
        listed = replace(
            self.keys.public_keys(self.recipient, now.utc), versions=self._versions.known
        )
        write_atomic(self.folder / KEY_LIST, self.signer().key_list(listed) + b"\n", 0o644)
        return listed

    def tidy(self, now: Instant) -> list[str]:
        """Implements service.Housekeeping: keys and reads past their deadline go, the key list
        follows.

        Keys first: without them the rest is noise.
        """
        sure = surely(now)
        destroyed = self.destroy_due(now)
        due, present = destroyed.epochs, self.keys.epochs()
        lines = list(destroyed.held)
        if doubtful := [epoch for epoch in present if deadline_of(epoch) <= now.utc]:
            lines.append(
                f"kept the keys of {len(doubtful)} epoch(s) that are due by this machine's clock: "
                f"nothing vouches for it beyond {rfc3339(sure)} (synchronise it by NTP; "
                "what cannot be undone waits for a time that is sure)"
            )
        if due:
            lines.append(
                f"destroyed the keys of {len(due)} epoch(s) up to {due[-1].isoformat()}; "
                f"deleted {destroyed.reads} sealed read(s)"
            )
        if self.settings.makes_keys and (
            due
            or not present
            or (present[-1] - sure.date()).days < self.settings.epochs_ahead_days - 1
        ):
            listed = self.renew_keys(now)
            lines.append(
                f"renewed {KEY_LIST}, up to epoch {max(listed.keys).isoformat()}: "
                "give it to the city"
            )
        return lines

    def destroy_due(self, now: Instant) -> Destroyed:
        """Destroy the keys and delete the reads whose deadline has surely come. What is held is
        sealed anew before (agent/receiver/holds/).

        Raises StorageError, PlatewardenError.
        """
        sure = surely(now)
        with closing(self.store()) as store:
            try:
                settled = self.holds.settle(store, now)
            except StoreAwayError:
                # nobody can tell what is held: only where nothing can be, keys die on time
                if not self.holds.any_here:
                    self.keys.destroy_due(sure)
                raise
            due = self.keys.destroy_due(sure)
            deleted = store.delete_due(sure, settled.spared)
        return Destroyed(due, deleted, tuple(settled.lines))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one `receiver run` in a folder. Raises PlatewardenError."""
        descriptor = open_private(self.folder / LOCK, "cannot open the lock")
        with os.fdopen(descriptor):  # closing it releases the lock
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlatewardenError(
                    "another receiver runs in this folder", where=self.folder, fix="stop it first"
                ) from None
            yield

    def _roster(self) -> roster_check.Roster:
        root, path = self._root(), self.folder / self.settings.roster
        data = self._of_the_city(path, "roster", roster_check.MAX_BYTES)
        try:
            return roster_check.verify_roster(data, root)
        except EnvelopeRefusedError as refused:
            raise _of_another_city(refused, path) from None

    def _hold_rules(self) -> HoldRules:
        path = self.folder / self.settings.hold_rules
        data = self._of_the_city(path, "hold rules", hold_check.MAX_BYTES)
        try:
            return hold_check.verify_hold_rules(data, self._root())
        except EnvelopeRefusedError as refused:
            raise _of_another_city(refused, path) from None

    def _root(self) -> roster_check.RosterRoot:
        path = self.folder / self.settings.city_root
        data = self._of_the_city(path, "root key", receiver_settings.MAX_BYTES)
        return roster_check.parse_root(data, str(path))

    @staticmethod
    def _of_the_city(path: Path, what: str, most: int) -> bytes:
        if not path.exists():
            raise StorageError(
                f"the city's {what} {'are' if what.endswith('s') else 'is'} missing",
                where=path,
                fix="get it from the city; receiver.toml says where it is looked for",
            )
        return read_bounded(path, most)


def _of_another_city(refused: EnvelopeRefusedError, path: Path) -> EnvelopeRefusedError:
    return EnvelopeRefusedError(
        Reason(refused.reason),
        refused.what,
        where=path,
        fix=f"get {path.name} and root.json from the same city",
    )
