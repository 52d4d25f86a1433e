"""Everything around a real `deliver` process: city and device folders, a Mosquitto, sealed reads, a
recipient that signs receipts.

The part of watch is played by `settle`: it removes a read from the outbox only for a receipt that
it has verified itself.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.enums import CallbackAPIVersion

from agent.core.text.encoding import b64url
from agent.core.time.instant import Instant
from agent.core.wire.device_public import DevicePublic, format_device_public
from agent.core.wire.receipt import Receipt, format_receipt
from agent.core.wire.sealed_read import split, tags_of
from agent.verifying.receipt_check import ReceiptVerifier
from tests.support import sealed
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST, Authority, Credentials

ROOT = Path(__file__).parents[2]
CHARTER = """
name = "Exampleville ALPR charter"
forbidden_recipients = ["agency-from-elsewhere"]
forbidden_purposes = ["immigration-enforcement"]
allowed_categories = ["stolen-vehicle", "amber-alert"]
max_retention = "30d"
"""
ROSTER = f"""
city = "City of Exampleville"
[[camera]]
id = "{sealed.DEVICE}"
stands = "a street of the tests"
near = []
mount = "fixed"
"""


class Rig:
    """Folders of one camera and its city, and a broker's credentials.

    `extra_brokers`: more [[broker]] tables as TOML.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = Authority(folder / "pki", "city-hall-ca")
        self.server = self.ca.server(hosts=(HOST, ADDRESS))
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.parties = sealed.Parties.make(self.now.date(), 30)
        self.settings = folder / "platewarden.toml"
        self.outbox = folder / "state/outbox"
        self.receipts = folder / "state/receipts"
        self.deliver_log_key = Ed25519PrivateKey.generate()
        self._sequence, self._sealer = 0, self.parties.sealer()
        for path in (folder / "city/ca", folder / "device", self.outbox):
            path.mkdir(parents=True)
        self.settings.write_text(f'camera_id = "{sealed.DEVICE}"\n')
        (folder / "city/charter.toml").write_text(CHARTER)
        (folder / "city/roster.toml").write_text(ROSTER)
        (folder / "city/ca/city-hall-ca.pem").write_bytes(self.ca.pem.read_bytes())
        public = DevicePublic(
            sealed.DEVICE,
            raw(self.parties.device_key),
            raw(Ed25519PrivateKey.generate()),
            raw(self.deliver_log_key),
        )
        (folder / "device/public.json").write_bytes(format_device_public(public))
        pem = self.deliver_log_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "device/deliver-log.key").write_bytes(pem)
        (folder / "device/deliver-log.key").chmod(0o600)

    def use_client_certificate(self) -> None:
        """Give the device the certificate that mutual TLS asks for."""
        credentials = self.ca.client(sealed.DEVICE)
        for name, source in (("tls.crt", credentials.certificate), ("tls.key", credentials.key)):
            (self.folder / "device" / name).write_bytes(source.read_bytes())

    def policy(
        self,
        *ports: int,
        host: str = HOST,
        pin: str | None = None,
        expires_days: int = 90,
        purpose: str = "stolen-vehicle-recovery",
    ) -> str:
        """A policy whose brokers listen on these loopback ports, in this order."""
        key, day = raw(self.parties.recipient_key), self.now.date()
        text = one_rule(key, day, expires_days=expires_days, purpose=purpose)
        for number, port in enumerate(ports):
            text += f"""
[[broker]]
id = "city-hall-{number}"
host = "{host}"
addresses = ["{ADDRESS}:{port}"]
ca = "city-hall-ca.pem"
spki_pins = ["{pin or self.server.pin_text}"]
recipients = ["{sealed.RECIPIENT}"]
"""
        return text

    def write_policy(self, text: str) -> None:
        """As a city's update does: whole or not at all."""
        part = self.folder / "city/policy.part"
        part.write_text(text)
        part.rename(self.folder / "city/policy.toml")

    def seal(self, count: int = 1) -> list[str]:
        """Watch seals reads into the outbox; their ids."""
        made = []
        for _ in range(count):
            self._sequence += 1
            read = self._sealer.seal(sealed.sighting(self.now), sealed.release(), self._sequence)
            path = self.outbox / f"{read.tags.read_id}.sealed"
            path.with_suffix(".part").write_bytes(read.wire)
            path.with_suffix(".part").rename(path)
            made.append(read.tags.read_id)
        return made

    def waiting(self) -> set[str]:
        """Read ids in the outbox."""
        return {path.stem for path in self.outbox.glob("*.sealed")}

    def settle(self) -> None:
        """Watch's part: verify each receipt against the outbox's own bytes, then remove the
        read.
        """
        verifier = ReceiptVerifier({sealed.RECIPIENT: raw(self.parties.recipient_key)})
        for path in list(self.receipts.glob("*.receipt")):
            read = self.outbox / f"{path.stem}.sealed"
            try:
                receipt = verifier.verify(path.read_bytes())
            except FileNotFoundError:
                continue  # deliver has tidied it up meanwhile
            if read.exists():
                assert (receipt.read_id, receipt.wire_sha256) == (
                    path.stem,
                    hashlib.sha256(read.read_bytes()).hexdigest(),
                )
                read.unlink()

    def settle_until(self, done, seconds: float = 30.0) -> None:
        """Settle until something is so; fails when it is not in time."""
        end = time.monotonic() + seconds
        while not done():
            self.settle()
            assert time.monotonic() < end, f"not in time; {len(self.waiting())} reads wait"
            time.sleep(0.05)

    def leaves(self) -> list[dict[str, object]]:
        """What deliver's log says, in order."""
        path = self.folder / "state/deliver/log.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'leaf'").fetchone():
                return []  # made, not yet filled
            return [
                json.loads(details)
                for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
            ]
        finally:
            connection.close()

    def refusals(self) -> Counter[str]:
        """Refusal leaves by reason."""
        return Counter(str(leaf["reason"]) for leaf in self.leaves() if leaf["kind"] == "refusal")

    def deliver(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        under: tuple[str, ...] = (),
    ) -> "Deliver":
        """Start the real process."""
        return Deliver(self, arguments, environment or {}, under)


class Deliver:
    """One `platewarden deliver` process; its output is in the rig's folder.

    Use as a context manager: it ends with SIGTERM.
    """

    def __init__(
        self,
        rig: Rig,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        under: tuple[str, ...],
    ) -> None:
        self._output = rig.folder / "deliver.out"
        command = [
            *under,
            sys.executable,
            "-m",
            "agent",
            "deliver",
            "--config",
            str(rig.settings),
            *arguments,
        ]
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean_environment() | environment,
                stdout=output,
                stderr=output,
            )

    def output(self) -> str:
        """Both streams so far."""
        return self._output.read_text()

    def finish(self, seconds: float = 30.0) -> int:
        """Wait for its own end; its exit code."""
        return self.process.wait(seconds)

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Recipient:
    """Subscribes as the recipient, counts arrivals by read id, keeps each read once, and answers
    every arrival with a signed receipt.

    `deaf`: takes reads and says nothing. Reconnects by itself when the broker comes back.
    """

    def __init__(
        self, rig: Rig, port: int, credentials: Credentials | None = None, *, deaf: bool = False
    ) -> None:
        self._rig, self.deaf = rig, deaf
        self.arrivals: Counter[str] = Counter()
        self.kept: dict[str, bytes] = {}
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="recipient", protocol=mqtt.MQTTv5
        )
        self._client.tls_set(
            str(rig.ca.pem),
            *((str(credentials.certificate), str(credentials.key)) if credentials else ()),
        )
        self._client.reconnect_delay_set(1, 1)
        subscribed: list[object] = []
        self._client.on_connect = lambda client, *_: client.subscribe(
            f"platewarden/1/reads/{sealed.RECIPIENT}", qos=1
        )
        self._client.on_subscribe = lambda *_: subscribed.append(1)
        self._client.on_message = self._on_message
        self._client.connect(ADDRESS, port)
        self._client.loop_start()
        end = time.monotonic() + 10
        while not subscribed:
            assert time.monotonic() < end, "the recipient could not subscribe"
            time.sleep(0.02)

    def _on_message(
        self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage
    ) -> None:
        wire = message.payload
        tags = tags_of(split(wire))
        self.arrivals[tags.read_id] += 1
        assert self.kept.setdefault(tags.read_id, wire) == wire
        if not self.deaf:
            client.publish(f"platewarden/1/receipts/{tags.device}", self.receipt(wire), qos=1)

    def receipt(
        self, wire: bytes, outcome: str = "stored", key: Ed25519PrivateKey | None = None
    ) -> bytes:
        """A receipt, by the recipient's key unless a test forges one."""
        tags = tags_of(split(wire))
        receipt = Receipt(
            tags.read_id,
            hashlib.sha256(wire).hexdigest(),
            tags.device,
            tags.recipient,
            outcome,
            Instant(self._rig.now).utc,
        )
        return sealed.sign_compact(
            key or self._rig.parties.recipient_key, "platewarden-receipt", format_receipt(receipt)
        )

    def close(self) -> None:
        """Unsubscribe by leaving."""
        self._client.disconnect()
        self._client.loop_stop()


def one_rule(
    signing_key: bytes,
    day: date,
    *,
    expires_days: int = 90,
    purpose: str = "stolen-vehicle-recovery",
    max_per_hour: int = 20,
) -> str:
    """A policy of one rule and one recipient, whose brokers are still to be added."""
    return f"""
name = "City of Exampleville ALPR policy"
version = 7
jurisdiction = "US-CA"
effective = {day - timedelta(days=30)}
expires = {day + timedelta(days=expires_days)}
[[release]]
rule = "stolen-and-amber"
categories = ["stolen-vehicle", "amber-alert"]
match = ["exact", "text"]
min_confidence = 0.9
max_per_hour = {max_per_hour}
recipient = "{sealed.RECIPIENT}"
purpose = "{purpose}"
retention = "21d"
include = ["plate", "crop", "captured_at", "camera"]
[[recipient]]
id = "{sealed.RECIPIENT}"
legal_name = "Exampleville Police Department"
basis = "Ordinance 2026-14"
expires = {day + timedelta(days=90)}
signing_key = "{b64url(signing_key)}"
"""


def clean_environment() -> dict[str, str]:
    """Ours, without a proxy and without a service manager."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name != "NOTIFY_SOCKET"
    }


def raw(key: Ed25519PrivateKey) -> bytes:
    """The public half, 32 bytes."""
    return key.public_key().public_bytes_raw()
